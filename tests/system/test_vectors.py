"""The vectors of docs/contracts/zoom.md section 8, through a running server over HTTP.

V1 is a real capture; C1 and C2 were computed with openssl. The server's clock stands at
each vector's time, since a challenge of 2024 would rightly be too old today.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import httpx2
import pytest
from flask import Flask
from pydantic import SecretStr
from sqlmodel import select
from werkzeug.serving import make_server

from dashboard.models.webhook import Webhook, WebhookBody
from dashboard.services.runtime import Runtime
from tests.makers import FakeClock, saved_app

C2_BODY = (
    b'{"event":"user.updated","event_ts":1760000000123,"payload":{"account_id":'
    b'"AbCdEfGhIjKlMnOpQrStUv","operator":"ana@example.com","operator_id":'
    b'"zUsEr0001AAAAAAAAAAAAA","object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":'
    b'5551234567},"old_object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":5559876543},'
    b'"time_stamp":1760000000100}}'
)
C2_SIGNATURE = "v0=29479befbb7041ee3de943c8470a13e56ddb26cbbedc5dff389c8e94fca1d005"
C2_AT = 1760000000


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A published challenge: its published secret opens nothing."""

    secret: str
    at: int
    body: bytes
    signature: str
    plain: str
    encrypted: str


V1 = Challenge(
    secret="4fv1RkqGQUq5sWbEz6hA5A",  # published with the capture, of no account's use
    at=1720705455,
    body=(
        b'{"payload":{"plainToken":"xys8n8PGS7mAU0m5-YJjRA"},'
        b'"event_ts":1720705455858,"event":"endpoint.url_validation"}'
    ),
    signature="v0=93a1a675965ceb9c5a50c5dfb31f20e50f763be37a54ef74cd2d16a1a8e5c0d6",
    plain="xys8n8PGS7mAU0m5-YJjRA",
    encrypted="2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3",
)
C1 = Challenge(
    secret="test-secret-token-0001",
    at=1654503849,
    body=(
        b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},'
        b'"event_ts":1654503849680,"event":"endpoint.url_validation"}'
    ),
    signature="v0=0483ac479818cffec360da2cfd8426263cf1108e49d4efb63aea6f1313202358",
    plain="qgg8vlvZRS6UYooatFL8Aw",
    encrypted="72596419203632983777668b3abf3fb366d47c026a8b24a599d86c9ecce12c23",
)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Serve the app on a socket."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def zoom_app(runtime: Runtime, secret: str) -> UUID:
    with runtime.database.writing() as session:
        return saved_app(session, runtime.vault, secret_token=SecretStr(secret))


def post(url: str, body: bytes, at: int, signature: str) -> httpx2.Response:
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-zm-request-timestamp": str(at),
        "x-zm-signature": signature,
    }
    return httpx2.post(url, content=body, headers=headers, follow_redirects=False)


@pytest.mark.parametrize("challenge", [V1, C1], ids=["V1", "C1"])
@pytest.mark.parametrize("tail", ["", "/"], ids=["without slash", "with slash"])
def test_a_challenge_is_answered_with_exactly_the_two_keys(
    runtime: Runtime, clock: FakeClock, address: str, challenge: Challenge, tail: str
) -> None:
    clock.set(datetime.fromtimestamp(challenge.at, UTC))
    url = f"{address}/hooks/zoom/{zoom_app(runtime, challenge.secret)}{tail}"

    answer = post(url, challenge.body, challenge.at, challenge.signature)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {
        "plainToken": challenge.plain,
        "encryptedToken": challenge.encrypted,
    }


def test_an_event_is_kept_byte_for_byte(
    runtime: Runtime, clock: FakeClock, address: str
) -> None:
    clock.set(datetime.fromtimestamp(C2_AT, UTC))
    url = f"{address}/hooks/zoom/{zoom_app(runtime, C1.secret)}"

    answer = post(url, C2_BODY, C2_AT, C2_SIGNATURE)

    with runtime.database.reading() as session:
        webhook = session.exec(select(Webhook)).one()
        sealed = session.get_one(WebhookBody, webhook.id).body
    kept = runtime.vault.open(
        sealed, table="webhook_body", column="body", row=webhook.id
    )
    assert len(C2_BODY) == 314
    assert answer.status_code == 200
    assert kept == C2_BODY


def test_a_re_serialised_body_is_refused(
    runtime: Runtime, clock: FakeClock, address: str
) -> None:
    clock.set(datetime.fromtimestamp(C2_AT, UTC))
    url = f"{address}/hooks/zoom/{zoom_app(runtime, C1.secret)}"
    same_but_spaced = json.dumps(json.loads(C2_BODY)).encode()

    answer = post(url, same_but_spaced, C2_AT, C2_SIGNATURE)

    with runtime.database.reading() as session:
        stored = session.exec(select(Webhook)).all()
    assert answer.status_code == 401
    assert stored == []
