import json
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from dashboard.models.check import Check, Finding
from dashboard.models.webhook import Mark, Refusal, Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver import signatures, writer
from dashboard.web import headers
from tests.fixtures.hooks import HooksClient, door, event
from tests.makers import NOON, SECRET_TOKEN
from tests.services.receiver.test_signatures import (
    C1_BODY,
    C1_SIGNATURE,
    C2_BODY,
    C2_SIGNATURE,
    V1_BODY,
    V1_SECRET,
    V1_SIGNATURE,
)

__all__ = ["door"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_signed_event_is_kept_as_it_came_and_answered_with_nothing(
    door: HooksClient, slash: str
) -> None:
    response = door.post(
        C2_BODY,
        path=door.path + slash,
        headers={"authorization": "Bearer test-legacy", "cookie": "a=b", "x-own": "é"},
    )

    assert (response.status_code, response.data) == (200, b"")
    assert "set-cookie" not in response.headers
    webhook = door.stored(Webhook)[0]
    sealed = door.stored(WebhookBody)[0]
    opened = {
        column: door.vault.open(
            getattr(sealed, column), table="webhook_body", column=column, row=webhook.id
        )
        for column in ("body", "headers")
    }
    assert opened["body"] == C2_BODY
    named = dict(json.loads(opened["headers"]))
    assert named["x-zm-signature"].startswith("v0=")
    assert named["content-type"] == "application/json; charset=utf-8"
    assert named["authorization"] == "(removed)"
    assert named["x-own"] == "é"
    assert "cookie" not in named
    assert (webhook.verdict, webhook.event) == ("current", "user.updated")


@pytest.mark.parametrize(
    ("secret", "sent", "encrypted"),
    [
        pytest.param(
            V1_SECRET,
            (1720705455, V1_BODY, V1_SIGNATURE),
            "2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3",
            id="V1",
        ),
        pytest.param(
            SECRET_TOKEN,
            (1654503849, C1_BODY, C1_SIGNATURE),
            "72596419203632983777668b3abf3fb366d47c026a8b24a599d86c9ecce12c23",
            id="C1",
        ),
    ],
)
def test_the_challenges_of_the_contract_are_answered(
    door: HooksClient, secret: SecretStr, sent: tuple[int, bytes, str], encrypted: str
) -> None:
    at, body, signature = sent
    door.add_app(secret)
    door.clock.set(datetime.fromtimestamp(at, NOON.tzinfo))

    response = door.post(body, timestamp=str(at), headers={"x-zm-signature": signature})

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    plain = json.loads(body)["payload"]["plainToken"]
    assert response.json == {"plainToken": plain, "encryptedToken": encrypted}
    assert door.stored(Check)[0].finding is Finding.GOOD


def test_the_event_of_the_contract_is_zooms_and_reserialised_it_is_not(
    door: HooksClient,
) -> None:
    door.clock.set(datetime.fromtimestamp(1760000000, NOON.tzinfo))
    signed = {"x-zm-signature": C2_SIGNATURE}
    again = json.dumps(json.loads(C2_BODY)).encode()

    exact = door.post(C2_BODY, timestamp="1760000000", headers=signed)
    altered = door.post(again, timestamp="1760000000", headers=signed)

    assert (exact.status_code, altered.status_code) == (200, 401)
    assert [webhook.body_bytes for webhook in door.stored(Webhook)] == [314]
    assert door.stored(Refusal)[0].cause == "rewritten"


def test_zooms_retry_is_one_webhook(door: HooksClient) -> None:
    first = door.post(event())
    door.clock.advance(minutes=5)
    again = door.post(event())

    assert (first.status_code, again.status_code) == (200, 200)
    assert [webhook.arrivals for webhook in door.stored(Webhook)] == [2]


def test_a_challenge_is_answered_with_the_previous_secret_that_signed_it(
    door: HooksClient,
) -> None:
    newer = SecretStr("test-secret-token-0002")
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, door.app_id)
        app.previous_secret_token = door.vault.seal_text(
            SECRET_TOKEN, table="zoom_app", column="previous_secret_token", row=app.id
        )
        app.secret_token = door.vault.seal_text(
            newer, table="zoom_app", column="secret_token", row=app.id
        )
        session.add(app)

    response = door.post(C1_BODY)

    assert response.json == signatures.answer_challenge(
        "qgg8vlvZRS6UYooatFL8Aw", SECRET_TOKEN
    )
    assert door.stored(Webhook)[0].verdict == "previous"


@pytest.mark.parametrize(
    ("age", "marks"),
    [
        (timedelta(minutes=90), ()),
        (timedelta(hours=2), (Mark.LATE,)),
        (timedelta(hours=7), (Mark.LATE,)),
        (timedelta(hours=62), (Mark.LATE,)),
        (timedelta(days=7), (Mark.LATE,)),
        (timedelta(minutes=-5), ()),
        (timedelta(minutes=-12), (Mark.CLOCK,)),
        (timedelta(days=-3000), (Mark.CLOCK,)),
    ],
)
@pytest.mark.parametrize("unit", [1, 1000, 1_000_000])
def test_an_event_is_taken_whatever_its_age_and_its_mark_says_it(
    door: HooksClient, age: timedelta, marks: tuple[Mark, ...], unit: int
) -> None:
    sent = str(int((NOON - age).timestamp()) * unit)

    first, again = door.post(event(), timestamp=sent), door.post(event())

    assert (first.status_code, again.status_code) == (200, 200)
    [webhook] = door.stored(Webhook)
    assert (webhook.marks, webhook.arrivals) == (marks, 2)
    assert webhook.sent_at_s == int((NOON - age).timestamp())
    sealed = door.stored(WebhookBody)[0].headers
    place = {"table": "webhook_body", "column": "headers", "row": webhook.id}
    named = dict(json.loads(door.vault.open(sealed, **place)))
    assert named["x-zm-request-timestamp"] == sent
    assert door.stored(Refusal) == []


def test_an_event_older_than_the_limit_is_refused_with_the_reason(
    door: HooksClient,
) -> None:
    sent = str(int((NOON - timedelta(days=7, seconds=1)).timestamp()))

    assert door.post(event(), timestamp=sent).status_code == 401
    [refusal] = door.stored(Refusal)
    assert refusal.cause == "too_old"
    assert "7 days old; the limit is 7 days" in refusal.detail


def test_every_answer_has_the_security_headers(door: HooksClient) -> None:
    always = headers.bare("https://a.example.com", with_subdomains=True)
    middleware: Any = door.client.application
    middleware._always = always

    answers = [
        door.post(event()),
        door.post(C1_BODY),
        door.post(event(), headers={"x-zm-signature": None}),
        door.client.get(door.path),
        door.client.get("/hooks/x"),
    ]

    assert [each.status_code for each in answers] == [200, 200, 401, 405, 404]
    for each in answers:
        assert dict(always).items() <= {k.lower(): v for k, v in each.headers}.items()
    assert dict(always) == {
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
    }


def test_a_challenge_signed_with_another_secret_shows_as_a_mismatch(
    door: HooksClient,
) -> None:
    response = door.post(C1_BODY, headers={"x-zm-signature": "v0=" + "0" * 64})

    assert response.status_code == 401
    assert door.stored(Check)[0].finding is Finding.SECRET_MISMATCH
    assert door.stored(Webhook) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "WEIRD"])
def test_only_post_is_taken(door: HooksClient, method: str) -> None:
    response = door.client.open(door.path, method=method)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        f"/hooks/zoom/{UUID(int=1)}",
        "/hooks/zoom/",
        "/hooks/zoom/42",
        "/hooks/zoom/../../sign-in",
        "/hooks/other",
        f"/hooks/zoom/{UUID(int=1)}//",
    ],
)
def test_an_unknown_address_is_not_found_and_never_redirected(
    door: HooksClient, path: str
) -> None:
    response = door.post(event(), path=path)

    assert response.status_code == 404
    assert door.stored(Refusal) == []


def test_everything_else_is_a_page(door: HooksClient) -> None:
    assert door.client.get("/").data == b"a page"


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_app_without_a_secret_is_out_of_service_and_accepts_nothing(
    door: HooksClient, secret: str
) -> None:
    door.add_app(SecretStr(secret))
    timestamp = str(int(NOON.timestamp()))
    message = signatures.signed_bytes(timestamp, event())
    forged = signatures.sign(message, SecretStr(secret)).decode()

    response = door.post(event(), headers={"x-zm-signature": forged})

    assert response.status_code == 503
    assert door.stored(Webhook) == []


def test_a_secret_saved_a_moment_ago_counts_at_once(door: HooksClient) -> None:
    first = door.post(event(1), headers={"x-zm-signature": "v0=" + "0" * 64})
    newer = SecretStr("test-secret-token-0002")
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, door.app_id)
        app.secret_token = door.vault.seal_text(
            newer, table="zoom_app", column="secret_token", row=app.id
        )
        app.version += 1
        session.add(app)
    timestamp = str(int(NOON.timestamp()))
    message = signatures.signed_bytes(timestamp, event(2))
    signature = signatures.sign(message, newer).decode()
    time.sleep(0.06)  # longer than what counts as just looked up

    second = door.post(event(2), headers={"x-zm-signature": signature})

    assert (first.status_code, second.status_code) == (401, 200)


def test_when_storage_is_down_zoom_is_asked_to_try_again(door: HooksClient) -> None:
    door.writer.close()

    response = door.post(event())

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_many_that_are_not_stored_are_one_line_until_it_is_over(
    door: HooksClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_QUEUE", 0)
    with capture_logs() as logs:
        statuses = {door.post(event(number)).status_code for number in range(9)}
        monkeypatch.setattr(writer, "_QUEUE", 9)
        door.post(event(9))  # among so many failures one success is no end
        door.writer.flush()
        monkeypatch.setattr(door.writer.not_stored, "_calm_s", 0.0)
        door.post(event(10))
        door.writer.flush()

    assert statuses == {503}
    assert [each["event"] for each in logs] == [
        "webhook.not_stored",
        "webhook.stored_again",
    ]
    assert logs[0]["reason"] == "Too many webhooks are waiting to be stored."
    assert logs[1]["failures"] == 9


def test_a_flood_of_refusals_is_one_line_for_each_cause_until_it_is_over(
    door: HooksClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as logs:
        for number in range(30):
            door.post(event(number), headers={"x-zm-signature": "v0=" + "0" * 64})
            door.post(event(number), timestamp="then")
        door.post(event(31))  # a genuine one meanwhile is no end
        door.writer.flush()
        for each in door.writer._refused._found.values():
            monkeypatch.setattr(each, "_calm_s", 0.0)
        door.post(event(32))
        door.writer.flush()

    said = [(each["event"], each.get("cause"), each.get("failures")) for each in logs]
    assert said == [
        ("webhook.refused", "signature", None),
        ("webhook.refused", "bad_timestamp", None),
        ("webhook.no_longer_refused", None, 30),
        ("webhook.no_longer_refused", None, 30),
    ]
