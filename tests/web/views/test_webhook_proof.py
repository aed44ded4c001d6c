"""The proof on a webhook's page, and a revealed body in several views."""

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.models.webhook import Attempt, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import NOON, SECRET_TOKEN, a_body, a_webhook, saved_app

BODY = b'{"event":"meeting.created","payload":{"object":{"password":"hush-password"}}}'
SECRET = SECRET_TOKEN.get_secret_value()
STAMP = str(int(NOON.timestamp()))
SIGNATURE = hmac.new(
    SECRET.encode(), b"v0:" + STAMP.encode() + b":" + BODY, sha256
).hexdigest()
HEADERS = [
    ["content-type", "application/json"],
    ["x-zm-request-timestamp", STAMP],
    ["x-zm-signature", f"v0={SIGNATURE}"],
    ["authorization", "hush-credential"],
    ["x-forwarded-for", "192.0.2.7"],
]
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def webhook(runtime: Runtime) -> Webhook:
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, runtime.vault))
    return stored(runtime, app, BODY)


def stored(runtime: Runtime, app: ZoomApp, body: bytes) -> Webhook:
    digest = sha256(body).hexdigest()
    row = a_webhook(app, body_bytes=len(body), body_sha256=digest)
    headers = json.dumps(HEADERS).encode()
    attempt = Attempt(
        id=new_id(NOON),
        webhook_id=row.id,
        started_at=NOON,
        latency_ms=84,
        status=503,
        sent_sha256=digest,
        sent_bytes=len(body),
        headers_passed="content-type x-zm-request-timestamp x-zm-signature",
        worker="web-1:77",
    )
    store(runtime, row, a_body(runtime.vault, row, body=body, headers=headers))
    store(runtime, attempt)
    return row


def store(runtime: Runtime, *rows: Any) -> None:
    with runtime.database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def part(browser: FlaskClient, url: str, selector: str, **headers: str) -> str:
    answer = browser.get(url, headers=headers)
    assert answer.status_code == 200, answer.text
    found = BeautifulSoup(answer.text, "html5lib").select_one(selector)
    assert found is not None
    return " ".join(found.text.split())


def test_bytes_in_and_out_are_held_against_each_other(
    as_role: SignIn, webhook: Webhook
) -> None:
    shown = part(as_role(Role.SUPPORT), f"/webhooks/{webhook.id}", "#proof")

    assert f"{len(BODY)} bytes" in shown
    assert f"{len(BODY)} bytes, same SHA-256 as received." in shown
    assert "3 of Zoom's headers sent, 2 dropped" in shown
    assert "Dropped: authorization x-forwarded-for" in shown


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ADMIN])
@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
def test_everybody_may_verify_again_and_sees_no_secret(
    as_role: SignIn, webhook: Webhook, role: Role, headers: dict[str, str]
) -> None:
    browser, url = as_role(role), f"/webhooks/{webhook.id}/verify"

    shown = part(browser, url, "#webhook-findings", **headers)
    text = browser.get(url, headers=headers).text

    assert "valid for the stored bytes (current secret token)" in shown
    assert "same SHA-256 as on arrival" in shown
    assert SECRET not in text
    assert "hush" not in text


def test_verifying_is_not_claimed_before_it_was_done(
    as_role: SignIn, webhook: Webhook
) -> None:
    shown = part(as_role(Role.SUPPORT), f"/webhooks/{webhook.id}", "#webhook-findings")

    assert "matches" not in shown


def test_what_was_sent_is_live(as_role: SignIn, webhook: Webhook) -> None:
    url = f"/webhooks/{webhook.id}/sent"

    shown = part(as_role(Role.SUPPORT), url, "#webhook-sent", **FRAGMENT)

    assert shown.startswith("Attempt 1")


def test_a_held_webhook_says_why(
    as_role: SignIn, runtime: Runtime, webhook: Webhook
) -> None:
    hold = OpenCircuit(
        id=webhook.zoom_app_id,
        kind=CircuitKind.ZOOM_APP,
        is_holding=True,
        reason="Recall has a different secret token: copy it again.",
        since=NOON,
        probe_at=NOON,
    )
    store(runtime, hold)

    shown = part(as_role(Role.SUPPORT), f"/webhooks/{webhook.id}", "#webhook-trace")

    assert "Paused since 2026-11-23 12:00:00 UTC" in shown
    assert "copy it again" in shown


def test_a_revealed_body_is_shown_raw_in_hex_and_as_curl(
    as_role: SignIn, webhook: Webhook
) -> None:
    answer = as_role(Role.ADMIN).post(f"/webhooks/{webhook.id}/reveal")
    page = BeautifulSoup(answer.text, "html5lib")

    raw, hexed, curl = (
        page.select_one(f"pre[aria-label='{label}']")
        for label in ("Raw body", "Body in hex", "As a curl command")
    )
    assert raw is not None
    assert hexed is not None
    assert curl is not None
    assert raw.text == BODY.decode()
    assert hexed.text.startswith("00000000  7b 22 65 76")
    assert f"x-zm-signature: v0={SIGNATURE}" in curl.text
    assert BODY.decode() in curl.text
    assert "hush-credential" not in curl.text
    assert "x-forwarded-for" not in curl.text


@pytest.mark.parametrize("body", [b"\xff\x00", b"@/etc/hostname"], ids=["binary", "at"])
def test_a_body_the_shell_would_spoil_goes_as_base64(
    as_role: SignIn, runtime: Runtime, webhook: Webhook, body: bytes
) -> None:
    with runtime.database.reading() as session:
        app = session.get_one(ZoomApp, webhook.zoom_app_id)
    row = stored(runtime, app, body)

    answer = as_role(Role.ADMIN).post(f"/webhooks/{row.id}/reveal")

    page = BeautifulSoup(answer.text, "html5lib")
    curl = page.select_one("pre[aria-label='As a curl command']")
    assert curl is not None
    assert "base64 -d | curl" in curl.text
    assert curl.text.endswith("--data-binary @-")


@pytest.mark.parametrize("path", ["verify", "sent"])
def test_strangers_see_no_proof(
    stranger: FlaskClient, webhook: Webhook, path: str
) -> None:
    assert stranger.get(f"/webhooks/{webhook.id}/{path}").status_code == 303
