"""What was sent compared with what was received, and the signature checked again."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.models.ids import new_id
from dashboard.models.webhook import Attempt
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.webhook_log import log, story
from dashboard.services.webhook_log.log import Trace
from dashboard.services.webhook_log.story import IntegrityFinding
from dashboard.vault import Vault
from tests.makers import NOON, SECRET_TOKEN, a_body, a_webhook, a_zoom_app

BODY = b'{"event":"meeting.created",  "payload":{}}'
NAMES = ["content-type", "x-zm-signature", "x-forwarded-for", "user-agent"]
OTHER = SecretStr("another-secret-token")


def signed(body: bytes, secret: SecretStr, **more: str) -> bytes:
    timestamp = str(int(NOON.timestamp()))
    message = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(secret.get_secret_value().encode(), message, sha256).hexdigest()
    pairs = {
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={digest}",
        **more,
    }
    return json.dumps(list(pairs.items())).encode()


def verified(
    database: Database, vault: Vault, app: ZoomApp, *, headers: bytes, **over: Any
) -> list[IntegrityFinding]:
    webhook = a_webhook(
        app,
        **{
            "body_bytes": len(BODY),
            "body_sha256": sha256(BODY).hexdigest(),
            **over,
        },
    )
    with database.writing() as session:
        for row in (app, webhook, a_body(vault, webhook, body=BODY, headers=headers)):
            session.add(row)
            session.flush()
    with database.reading() as session:
        trace = log.get(session, webhook.id)
        request = log.request(session, vault, webhook.id)
        return list(story.verify(session, vault, trace, request))


def sealed(vault: Vault, app: ZoomApp, secret: SecretStr) -> bytes:
    return vault.seal_text(
        secret, table="zoom_app", column="previous_secret_token", row=app.id
    )


def test_the_current_secret_is_found_again(database: Database, vault: Vault) -> None:
    found = verified(
        database, vault, a_zoom_app(vault), headers=signed(BODY, SECRET_TOKEN)
    )

    assert [each.tone for each in found] == ["good", "good"]
    assert f"{len(BODY)} bytes" in found[0].sentence
    assert "valid for the stored bytes (current secret token)" in found[1].sentence


def test_after_a_rotation_the_previous_secret_is_named(
    sqlite: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    app.previous_secret_token = sealed(vault, app, OTHER)

    found = verified(sqlite, vault, app, headers=signed(BODY, OTHER))

    assert (found[1].tone, "(previous secret token)" in found[1].sentence) == (
        "good",
        True,
    )


@pytest.mark.parametrize(
    ("app_over", "over", "tone", "words"),
    [
        (
            {"secret_token_set_at": NOON + timedelta(days=1)},
            {},
            "waiting",
            "replaced at 2026-11-24 12:00:00 UTC",
        ),
        (
            {"secret_token_set_at": NOON - timedelta(days=1)},
            {"verdict": "previous"},
            "waiting",
            "no longer stored",
        ),
        (
            {"secret_token_set_at": NOON - timedelta(days=1)},
            {},
            "trouble",
            "not the one that was received",
        ),
    ],
    ids=["replaced since", "previous one dropped", "never replaced"],
)
def test_no_secret_that_matches_is_explained(  # noqa: PLR0917 - a table
    sqlite: Database,
    vault: Vault,
    app_over: dict[str, Any],
    over: dict[str, Any],
    tone: str,
    words: str,
) -> None:
    app = a_zoom_app(vault, **app_over)

    found = verified(sqlite, vault, app, headers=signed(BODY, OTHER), **over)

    assert (found[1].tone, words in found[1].sentence) == (tone, True)


@pytest.mark.parametrize(
    "over", [{"body_sha256": "0" * 64}, {"body_bytes": 1}], ids=["checksum", "length"]
)
def test_stored_bytes_that_changed_are_trouble(
    sqlite: Database, vault: Vault, over: dict[str, Any]
) -> None:
    app, headers = a_zoom_app(vault), signed(BODY, SECRET_TOKEN)

    found = verified(sqlite, vault, app, headers=headers, **over)

    assert (found[0].tone, "changed the database" in found[0].sentence) == (
        "trouble",
        True,
    )


def test_a_signature_that_is_not_stored_is_said_so(
    sqlite: Database, vault: Vault
) -> None:
    found = verified(sqlite, vault, a_zoom_app(vault), headers=b"[]")

    assert (found[1].tone, "contain no signature" in found[1].sentence) == (
        "trouble",
        True,
    )


@pytest.mark.parametrize(
    ("over", "is_equal", "words"),
    [
        ({}, True, "40 bytes, same SHA-256"),
        ({"sent_bytes": 0}, True, "length was not recorded"),
        ({"sent_bytes": 41}, False, "bug in the dashboard"),
        ({"sent_sha256": "1" * 64}, False, "bug in the dashboard"),
        ({"sent_sha256": "1" * 64, "sent_bytes": 0}, False, "bug in the dashboard"),
        ({"sent_sha256": "", "sent_bytes": 0}, None, "Nothing was sent"),
    ],
    ids=["equal", "older", "longer", "other", "older and other", "not sent"],
)
def test_each_attempt_is_held_against_what_came(
    vault: Vault, over: dict[str, Any], *, is_equal: bool | None, words: str
) -> None:
    (sent,) = story.sent(a_trace(vault, **over), NAMES)

    assert (sent.is_equal, words in sent.sentence) == (is_equal, True)


def test_headers_are_told_apart_into_passed_and_dropped(vault: Vault) -> None:
    trace = a_trace(vault, headers_passed="x-zm-signature content-type")

    (sent,) = story.sent(trace, [*NAMES, "user-agent"])

    assert list(sent.passed) == ["content-type", "x-zm-signature"]
    assert list(sent.dropped) == ["user-agent", "x-forwarded-for"]


def test_unknown_headers_are_not_called_dropped(vault: Vault) -> None:
    (sent,) = story.sent(a_trace(vault), NAMES)

    assert (list(sent.passed), list(sent.dropped)) == ([], [])


def a_trace(vault: Vault, **over: Any) -> Trace:
    app = a_zoom_app(vault)
    values: dict[str, Any] = {
        "id": new_id(NOON),
        "webhook_id": 1,
        "started_at": NOON,
        "latency_ms": 84.0,
        "sent_sha256": "0" * 64,
        "sent_bytes": 40,
    }
    return Trace(
        webhook=a_webhook(app, body_bytes=40),
        app=app,
        attempts=[Attempt(**(values | over))],
        repeats=(),
        connection=None,
    )
