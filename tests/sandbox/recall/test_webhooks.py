"""The webhook receiver of the simulated Recall (docs/contracts/recall.md 2)."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.simulated_recall import (
    APP_LOGS,
    APPS,
    MAPPINGS,
    NOON,
    SECRET_TOKEN,
    Recall,
)

# A captured validation request (docs/contracts/zoom.md 8).
VALIDATION_REQUEST = (
    b'{"payload":{"plainToken":"xys8n8PGS7mAU0m5-YJjRA"},'
    b'"event_ts":1720705455858,"event":"endpoint.url_validation"}'
)
ENCRYPTED = "2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3"


def created(meeting_id: int, host: str = "user-1") -> dict[str, Any]:
    return {
        "event": "meeting.created",
        "event_ts": 1760000100456,
        "payload": {
            "account_id": "account-1",
            "object": {"id": meeting_id, "host_id": host},
        },
    }


def deauthorized(**payload: str) -> dict[str, Any]:
    said = {
        "account_id": "account-1",
        "user_id": "user-1",
        "client_id": "test-client-id",
    }
    return {"event": "app_deauthorized", "payload": {**said, **payload}}


def test_a_validation_request_is_answered_and_its_time_recorded(recall: Recall) -> None:
    app = recall.app(webhook_secret="4fv1RkqGQUq5sWbEz6hA5A")

    answer = recall.http.post(
        f"{APPS}{app['id']}/webhook",
        data=VALIDATION_REQUEST,
        headers={
            "x-zm-request-timestamp": "1720705455",
            "x-zm-signature": "v0=93a1a675965ceb9c5a50c5dfb31f20e5"
            "0f763be37a54ef74cd2d16a1a8e5c0d6",
        },
    )

    read = recall.get(f"{APPS}{app['id']}/").get_json()
    assert answer.status_code == 200
    assert answer.get_json() == {
        "plainToken": "xys8n8PGS7mAU0m5-YJjRA",
        "encryptedToken": ENCRYPTED,
    }
    assert read["webhook_last_validation"].startswith("2026-11-23T12:00")


def test_a_changed_secret_token_applies_at_once(recall: Recall) -> None:
    app = recall.app()
    recall.http.patch(
        f"{APPS}{app['id']}/",
        json={"webhook_secret": "test-secret-token-0002"},
        headers=recall.headers,
    )

    with_old = recall.webhook(app["id"], VALIDATION_REQUEST)
    with_new = recall.webhook(
        app["id"], VALIDATION_REQUEST, secret="test-secret-token-0002"
    )

    assert (with_old.status_code, with_new.status_code) == (401, 200)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-zm-request-timestamp": "1760000000"},
        {"x-zm-request-timestamp": "soon", "x-zm-signature": "v0=00"},
        {"x-zm-request-timestamp": "1760000000", "x-zm-signature": "v0=ö"},
    ],
    ids=["none", "half", "no-number", "no-ascii"],
)
def test_a_request_without_a_good_signature_is_refused(
    recall: Recall, headers: dict[str, str]
) -> None:
    app = recall.app()

    answer = recall.http.post(
        f"{APPS}{app['id']}/webhook", data=VALIDATION_REQUEST, headers=headers
    )

    assert answer.status_code == 401
    assert set(answer.get_json()) == {"detail"}
    read = recall.get(f"{APPS}{app['id']}/").get_json()
    assert read["webhook_last_validation"] is None


def test_a_timestamp_that_is_no_number_is_refused_even_if_signed(
    recall: Recall,
) -> None:
    app = recall.app()
    digest = hmac.new(
        SECRET_TOKEN.encode(), b"v0:soon:" + VALIDATION_REQUEST, hashlib.sha256
    )
    signature = f"v0={digest.hexdigest()}"

    answer = recall.http.post(
        f"{APPS}{app['id']}/webhook",
        data=VALIDATION_REQUEST,
        headers={"x-zm-request-timestamp": "soon", "x-zm-signature": signature},
    )

    assert answer.status_code == 401


def test_another_secret_is_refused_and_logged(recall: Recall) -> None:
    app = recall.app()

    answer = recall.webhook(app["id"], created(1), secret="test-secret-token-9999")

    entries = recall.get(APP_LOGS, oauth_app=app["id"]).get_json()["results"]
    assert answer.status_code == 401
    assert set(entries[0]) == {"oauth_app", "message", "created_at"}
    assert entries[0]["message"] == "Webhook signature verification failed."


def test_the_signature_is_over_the_raw_bytes(recall: Recall) -> None:
    app = recall.app()
    raw = b'{"event":"x",  "payload":{"topic":"\\uD83D\\uDE92 caf\xc3\xa9"}}'
    at = str(int(NOON.timestamp()))
    text = f"v0:{at}:".encode() + raw
    digest = hmac.new(SECRET_TOKEN.encode(), text, hashlib.sha256).hexdigest()
    signed = {"x-zm-request-timestamp": at, "x-zm-signature": f"v0={digest}"}
    path = f"{APPS}{app['id']}/webhook"

    exact = recall.http.post(path, data=raw, headers=signed)
    altered = recall.http.post(path, data=raw.replace(b"  ", b" "), headers=signed)

    assert (exact.status_code, altered.status_code) == (200, 401)


def test_a_new_meeting_is_mapped_to_its_hosts_credential(recall: Recall) -> None:
    credential = recall.credential()

    answer = recall.webhook(credential["oauth_app"], created(91234567890))

    assert (answer.status_code, answer.data) == (200, b"")
    found = recall.get(MAPPINGS, credential=credential["id"]).get_json()["results"]
    assert [entry["meeting_id"] for entry in found] == [91234567890]


def test_a_meeting_of_an_unknown_host_is_logged_and_not_mapped(recall: Recall) -> None:
    credential = recall.credential()

    answer = recall.webhook(credential["oauth_app"], created(91234567890, "nobody"))

    entries = recall.get(APP_LOGS).get_json()["results"]
    assert answer.status_code == 200
    assert recall.mapped() == []
    assert "nobody" in entries[0]["message"]


def test_an_account_level_credential_is_used_for_every_host(recall: Recall) -> None:
    credential = recall.credential(kind="account_level")

    recall.webhook(credential["oauth_app"], created(91234567890, "anybody"))

    assert recall.mapped() == [91234567890]


@pytest.mark.parametrize("pmi", [5559876543, "5559876543"])
def test_a_new_pmi_is_mapped(recall: Recall, pmi: object) -> None:
    credential = recall.credential()
    event = {
        "event": "user.updated",
        "payload": {"object": {"id": "user-1", "pmi": pmi}},
    }

    recall.webhook(credential["oauth_app"], event)

    assert recall.mapped() == [5559876543]


def test_another_change_of_the_user_maps_nothing(recall: Recall) -> None:
    credential = recall.credential()
    event = {
        "event": "user.updated",
        "payload": {"object": {"id": "user-1", "dept": ""}},
    }

    assert recall.webhook(credential["oauth_app"], event).status_code == 200
    assert recall.mapped() == []


def test_a_deauthorization_makes_the_users_credential_unhealthy(recall: Recall) -> None:
    credential = recall.credential()
    other = recall.connecting(credential["oauth_app"], "user-2").get_json()

    recall.webhook(credential["oauth_app"], deauthorized())

    assert recall.read(credential)["status"] == "unhealthy"
    assert recall.read(other)["status"] == "healthy"


def test_a_deauthorization_for_another_client_id_changes_nothing(
    recall: Recall,
) -> None:
    credential = recall.credential()

    recall.webhook(credential["oauth_app"], deauthorized(client_id="another"))

    assert recall.read(credential)["status"] == "healthy"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"event":"meeting.created"}'])
def test_a_signed_body_that_is_no_event_is_refused(recall: Recall, body: bytes) -> None:
    assert recall.webhook(recall.app()["id"], body).status_code == 400


def test_an_unknown_app_is_not_found(recall: Recall) -> None:
    assert recall.webhook("0b7e2a1c-9a7d", created(1)).status_code == 404


def test_the_path_with_a_trailing_slash_is_another_one(recall: Recall) -> None:
    app = recall.app()

    answer = recall.http.post(f"{APPS}{app['id']}/webhook/", headers=recall.headers)

    assert answer.status_code == 404


@pytest.mark.parametrize("status", [200, 403, 422, 429, 500])
def test_the_answer_can_be_switched(recall: Recall, status: int) -> None:
    credential = recall.credential()
    recall.switch(webhook_answer=status)

    answer = recall.webhook(credential["oauth_app"], created(91234567890))

    assert answer.status_code == status
    assert recall.mapped() == []
    assert len(recall.world.received) == 1


def test_old_timestamps_are_accepted_unless_switched_off(recall: Recall) -> None:
    app, old = recall.app(), NOON - timedelta(hours=6)

    accepted = recall.webhook(app["id"], created(1), sent_at=old)
    recall.switch(max_age_s=300)
    refused = recall.webhook(app["id"], created(1), sent_at=old)
    fresh = recall.webhook(app["id"], created(1))

    assert [accepted.status_code, refused.status_code, fresh.status_code] == [
        200,
        400,
        200,
    ]


@pytest.mark.parametrize(
    ("switched", "status"), [({}, 400), ({"unreadable": 200}, 200)]
)
def test_an_unreadable_body_is_answered_as_switched(
    recall: Recall, switched: dict[str, int], status: int
) -> None:
    app = recall.app()
    recall.switch(**switched)

    assert recall.webhook(app["id"], b"\xff no JSON").status_code == status


@pytest.mark.parametrize(("known", "status"), [("seconds", 401), ("any", 200)])
def test_milliseconds_are_understood_as_switched(
    recall: Recall, known: str, status: int
) -> None:
    app, at = recall.app(), str(int(NOON.timestamp() * 1000))
    recall.switch(timestamps=known, max_age_s=300)
    body = json.dumps(created(1)).encode()
    message = b"v0:" + at.encode() + b":" + body
    signature = "v0=" + hmac.new(SECRET_TOKEN.encode(), message, "sha256").hexdigest()

    answer = recall.http.post(
        f"{APPS}{app['id']}/webhook",
        data=body,
        headers={"x-zm-request-timestamp": at, "x-zm-signature": signature},
    )

    assert answer.status_code == status


def test_every_request_is_stored_unchanged(recall: Recall) -> None:
    app = recall.app()
    recall.webhook(app["id"], b"\xff not utf-8", secret="test-secret-token-9999")
    recall.webhook("another-app", created(1))

    kept = recall.http.get(f"/_sandbox/received?app={app['id']}").get_json()

    assert len(kept) == 1
    assert base64.b64decode(kept[0]["body"]) == b"\xff not utf-8"
    assert kept[0]["headers"]["x-zm-signature"].startswith("v0=")
    assert kept[0]["at"].startswith("2026-11-23T12:00")
    assert kept[0]["status"] == 401
    assert len(recall.http.get("/_sandbox/received").get_json()) == 2


def test_events_alone_can_be_rejected_with_a_body_of_any_type(recall: Recall) -> None:
    app = recall.app()
    recall.switch(
        webhook_answer=400,
        webhook_answer_to="events",
        webhook_body="<p>No",
        webhook_body_type="text/html",
    )
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}'

    event = recall.webhook(app["id"], created(1))
    validation = recall.webhook(app["id"], body)

    assert (event.status_code, event.text, event.mimetype) == (
        400,
        "<p>No",
        "text/html",
    )
    assert validation.status_code == 200


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_the_answer_to_an_invalid_signature_can_be_switched(
    recall: Recall, status: int
) -> None:
    app = recall.app()
    recall.switch(bad_signature=status)

    answer = recall.webhook(app["id"], created(1), secret="another")

    assert answer.status_code == status
