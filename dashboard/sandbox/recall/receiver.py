"""The webhook receiver Zoom or a forwarder posts to (docs/contracts/recall.md 3.8)."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall.here import RefusalError, not_found, raw_body, world
from dashboard.sandbox.recall.records import App, Received
from dashboard.sandbox.recall.tidings import take

blueprint = Blueprint("webhook", __name__)

_SECONDS = re.compile("[0-9]{1,12}")


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    status: int
    note: str
    body: dict[str, Any] | None = None


@blueprint.post("/api/v2/zoom-oauth-apps/<app_id>/webhook")
def receive(app_id: str) -> ResponseReturnValue:
    """Prove the sender, act, and note the request whatever became of it."""
    its_world, raw = world(), raw_body()
    with its_world.lock:
        verdict = _judged(its_world.apps.get(app_id.lower()), raw)
        its_world.digests[hashlib.sha256(raw).hexdigest()][verdict.status] += 1
        its_world.received.append(
            Received(
                app=app_id,
                at=its_world.clock.now(),
                headers={name.lower(): value for name, value in request.headers},
                body=raw,
                status=verdict.status,
                note=verdict.note,
            )
        )
    if verdict.body is None:
        return "", verdict.status
    return jsonify(verdict.body), verdict.status


def _judged(app: App | None, raw: bytes) -> _Verdict:
    ordered = world().switches.webhook_answer
    if ordered != "ok":
        return _Verdict(status=ordered, note="answered as switched")
    try:
        if app is None:
            raise not_found()
        _prove(app, raw)
        event = _event(raw)
        if event.get("event") == "endpoint.url_validation":
            return _challenged(app, event["payload"])
        return _Verdict(status=200, note=take(world(), app, event))
    except RefusalError as refusal:
        note = str(refusal.body["detail"])
        return _Verdict(status=refusal.status, note=note, body=refusal.body)


def _prove(app: App, raw: bytes) -> None:
    """Check signature, then age; the status codes are our choice."""
    its_world = world()
    timestamp = request.headers.get("x-zm-request-timestamp", "")
    signature = request.headers.get("x-zm-signature", "")
    if not _is_signed(app, timestamp, signature, raw):
        its_world.log_app(app, "Webhook signature verification failed.")
        raise RefusalError(401, {"detail": "Invalid webhook signature."})
    oldest_s = its_world.switches.max_age_s
    if oldest_s is None:
        return
    if its_world.clock.now().timestamp() - int(timestamp) > oldest_s:
        its_world.log_app(app, "Webhook timestamp is too old.")
        raise RefusalError(400, {"detail": "Webhook timestamp is too old."})


def _event(raw: bytes) -> dict[str, Any]:
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("payload"), dict):
        raise RefusalError(400, {"detail": "Invalid webhook body."})
    return event


def _is_signed(app: App, timestamp: str, signature: str, raw: bytes) -> bool:
    if not _SECONDS.fullmatch(timestamp):
        return False
    signed = b"v0:" + timestamp.encode() + b":" + raw
    return hmac.compare_digest(
        b"v0=" + _hmac(app.webhook_secret, signed).encode(), signature.encode()
    )


def _challenged(app: App, payload: dict[str, Any]) -> _Verdict:
    """Answer `endpoint.url_validation` and note that the URL was validated."""
    plain = payload.get("plainToken")
    if not isinstance(plain, str):
        raise RefusalError(400, {"detail": "plainToken is missing."})
    app.webhook_last_validation = world().clock.now()
    encrypted = _hmac(app.webhook_secret, plain.encode())
    body = {"plainToken": plain, "encryptedToken": encrypted}
    return _Verdict(status=200, note="challenge answered", body=body)


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
