"""The audit log: an empty filter is not an empty log."""

from bs4 import BeautifulSoup
from flask.testing import FlaskClient


def said(admin: FlaskClient, query: str) -> str:
    page = BeautifulSoup(admin.get(f"/audit/{query}").text, "html.parser")
    return " ".join(page.get_text(" ").split())


def test_a_filter_that_matches_nothing_says_so(admin: FlaskClient) -> None:
    shown = said(admin, "?act=nothing.of.this.name")

    assert "No entries match this filter" in shown
    assert "No entries yet" not in shown


def test_an_empty_log_says_what_it_lists(admin: FlaskClient) -> None:
    shown = said(admin, "")

    assert "No entries yet" in shown
    assert "Each change, sign-in and view of unredacted data is listed here." in shown
