"""Page or fragment, and how a form leaves."""

import pytest
from flask import Flask
from jinja2 import DictLoader

from dashboard.web import htmx

HTMX = {"HX-Request": "true"}


@pytest.fixture
def app() -> Flask:
    app = Flask("tests", static_folder=None)
    app.jinja_loader = DictLoader(
        {"page.html": "<h1>{{ word }}</h1>", "_part.html": "<p>{{ word }}</p>"}
    )
    return app


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, "<h1>seen</h1>"),
        (HTMX, "<p>seen</p>"),
        (HTMX | {"HX-Boosted": "true"}, "<h1>seen</h1>"),
        (HTMX | {"HX-History-Restore-Request": "true"}, "<h1>seen</h1>"),
        ({"HX-Request": "yes"}, "<h1>seen</h1>"),
    ],
    ids=["browser", "htmx", "boosted", "history restore", "made up"],
)
def test_who_gets_the_page_and_who_the_fragment(
    app: Flask, headers: dict[str, str], body: str
) -> None:
    with app.test_request_context(headers=headers):
        response = htmx.page_or_fragment("page.html", "_part.html", word="seen")

    assert response.get_data(as_text=True) == body


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["browser", "htmx"])
def test_caches_are_told_that_a_page_has_two_faces(
    app: Flask, headers: dict[str, str]
) -> None:
    with app.test_request_context(headers=headers):
        response = htmx.page_or_fragment("page.html", "_part.html", word="seen")

    assert response.headers["Vary"] == "HX-Request"


def test_a_form_with_errors_keeps_its_status(app: Flask) -> None:
    with app.test_request_context(headers=HTMX):
        response = htmx.page_or_fragment(
            "page.html", "_part.html", status=422, word="wrong"
        )

    assert response.status_code == 422


def test_a_browser_is_sent_on_by_see_other(app: Flask) -> None:
    with app.test_request_context(method="POST"):
        response = htmx.go_to("/zoom-apps")

    assert (response.status_code, response.headers["Location"]) == (303, "/zoom-apps")


def test_htmx_is_sent_on_without_a_body_to_swap(app: Flask) -> None:
    with app.test_request_context(method="POST", headers=HTMX):
        response = htmx.go_to("/zoom-apps")

    assert (response.status_code, response.get_data()) == (204, b"")
    assert response.headers["HX-Redirect"] == "/zoom-apps"
