"""One webhook's page: its story live, its body redacted, resent only by admins."""

import json
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.models.webhook import Attempt, Mark, Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log.log import resends_of
from tests.conftest import SignIn
from tests.fixtures.processor_time import is_quick
from tests.makers import NOON, a_body, a_connection, a_webhook, saved_app

BODY = (
    b'{"event":"meeting.created","payload":{"object":{"id":91234567890,'
    b'"join_url":"https://example.zoom.us/j/91234567890?pwd=hush-link",'
    b'"password":"hush-password","host_email":"ana@example.com"}}}'
)
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


@pytest.fixture
def webhook(runtime: Runtime, zoom_app: ZoomApp) -> Webhook:
    row = a_webhook(zoom_app, outcome=Outcome.DEAD, outcome_reason="Refused with 400.")
    store(runtime, row, a_body(runtime.vault, row, body=BODY))
    return row


def soup(browser: FlaskClient, url: str, **headers: str) -> BeautifulSoup:
    answer = browser.get(url, headers=headers, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html5lib")


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ADMIN])
def test_a_body_is_shown_redacted(
    as_role: SignIn, webhook: Webhook, role: Role
) -> None:
    page = as_role(role).get(f"/webhooks/{webhook.id}").text

    assert "91234567890" in page
    assert "hush" not in page
    assert "ana@example.com" not in page


def test_an_admin_may_reveal_and_it_is_audited(
    as_role: SignIn, runtime: Runtime, webhook: Webhook
) -> None:
    answer = as_role(Role.ADMIN).post(f"/webhooks/{webhook.id}/reveal")

    assert answer.status_code == 200
    assert "hush-password" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    with runtime.database.reading() as session:
        entry = session.exec(
            select(AuditEntry).where(col(AuditEntry.act) == "webhook.revealed")
        ).one()
    assert (entry.actor, str(webhook.id) in entry.subject) == (
        "admin@example.com",
        True,
    )


SUMMARY = "会議の要点をまとめます。次回までに各担当者は資料を準備してください。"


@pytest.fixture
def long_body() -> bytes:
    """A summary in Japanese as Zoom sends one, nearly as large as is taken."""
    object_ = {"meeting_id": 97763643886, "summary_overview": SUMMARY * 9000}
    value = {"event": "meeting.summary_completed", "payload": {"object": object_}}
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize("address", ["/webhooks/{}", "/webhooks/{}/verify"])
def test_the_page_of_the_largest_body_takes_little_time_and_says_what_it_leaves_out(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp, long_body: bytes, address: str
) -> None:
    row = a_webhook(zoom_app, body_bytes=len(long_body))
    store(runtime, row, a_body(runtime.vault, row, body=long_body))
    browser = as_role(Role.SUPPORT)
    answer = browser.get(address.format(row.id))

    assert is_quick(lambda: browser.get(address.format(row.id)), limit_s=0.3)
    assert answer.status_code == 200
    assert SUMMARY[:30] in answer.text
    assert f"this body has {len(long_body):,} bytes" in answer.text


def test_support_sees_who_viewed_it_unredacted(
    as_role: SignIn, webhook: Webhook
) -> None:
    support, url = as_role(Role.SUPPORT), f"/webhooks/{webhook.id}"
    before = support.get(url).text
    as_role(Role.ADMIN).post(f"{url}/reveal")

    after = BeautifulSoup(support.get(url).text, "html5lib")

    shown = " ".join(after.get_text(" ").split())
    assert "Unredacted view" not in before
    assert "Unredacted view admin@example.com," in shown


def test_a_long_revealed_body_is_shown_in_part_and_downloaded_whole(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    body = b"{" + b"'" * 1024 * 1024
    row = a_webhook(zoom_app)
    store(runtime, row, a_body(runtime.vault, row, body=body))
    browser = as_role(Role.ADMIN)

    page = browser.post(f"/webhooks/{row.id}/reveal")
    file = browser.post(f"/webhooks/{row.id}/reveal", data={"as": "file"})

    assert len(page.data) < 1024 * 1024
    assert f"--data-binary @webhook-{row.id}.json" in page.text
    assert file.data == body
    assert f'filename="webhook-{row.id}.json"' in file.headers["Content-Disposition"]
    with runtime.database.reading() as session:
        acts = session.exec(select(AuditEntry.act)).all()
    assert acts.count("webhook.revealed") == 2


@pytest.mark.parametrize("act", ["reveal", "resend"])
def test_support_may_neither_reveal_nor_resend(
    as_role: SignIn, runtime: Runtime, webhook: Webhook, act: str
) -> None:
    browser = as_role(Role.SUPPORT)

    answer = browser.post(f"/webhooks/{webhook.id}/{act}")
    page = soup(browser, f"/webhooks/{webhook.id}")

    assert answer.status_code == 403
    assert "hush" not in answer.text
    assert page.select(f"form[action$={act}]") == []
    with runtime.database.reading() as session:
        assert session.get_one(Webhook, webhook.id).outcome is Outcome.DEAD


def test_an_admin_resends_once_by_two_clicks_and_it_is_audited(
    as_role: SignIn, runtime: Runtime, webhook: Webhook
) -> None:
    browser = as_role(Role.ADMIN)
    form = soup(browser, f"/webhooks/{webhook.id}").select_one("#resend form")
    assert form is not None
    sent = {str(each["name"]): str(each["value"]) for each in form.select("input")}

    answers = [browser.post(str(form["action"]), data=sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    with runtime.database.reading() as session:
        assert session.get_one(Webhook, webhook.id) == webhook
        assert len(resends_of(session, webhook.id)) == 1
        entries = session.exec(
            select(AuditEntry).where(col(AuditEntry.act) == "webhook.resent")
        ).all()
    assert len(entries) == 1


def test_resending_says_how_old_the_timestamp_is(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    row = a_webhook(
        zoom_app,
        received_at=NOON - timedelta(minutes=37),
        outcome=Outcome.DELIVERED,
    )
    store(runtime, row, a_body(runtime.vault, row))

    page = soup(as_role(Role.ADMIN), f"/webhooks/{row.id}")

    assert "37 minutes old" in " ".join(page.select_one("#resend").text.split())  # type: ignore[union-attr]


def test_what_waits_already_cannot_be_resent(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    row = a_webhook(zoom_app)
    store(runtime, row, a_body(runtime.vault, row))
    browser = as_role(Role.ADMIN)

    page = soup(browser, f"/webhooks/{row.id}")

    assert "already queued" in page.select_one("#resend").text  # type: ignore[union-attr]
    assert browser.post(f"/webhooks/{row.id}/resend").status_code == 409


def test_the_trace_is_live_and_tells_of_each_attempt(
    as_role: SignIn, runtime: Runtime, webhook: Webhook
) -> None:
    browser = as_role(Role.SUPPORT)
    region = soup(browser, f"/webhooks/{webhook.id}").select_one("#webhook-trace")
    assert region is not None

    attempt = Attempt(
        id=new_id(NOON),
        webhook_id=webhook.id,
        started_at=NOON,
        latency_ms=84,
        status=400,
        answer='{"detail": "no"}',
        verdict="Refused; not tried again.",
        sent_sha256="0" * 64,
    )
    store(runtime, attempt)

    fragment = soup(browser, str(region["hx-get"]), **FRAGMENT)
    assert region["data-live"] == f"webhook-{webhook.id}"
    assert "Attempt 1: Recall answered 400 in 84 ms" in fragment.text
    assert '{"detail": "no"}' in fragment.text


def test_a_webhook_leads_to_its_person_and_meeting(
    as_role: SignIn, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    row = a_webhook(zoom_app, zoom_user_id="ana")
    person = a_connection(zoom_app, zoom_user_id="ana")
    store(runtime, row, a_body(runtime.vault, row), person)

    page = soup(as_role(Role.SUPPORT), f"/webhooks/{row.id}")

    links = {str(link["href"]) for link in page.select("main a")}
    assert f"/connections/{person.id}" in links
    assert f"/webhooks/?meeting={row.meeting_id}" in links


@pytest.mark.parametrize(
    ("over", "word", "sentence"),
    [
        (
            {"timing": Mark.LATE, "days": 3},
            "Late",
            "signed it 3 days before it arrived",
        ),
        ({"timing": Mark.CLOCK, "days": -3}, "Clock", "3 days ahead of this server's"),
        (
            {"is_unreadable": True, "days": 0},
            "Unreadable",
            "is no JSON object in UTF-8",
        ),
    ],
)
def test_what_is_odd_about_a_webhook_is_shown_listed_and_filtered(
    as_role: SignIn,
    runtime: Runtime,
    zoom_app: ZoomApp,
    webhook: Webhook,
    *,
    over: dict[str, Any],
    word: str,
    sentence: str,
) -> None:
    signed_at = NOON - timedelta(days=over["days"])
    marked = {name: value for name, value in over.items() if name != "days"}
    odd = a_webhook(zoom_app, sent_at_s=int(signed_at.timestamp()), **marked)
    store(runtime, odd, a_body(runtime.vault, odd, body=b"cut \xe2\x82"))
    browser = as_role(Role.SUPPORT)

    page = soup(browser, f"/webhooks/{odd.id}").text
    listed = soup(browser, f"/webhooks/?mark={odd.marks[0].value}")

    assert word in page
    assert sentence in " ".join(page.split())
    rows = listed.select("#webhooks-rows > tr")
    assert [row["id"] for row in rows] == [f"webhook-{odd.id}"]
    assert word in rows[0].text
    assert word not in soup(browser, f"/webhooks/{webhook.id}").text
