"""The log about one connection, as files, and what a filter of no use says."""

import csv
import io
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.connection import Connection
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import NOON, a_connection, a_webhook, saved_app


@pytest.fixture
def zoom_app(runtime: Runtime) -> ZoomApp:
    with runtime.database.writing() as session:
        return session.get_one(ZoomApp, saved_app(session, runtime.vault))


@pytest.fixture
def ana(runtime: Runtime, zoom_app: ZoomApp) -> Connection:
    person = a_connection(zoom_app, zoom_user_id="ana", display_name="Ana Nowak")
    store(runtime, person)
    return person


def store(runtime: Runtime, *rows: Any) -> None:
    with runtime.database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def soup(browser: FlaskClient, url: str, *, status: int = 200) -> BeautifulSoup:
    answer = browser.get(url, follow_redirects=True)
    assert answer.status_code == status, answer.text
    return BeautifulSoup(answer.text, "html5lib")


def row_ids(page: BeautifulSoup) -> list[str]:
    return [str(row["id"]) for row in page.select("#webhooks-rows > tr")]


def test_a_connection_leads_to_its_webhooks(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp, ana: Connection
) -> None:
    mine = a_webhook(zoom_app, zoom_user_id="ana")
    store(runtime, mine, a_webhook(zoom_app))
    browser = as_role(Role.SUPPORT)

    connection = soup(browser, f"/connections/{ana.id}")
    (url,) = {
        str(link["href"])
        for link in connection.select("main a[href^='/webhooks/?connection=']")
    }
    page = soup(browser, url)

    assert row_ids(page) == [f"webhook-{mine.id}"]
    assert page.select_one(f"main a[href='/connections/{ana.id}']") is not None


def test_the_connection_stays_in_every_link_and_in_the_form(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp, ana: Connection
) -> None:
    store(
        runtime,
        *(
            a_webhook(
                zoom_app, zoom_user_id="ana", received_at=NOON - timedelta(seconds=each)
            )
            for each in range(120)
        ),
    )

    page = soup(
        as_role(Role.SUPPORT),
        f"/webhooks/?connection={ana.id}&outcome=waiting&event=meeting.created",
    )

    older = str(page.select_one("a[rel=next]")["href"])  # type: ignore[index]
    region = page.select_one("#webhooks-list")
    bar = page.select_one("#webhooks-newer")
    assert region is not None
    assert bar is not None
    for url in (older, str(region["hx-get"]), str(bar["hx-get"])):
        query = parse_qs(urlsplit(url).query)
        assert query["connection"] == [str(ana.id)]
        assert query["outcome"] == ["waiting"]
        assert query["event"] == ["meeting.created"]
    for tab in page.select("nav[aria-label='Saved views'] a")[:4]:
        assert f"connection={ana.id}" in str(tab["href"])
    field = page.select_one("form[aria-label=Filter] input[name=connection]")
    assert field is not None
    assert field["value"] == str(ana.id)


def test_a_connection_that_is_gone_is_said_so(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    store(runtime, a_webhook(zoom_app))

    page = soup(as_role(Role.SUPPORT), f"/webhooks/?connection={uuid4()}")

    assert row_ids(page) == []
    assert "This connection no longer exists" in page.select_one("main").text  # type: ignore[union-attr]


def test_what_was_typed_wrongly_is_kept(as_role: SignIn) -> None:
    page = soup(
        as_role(Role.SUPPORT),
        "/webhooks/?meeting=12ab&user=ana&connection=nobody",
        status=422,
    )

    values = {
        str(field["name"]): field["value"]
        for field in page.select("form[aria-label=Filter] input")
        if field.get("value")
    }
    assert values == {"meeting": "12ab", "user": "ana", "connection": "nobody"}


@pytest.mark.parametrize("query", ["since=0001-01-01T00:00", "until=9999-01-01T00:00"])
def test_a_far_year_lists_all(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp, query: str
) -> None:
    row = a_webhook(zoom_app)
    store(runtime, row)

    assert row_ids(soup(as_role(Role.SUPPORT), f"/webhooks/?{query}")) == [
        f"webhook-{row.id}"
    ]


def test_a_filtered_list_is_a_file_at_the_same_address(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    dead = a_webhook(
        zoom_app, outcome=Outcome.DEAD, outcome_reason="=HYPERLINK(1)", event_ts=None
    )
    store(runtime, dead, a_webhook(zoom_app))
    browser = as_role(Role.SUPPORT)
    links = soup(browser, "/webhooks/?outcome=dead").select("main a[href*=format]")
    csv_url, json_url = (str(link["href"]) for link in links)

    listed = list(csv.DictReader(io.StringIO(browser.get(csv_url).text)))
    (found,) = browser.get(json_url).get_json()["webhooks"]

    assert [row["id"] for row in listed] == [found["id"]] == [str(dead.id)]
    assert listed[0]["outcome_reason"] == "'=HYPERLINK(1)"
    assert (found["event"], found["event_ts"]) == ("meeting.created", None)
    assert found["received_at"] == "2026-11-23T12:00:00Z"


def test_a_file_of_a_filter_that_makes_no_sense_is_refused(as_role: SignIn) -> None:
    answer = as_role(Role.SUPPORT).get("/webhooks/?outcome=lost&format=csv")

    assert (answer.status_code, answer.mimetype) == (422, "text/html")


def test_files_are_closed_to_strangers(stranger: FlaskClient) -> None:
    assert stranger.get("/webhooks/?format=csv").status_code == 303
