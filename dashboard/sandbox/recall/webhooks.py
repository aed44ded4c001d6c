"""The webhook receiver: signatures, URL validation, and what events change.

Source: docs/contracts/recall.md 2 and 3.8.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall.records import App, Credential, Health, Kind, Received
from dashboard.sandbox.recall.requests import (
    RefusalError,
    current_world,
    not_found,
    raw_body,
)
from dashboard.sandbox.recall.world import RecallWorld

blueprint = Blueprint("webhooks", __name__)

_SECONDS = re.compile("[0-9]{1,12}")
_VALIDATION = b"endpoint.url_validation"
_NUMBER = re.compile("[0-9]{1,15}")
_LAST_SECOND = 10**11  # what is larger counts milliseconds


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    note: str
    body: dict[str, Any] | None = None
    is_switched: bool = False


@blueprint.post("/api/v2/zoom-oauth-apps/<app_id>/webhook")
def receive(app_id: str) -> ResponseReturnValue:
    """Verify and handle a webhook; record it in any case."""
    world, raw = current_world(), raw_body()
    with world.lock:
        answer = _answer(world.apps.get(app_id.lower()), raw)
        if _VALIDATION not in raw:  # a test request, which no Zoom sent
            world.digests[hashlib.sha256(raw).hexdigest()][answer.status] += 1
        world.received.append(
            Received(
                app=app_id,
                at=world.clock.now(),
                headers={name.lower(): value for name, value in request.headers},
                body=raw,
                status=answer.status,
                note=answer.note,
            )
        )
    if answer.is_switched:
        return _switched_response(answer.status)
    if answer.body is None:
        return "", answer.status
    return jsonify(answer.body), answer.status


def _switched_response(status: int) -> Response:
    switches = current_world().switches
    response = Response(switches.webhook_body, status)
    if switches.webhook_body_type:
        response.content_type = switches.webhook_body_type
    else:
        del response.headers["Content-Type"]
    return response


def _answer(app: App | None, raw: bytes) -> _Answer:
    switches = current_world().switches
    is_spared = switches.webhook_answer_to == "events" and _VALIDATION in raw
    if switches.webhook_answer != "ok" and not is_spared:
        note = "answered as switched"
        return _Answer(status=switches.webhook_answer, note=note, is_switched=True)
    try:
        if app is None:
            raise not_found()
        _verify(app, raw)
        event = _event(raw)
        if event is None:
            return _Answer(status=200, note="unreadable, ignored")
        if event.get("event") == "endpoint.url_validation":
            return _validation_answer(app, event["payload"])
        return _Answer(status=200, note=_handle(current_world(), app, event))
    except RefusalError as refusal:
        note = str(refusal.body["detail"])
        return _Answer(status=refusal.status, note=note, body=refusal.body)


def _verify(app: App, raw: bytes) -> None:
    """Verify signature, then age; the status codes are our choice."""
    world = current_world()
    timestamp = request.headers.get("x-zm-request-timestamp", "")
    signature = request.headers.get("x-zm-signature", "")
    if not _is_signed(app, timestamp, signature, raw):
        world.log_app(app, "Webhook signature verification failed.")
        detail = {"detail": "Invalid webhook signature."}
        raise RefusalError(world.switches.bad_signature, detail)
    oldest_s = world.switches.max_age_s
    if oldest_s is None:
        return
    if world.clock.now().timestamp() - _seconds(timestamp) > oldest_s:
        world.log_app(app, "Webhook timestamp is too old.")
        raise RefusalError(400, {"detail": "Webhook timestamp is too old."})


def _seconds(timestamp: str) -> int:
    seconds = int(timestamp)
    return seconds // 1000 if seconds > _LAST_SECOND else seconds


def _event(raw: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
        if current_world().switches.unreadable == 200:
            return None
    if not isinstance(event, dict) or not isinstance(event.get("payload"), dict):
        raise RefusalError(400, {"detail": "Invalid webhook body."})
    return event


def _is_signed(app: App, timestamp: str, signature: str, raw: bytes) -> bool:
    is_any = current_world().switches.timestamps == "any"
    if not (_NUMBER if is_any else _SECONDS).fullmatch(timestamp):
        return False
    signed = b"v0:" + timestamp.encode() + b":" + raw
    return hmac.compare_digest(
        b"v0=" + _hmac(app.webhook_secret, signed).encode(), signature.encode()
    )


def _validation_answer(app: App, payload: dict[str, Any]) -> _Answer:
    """Answer a validation request and record its time."""
    plain = payload.get("plainToken")
    if not isinstance(plain, str):
        raise RefusalError(400, {"detail": "plainToken is missing."})
    if current_world().switches.last_validation == "kept":
        app.webhook_last_validation = current_world().clock.now()
    encrypted = _hmac(app.webhook_secret, plain.encode())
    body = {"plainToken": plain, "encryptedToken": encrypted}
    return _Answer(status=200, note="validation request answered", body=body)


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _handle(world: RecallWorld, app: App, event: dict[str, Any]) -> str:
    """Handle an event; return in a few words what was done."""
    payload = event["payload"]
    match event.get("event"):
        case "meeting.created":
            return _meeting_created(world, app, payload)
        case "user.updated":
            return _user_updated(world, app, payload)
        case "app_deauthorized":
            return _deauthorized(world, app, payload)
        case _:
            return "nothing to do"


def _meeting_created(world: RecallWorld, app: App, payload: dict[str, Any]) -> str:
    meeting = _object(payload)
    host, number = str(meeting.get("host_id")), _number(meeting.get("id"))
    if number is None:
        return "no meeting number"
    credential = _find_credential(world, app, host, payload)
    if credential is None:
        world.log_app(
            app, f"meeting.created: no credential for host {host} of meeting {number}."
        )
        return "no credential for the host"
    world.map_meeting(number, credential)
    return "meeting mapped"


def _user_updated(world: RecallWorld, app: App, payload: dict[str, Any]) -> str:
    user = _object(payload)
    pmi = _number(user.get("pmi"))
    if pmi is None:
        return "no new PMI"
    credential = _find_credential(world, app, str(user.get("id")), payload)
    if credential is None:
        world.log_app(app, f"user.updated: no credential for user {user.get('id')}.")
        return "no credential for the user"
    world.map_meeting(pmi, credential)
    return "PMI mapped"


def _deauthorized(world: RecallWorld, app: App, payload: dict[str, Any]) -> str:
    if payload.get("client_id") != app.client_id:
        world.log_app(app, "app_deauthorized: for another client id, ignored.")
        return "another client id"
    credential = _find_credential(world, app, str(payload.get("user_id")), payload)
    if credential is None:
        return "no credential for the user"
    world.log_credential(credential, "The app was deauthorized in Zoom.")
    credential.status = Health.UNHEALTHY
    return "credential unhealthy"


def _find_credential(
    world: RecallWorld, app: App, user_id: str, payload: dict[str, Any]
) -> Credential | None:
    """Return the credential of the user, or of the event's account."""
    for one in world.credentials_of(app):
        if app.kind is Kind.USER_LEVEL and one.user_id == user_id:
            return one
        if app.kind is Kind.ACCOUNT_LEVEL and one.account_id == payload.get(
            "account_id"
        ):
            return one
    return None


def _object(payload: dict[str, Any]) -> dict[str, Any]:
    found = payload.get("object")
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int | None:
    """Return a meeting number, which Zoom sends as a number or as text."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
