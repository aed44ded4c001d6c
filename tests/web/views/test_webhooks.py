"""The webhook log's pages: filters stay in the links, rows being read stay put."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome, Refusal
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import NOON, a_webhook, saved_app

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def zoom_app(runtime: Runtime) -> ZoomApp:
    with runtime.database.writing() as session:
        return session.get_one(ZoomApp, saved_app(session, runtime.vault))


def store(runtime: Runtime, *rows: Any) -> None:
    with runtime.database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def soup(browser: FlaskClient, url: str, **headers: str) -> BeautifulSoup:
    answer = browser.get(url, headers=headers, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html5lib")


def row_ids(page: BeautifulSoup) -> list[str]:
    return [str(row["id"]) for row in page.select("#webhooks-rows > tr")]


def test_an_empty_log_says_what_to_do_first(as_role: SignIn) -> None:
    page = soup(as_role(Role.SUPPORT), "/webhooks/")

    assert "No webhooks yet" in page.select_one("#webhooks-list").text  # type: ignore[union-attr]


def test_a_dead_one_that_a_resend_brought_to_recall_says_so(
    runtime: Runtime, zoom_app: ZoomApp, as_role: SignIn
) -> None:
    later = NOON + timedelta(hours=2)
    store(runtime, a_webhook(zoom_app, outcome=Outcome.DEAD, delivered_at=later))

    row = soup(as_role(Role.SUPPORT), "/webhooks/").select_one("#webhooks-rows tr")

    assert row is not None
    assert "Delivered by a resend after 2 h" in " ".join(row.text.split())


def test_filters_are_kept_while_turning_pages(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    rows = [
        a_webhook(zoom_app, received_at=NOON - timedelta(seconds=each))
        for each in range(120)
    ]
    store(runtime, *rows, a_webhook(zoom_app, event="user.updated"))
    browser = as_role(Role.SUPPORT)

    first = soup(browser, f"/webhooks/?event=meeting.created&zoom_app={zoom_app.id}")
    older = str(first.select_one("a[rel=next]")["href"])  # type: ignore[index]
    second = soup(browser, older)
    back = soup(browser, str(second.select_one("a[rel=prev]")["href"]))  # type: ignore[index]

    query = parse_qs(urlsplit(older).query)
    assert query["event"] == ["meeting.created"]
    assert query["zoom_app"] == [str(zoom_app.id)]
    assert row_ids(first) == [f"webhook-{row.id}" for row in rows[:50]]
    assert row_ids(second) == [f"webhook-{row.id}" for row in rows[50:100]]
    assert row_ids(back) == row_ids(first)


def test_a_live_page_at_the_top_shows_new_rows(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    store(runtime, a_webhook(zoom_app))
    browser = as_role(Role.SUPPORT)
    region = soup(browser, "/webhooks/").select_one("#webhooks-list")
    assert region is not None

    newer = a_webhook(zoom_app, received_at=NOON + timedelta(seconds=1))
    store(runtime, newer)

    fragment = soup(browser, str(region["hx-get"]), **FRAGMENT)
    assert region["data-live"] == "webhooks"
    assert row_ids(fragment)[0] == f"webhook-{newer.id}"


def test_rows_being_read_stay_and_new_ones_are_counted(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    old = a_webhook(zoom_app)
    store(runtime, old)
    browser = as_role(Role.SUPPORT)
    page = soup(browser, "/webhooks/")
    region, held = page.select_one("#webhooks-list"), page.select_one("#webhooks-newer")
    assert region is not None
    assert held is not None

    store(
        runtime,
        *(
            a_webhook(zoom_app, received_at=NOON + timedelta(hours=1))
            for _ in "1234567"
        ),
    )

    fragment = soup(browser, str(held["hx-get"]), **FRAGMENT)
    assert row_ids(fragment) == [f"webhook-{old.id}"]
    assert fragment.select_one("#webhooks-newer").text.strip() == "7 new"  # type: ignore[union-attr]
    assert fragment.select_one("#webhooks-list")["hx-get"] == region["hx-get"]  # type: ignore[index]
    assert fragment.select("[rel=prev]") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("meeting=abc", "Use digits only"),
        ("since=yesterday", "Not a valid datetime"),
        ("zoom_app=nonsense", "Not a valid choice"),
        ("outcome=lost", "Not a valid choice"),
        ("user=a%01b", "Remove the invisible control characters"),
        ("connection=nobody", "No connection has this ID"),
    ],
)
def test_a_filter_that_makes_no_sense_is_said_so(
    as_role: SignIn, query: str, words: str
) -> None:
    answer = as_role(Role.SUPPORT).get(f"/webhooks/?{query}")

    assert answer.status_code == 422
    assert words in answer.text


@pytest.mark.parametrize(
    "url",
    [
        f"/webhooks/{2**63}",
        "/webhooks/1",
        "/webhooks/1/trace",
        "/webhooks/x",
        "/webhooks/-1",
    ],
)
def test_an_unknown_webhook_is_not_found(as_role: SignIn, url: str) -> None:
    assert as_role(Role.ADMIN).get(url).status_code == 404


@pytest.mark.parametrize("name", ["before", "after", "top"])
@pytest.mark.parametrize("value", ["-1", "x", str(2**63), "9" * 5000])
def test_a_cursor_that_makes_no_sense_gives_the_first_page(
    as_role: SignIn, name: str, value: str
) -> None:
    answer = as_role(Role.ADMIN).get(f"/webhooks/?{name}={value}")

    assert answer.status_code == 200


def test_refused_requests_have_a_list_of_their_own(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    refusal = Refusal(
        id=new_id(NOON),
        zoom_app_id=zoom_app.id,
        cause="missing_header",
        detail="The signature header is missing.",
        status=401,
        body_bytes=2048,
        received_at=NOON,
    )
    store(runtime, refusal)
    browser = as_role(Role.SUPPORT)

    page = soup(browser, "/webhooks/refused")
    fragment = soup(browser, "/webhooks/refused", **FRAGMENT)

    for shown in (page, fragment):
        (row,) = shown.select("[id^=refusal-]")
        assert "Missing header" in row.text
        assert "The signature header is missing." in row.text
    assert row_ids(soup(browser, "/webhooks/")) == []


def test_strangers_are_sent_to_sign_in(stranger: FlaskClient) -> None:
    for url in ("/webhooks/", "/webhooks/refused", "/webhooks/1"):
        answer = stranger.get(url)
        assert (answer.status_code, "/sign-in" in answer.headers["Location"]) == (
            303,
            True,
        )
