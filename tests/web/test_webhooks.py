"""The webhook log's pages: filters stay in the links, and support sees no secrets."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.models.webhook import Attempt, Outcome, Refusal, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.bundle import Services
from tests.conftest import SignIn
from tests.makers import NOON, a_body, a_connection, a_webhook, saved_app

BODY = (
    b'{"event":"meeting.created","payload":{"object":{"id":91234567890,'
    b'"join_url":"https://example.zoom.us/j/91234567890?pwd=hush-link",'
    b'"password":"hush-password","host_email":"ana@example.com"}}}'
)
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def zoom_app(services: Services) -> ZoomApp:
    with services.database.writing() as session:
        return session.get_one(ZoomApp, saved_app(session, services.vault))


def store(services: Services, *rows: Any) -> None:
    with services.database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


@pytest.fixture
def webhook(services: Services, zoom_app: ZoomApp) -> Webhook:
    row = a_webhook(zoom_app, outcome=Outcome.DEAD, outcome_reason="Refused with 400.")
    store(services, row, a_body(services.vault, row, body=BODY))
    return row


def soup(browser: FlaskClient, url: str, **headers: str) -> BeautifulSoup:
    answer = browser.get(url, headers=headers, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html5lib")


def row_ids(page: BeautifulSoup) -> list[str]:
    return [str(row["id"]) for row in page.select("#webhooks-rows > tr")]


def test_an_empty_log_says_what_to_do_first(as_role: SignIn) -> None:
    page = soup(as_role(Role.SUPPORT), "/webhooks/")

    assert "No webhooks yet" in page.select_one("#webhooks-list").text  # type: ignore[union-attr]


def test_filters_are_kept_while_turning_pages(
    as_role: SignIn, services: Services, zoom_app: ZoomApp
) -> None:
    rows = [
        a_webhook(zoom_app, received_at=NOON - timedelta(seconds=each))
        for each in range(120)
    ]
    store(services, *rows, a_webhook(zoom_app, event="user.updated"))
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
    as_role: SignIn, services: Services, zoom_app: ZoomApp
) -> None:
    store(services, a_webhook(zoom_app))
    browser = as_role(Role.SUPPORT)
    region = soup(browser, "/webhooks/").select_one("#webhooks-list")
    assert region is not None

    newer = a_webhook(zoom_app, received_at=NOON + timedelta(seconds=1))
    store(services, newer)

    fragment = soup(browser, str(region["hx-get"]), **FRAGMENT)
    assert region["data-live"] == "webhooks"
    assert row_ids(fragment)[0] == f"webhook-{newer.id}"


def test_rows_being_read_stay_and_new_ones_are_counted(
    as_role: SignIn, services: Services, zoom_app: ZoomApp
) -> None:
    old = a_webhook(zoom_app)
    store(services, old)
    browser = as_role(Role.SUPPORT)
    page = soup(browser, "/webhooks/")
    region, held = page.select_one("#webhooks-list"), page.select_one("#webhooks-newer")
    assert region is not None
    assert held is not None

    store(
        services,
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
        ("meeting=abc", "Only digits"),
        ("since=yesterday", "Not a valid datetime"),
        ("zoom_app=nonsense", "Not a valid choice"),
        ("outcome=lost", "Not a valid choice"),
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


@pytest.mark.parametrize("role", Role)
def test_a_body_is_shown_redacted(
    as_role: SignIn, webhook: Webhook, role: Role
) -> None:
    page = as_role(role).get(f"/webhooks/{webhook.id}").text

    assert "91234567890" in page
    assert "hush" not in page
    assert "ana@example.com" not in page


def test_an_admin_may_reveal_and_it_is_audited(
    as_role: SignIn, services: Services, webhook: Webhook
) -> None:
    answer = as_role(Role.ADMIN).post(f"/webhooks/{webhook.id}/reveal")

    assert answer.status_code == 200
    assert "hush-password" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    with services.database.reading() as session:
        entry = session.exec(
            select(AuditEntry).where(col(AuditEntry.act) == "webhook.revealed")
        ).one()
    assert (entry.actor, str(webhook.id) in entry.subject) == (
        "admin@example.com",
        True,
    )


@pytest.mark.parametrize("act", ["reveal", "resend"])
def test_support_may_neither_reveal_nor_resend(
    as_role: SignIn, services: Services, webhook: Webhook, act: str
) -> None:
    browser = as_role(Role.SUPPORT)

    answer = browser.post(f"/webhooks/{webhook.id}/{act}")
    page = soup(browser, f"/webhooks/{webhook.id}")

    assert answer.status_code == 403
    assert "hush" not in answer.text
    assert page.select(f"form[action$={act}]") == []
    with services.database.reading() as session:
        assert session.get_one(Webhook, webhook.id).outcome is Outcome.DEAD


def test_an_admin_resends_and_it_is_audited(
    as_role: SignIn, services: Services, webhook: Webhook
) -> None:
    answer = as_role(Role.ADMIN).post(f"/webhooks/{webhook.id}/resend")

    assert answer.status_code == 303
    with services.database.reading() as session:
        assert session.get_one(Webhook, webhook.id).outcome is Outcome.WAITING
        entries = session.exec(
            select(AuditEntry).where(col(AuditEntry.act) == "webhook.resent")
        ).all()
    assert len(entries) == 1


def test_resending_says_how_old_the_timestamp_is(
    as_role: SignIn, services: Services, zoom_app: ZoomApp
) -> None:
    row = a_webhook(
        zoom_app,
        received_at=NOON - timedelta(minutes=37),
        outcome=Outcome.DELIVERED,
    )
    store(services, row, a_body(services.vault, row))

    page = soup(as_role(Role.ADMIN), f"/webhooks/{row.id}")

    assert "37 minutes old" in " ".join(page.select_one("#resend").text.split())  # type: ignore[union-attr]


def test_what_waits_already_cannot_be_resent(
    as_role: SignIn, services: Services, zoom_app: ZoomApp
) -> None:
    row = a_webhook(zoom_app)
    store(services, row, a_body(services.vault, row))
    browser = as_role(Role.ADMIN)

    page = soup(browser, f"/webhooks/{row.id}")

    assert "waiting to be sent already" in page.select_one("#resend").text  # type: ignore[union-attr]
    assert browser.post(f"/webhooks/{row.id}/resend").status_code == 409


def test_the_trace_is_live_and_tells_of_each_attempt(
    as_role: SignIn, services: Services, webhook: Webhook
) -> None:
    browser = as_role(Role.SUPPORT)
    region = soup(browser, f"/webhooks/{webhook.id}").select_one("#webhook-trace")
    assert region is not None

    attempt = Attempt(
        id=new_id(NOON),
        webhook_id=webhook.id,
        number=1,
        started_at=NOON,
        latency_ms=84,
        status=400,
        answer='{"detail": "no"}',
        verdict="Refused; not tried again.",
        sent_sha256="0" * 64,
    )
    store(services, attempt)

    fragment = soup(browser, str(region["hx-get"]), **FRAGMENT)
    assert region["data-live"] == f"webhook-{webhook.id}"
    assert "Attempt 1: Recall answered 400 in 84 ms" in fragment.text
    assert '{"detail": "no"}' in fragment.text


def test_a_webhook_leads_to_its_person_and_meeting(
    as_role: SignIn, services: Services, zoom_app: ZoomApp
) -> None:
    row = a_webhook(zoom_app, zoom_user_id="ana")
    person = a_connection(zoom_app, zoom_user_id="ana")
    store(services, row, a_body(services.vault, row), person)

    page = soup(as_role(Role.SUPPORT), f"/webhooks/{row.id}")

    links = {str(link["href"]) for link in page.select("main a")}
    assert f"/connections/{person.id}" in links
    assert f"/webhooks/?meeting={row.meeting_id}" in links


def test_refused_requests_have_a_list_of_their_own(
    as_role: SignIn, services: Services, zoom_app: ZoomApp
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
    store(services, refusal)
    browser = as_role(Role.SUPPORT)

    page = soup(browser, "/webhooks/refused")
    fragment = soup(browser, "/webhooks/refused", **FRAGMENT)

    for shown in (page, fragment):
        (row,) = shown.select("[id^=refusal-]")
        assert "missing header" in row.text
        assert "The signature header is missing." in row.text
    assert row_ids(soup(browser, "/webhooks/")) == []


def test_strangers_are_sent_to_sign_in(stranger: FlaskClient) -> None:
    for url in ("/webhooks/", "/webhooks/refused", "/webhooks/1"):
        answer = stranger.get(url)
        assert (answer.status_code, "/sign-in" in answer.headers["Location"]) == (
            303,
            True,
        )
