"""Webhooks of the simulated Zoom: signatures, delivery, retries and URL validation.

Source: docs/contracts/zoom.md 5.
"""

import base64
import gzip
import hashlib
import hmac
import json
import random
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

import httpx2

from dashboard.sandbox.zoom import apps
from dashboard.sandbox.zoom.records import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Mail,
    ZoomApp,
    new_id,
    new_plain_token,
)
from dashboard.sandbox.zoom.state import Signing, State

TIMEOUT_S = 3.0
# Before the second, third and fourth attempt (docs/contracts/zoom.md 5.6).
RETRY_DELAYS = (timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=60))
REVALIDATED_AFTER = timedelta(hours=72)
VALIDATION_FAILED = "URL validation failed. Try again later."

_URL_VALIDATION = "endpoint.url_validation"
_OUT_OF_ORDER_DELAY = timedelta(seconds=30)
_OVERSIZED_BYTES = 2 * 1024 * 1024
_STORED_ANSWER_CHARS = 500
_FAILURES_MAILED = (2, 4)
_FAILURES_UNTIL_DISABLED = 6
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """Result of one validation request.

    Attributes:
        valid: Whether the answer was correct and in time.
        message: The sentence Zoom shows.
        attempt: The request itself.
    """

    valid: bool
    message: str
    attempt: Attempt


def signature(secret_token: str, timestamp: str, body: bytes) -> str:
    """Return the value of `x-zm-signature`: `v0=` and 64 hex digits.

    Source: docs/contracts/zoom.md 5.3.

    Args:
        secret_token: The app's secret token, used as UTF-8.
        timestamp: The value of `x-zm-request-timestamp`, as sent.
        body: The exact bytes of the request.
    """
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret_token.encode(), message, hashlib.sha256).hexdigest()


def encrypted_token(secret_token: str, plain_token: str) -> str:
    """Return the answer Zoom expects to a validation request: 64 hex digits.

    Source: docs/contracts/zoom.md 5.5.
    """
    key, message = secret_token.encode(), plain_token.encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def encode(envelope: dict[str, object], key_order: random.Random) -> bytes:
    """Return compact JSON with the outer keys in random order.

    Characters beyond the BMP become surrogate escapes with uppercase hex digits;
    all others are sent as UTF-8. Both were seen in real captures.
    """
    keys = list(envelope)
    key_order.shuffle(keys)
    text = json.dumps(
        {key: envelope[key] for key in keys}, ensure_ascii=False, separators=(",", ":")
    )
    return _BEYOND_BMP.sub(_surrogates, text).encode()


def reserialised(body: bytes) -> bytes:
    """Return the same JSON in other bytes, as some proxies send it."""
    try:
        return json.dumps(json.loads(body)).encode()
    except ValueError:
        return body


def repacked(body: bytes, how: str) -> tuple[bytes, dict[str, str]]:
    """Return a body as a proxy may send it on, and the headers that it changes."""
    match how:
        case "reserialised":
            return reserialised(body), {}
        case "gzip":
            return gzip.compress(body), {"content-encoding": "gzip"}
        case "base64":
            return base64.b64encode(body), {}
        case "form":
            form = {"content-type": "application/x-www-form-urlencoded"}
            return urlencode({"payload": body}).encode(), form
        case _:
            return body, {}


def make_client(transport: httpx2.BaseTransport | None) -> httpx2.Client:
    """Return the sender's HTTP client: no redirects, no reused connections.

    A connection the receiver has just closed would count as a failed attempt.
    """
    return httpx2.Client(
        transport=transport,
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


def enqueue(
    state: State, app: ZoomApp, event: str, payload: dict[str, object], *, url: str
) -> None:
    """Enqueue an event for this URL, changed as the switches say."""
    switches, due_at = state.switches, state.now()
    event_ts = state.now_ms()
    envelope = {"event": event, "event_ts": event_ts, "payload": payload}
    if switches.body == "oversized":
        envelope["padding"] = "x" * _OVERSIZED_BYTES
    body = encode(envelope, state.key_order)
    if switches.body == "empty":
        body = b""
    if switches.body == "invalid_json":
        body = body[:-1]
    if switches.body == "commented":
        body += b" // sent by Zoom"
    if switches.body == "broken_text":
        body = body.replace(b"{", b'{"note":"cut \xe2\x82 here",', 1)
    due_at += timedelta(seconds=switches.late_s)
    if switches.out_of_order:
        due_at += _OUT_OF_ORDER_DELAY if state.delays_next else timedelta(0)
        state.delays_next = not state.delays_next
    for _ in range(2 if switches.duplicate else 1):
        delivery = _new_delivery(state, app, event, url, body)
        delivery.event_ts, delivery.due_at = event_ts, due_at
        _add(state, delivery)


def enqueue_deauthorization(
    state: State, app: ZoomApp, envelope: dict[str, object], event_ts: int
) -> None:
    """Enqueue an `app_deauthorized` for the app's deauthorization endpoint."""
    if app.deauthorization_url is None:
        return
    body, url = encode(envelope, state.key_order), app.deauthorization_url
    delivery = _new_delivery(state, app, "app_deauthorized", url, body)
    delivery.kind = DeliveryKind.DEAUTHORIZATION
    delivery.event_ts, delivery.due_at = event_ts, state.now()
    _add(state, delivery)


def send_due(state: State, http: httpx2.Client) -> int:
    """Send every delivery that is due, oldest first; return how many.

    Safe in several threads: each delivery is claimed by one of them.
    """
    sent = 0
    while (delivery := _claim(state)) is not None:
        signing = state.switches.signing
        attempt, _ = _post(state, http, delivery, signing)
        _store_attempt(state, delivery, attempt)
        sent += 1
    return sent


def validate(
    state: State, http: httpx2.Client, client_id: str, url: str | None = None
) -> ValidationResult:
    """Validate a URL as the button does; save it if the answer is correct.

    Success also enables the subscription again. A failure counts against the app
    only if the URL is the saved one. The lock is not held while sending.

    Args:
        state: The data.
        http: The sender's client.
        client_id: The app.
        url: The URL typed; None for the saved one.

    Raises:
        RefusedError: No such app, no URL, or one that Zoom does not accept.
    """
    with state.lock:
        app = state.app(client_id)
        target = url or app.webhook_url or ""
        apps.require_public(
            target,
            what="The event notification endpoint URL",
            allow_local=state.allow_local,
        )
    result = request_validation(state, http, app, target)
    with state.lock:
        if result.valid:
            app.webhook_url = target
            app.subscription_enabled = True
        if target == app.webhook_url:
            _store_result(state, app, result)
    return result


def revalidate_due(state: State, http: httpx2.Client) -> int:
    """Validate each saved URL again 72 hours after the last time; return how many."""
    due = _claim_revalidations(state)
    for app, url in due:
        result = request_validation(state, http, app, url)
        with state.lock:
            _store_result(state, app, result)
    return len(due)


def request_validation(
    state: State, http: httpx2.Client, app: ZoomApp, url: str
) -> ValidationResult:
    """Send a validation request and change nothing; the lock is not held."""
    with state.lock:
        plain = new_plain_token()
        event_ts = state.now_ms()
        envelope: dict[str, object] = {
            "event": _URL_VALIDATION,
            "event_ts": event_ts,
            "payload": {"plainToken": plain},
        }
        body = encode(envelope, state.key_order)
        delivery = _new_delivery(state, app, _URL_VALIDATION, url, body)
        delivery.kind, delivery.event_ts = DeliveryKind.VALIDATION, event_ts
        expected = {
            "plainToken": plain,
            "encryptedToken": encrypted_token(app.secret_token, plain),
        }
        signing = state.switches.validation_signing
        state.deliveries.append(delivery)
    attempt, answer = _post(state, http, delivery, signing)
    valid = attempt.status == 200 and _parse(answer) == expected
    with state.lock:
        delivery.attempts.append(attempt)
        delivery.state = DeliveryState.DELIVERED if valid else DeliveryState.DROPPED
    message = "URL validated." if valid else VALIDATION_FAILED
    return ValidationResult(valid=valid, message=message, attempt=attempt)


def _new_delivery(
    state: State, app: ZoomApp, event: str, url: str, body: bytes
) -> Delivery:
    return Delivery(
        id=state.next_number(),
        kind=DeliveryKind.EVENT,
        client_id=app.client_id,
        event=event,
        event_ts=state.now_ms(),
        url=url,
        body=body,
        queued_at=state.now(),
        due_at=None,
    )


def _add(state: State, delivery: Delivery) -> None:
    state.deliveries.append(delivery)
    state.pending[delivery.id] = delivery
    state.wake_sender.set()


def _claim(state: State) -> Delivery | None:
    with state.lock:
        now = state.now()
        due = [
            (delivery.due_at, delivery.id, delivery)
            for delivery in state.pending.values()
            if delivery.due_at is not None
            and delivery.due_at <= now
            and not delivery.claimed
        ]
        if not due:
            return None
        delivery = min(due)[2]
        delivery.claimed = True
        return delivery


def _store_attempt(state: State, delivery: Delivery, attempt: Attempt) -> None:
    with state.lock:
        delivery.claimed = False
        delivery.attempts.append(attempt)
        number = len(delivery.attempts)
        if attempt.succeeded():
            delivery.state, delivery.due_at = DeliveryState.DELIVERED, None
        elif attempt.may_be_retried() and number <= len(RETRY_DELAYS):
            delivery.due_at = attempt.at + RETRY_DELAYS[number - 1]
        else:
            delivery.state, delivery.due_at = DeliveryState.DROPPED, None
        if delivery.due_at is None:
            state.pending.pop(delivery.id, None)


def _post(
    state: State, http: httpx2.Client, delivery: Delivery, signing: Signing
) -> tuple[Attempt, bytes]:
    """Send one request without holding the lock; return the attempt and the answer."""
    with state.lock:
        app = state.apps.get(delivery.client_id)
        timestamp = _timestamp(state, delivery)
        headers = _headers(state, app, delivery, timestamp, signing)
        body = delivery.body
        is_event = delivery.kind is DeliveryKind.EVENT
        if is_event:
            body, changed = repacked(body, state.switches.body)
            headers |= changed
        attempt = Attempt(at=state.now(), timestamp=timestamp)
    began = time.monotonic()
    answer = b""
    try:
        response = http.post(delivery.url, content=body, headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        # ValueError: a header or host that cannot be encoded.
        attempt.error = type(error).__name__
    else:
        attempt.status, answer = response.status_code, response.content
        attempt.answer = answer.decode(errors="replace")[:_STORED_ANSWER_CHARS]
        attempt.answer_headers = dict(response.headers)
    took_s = time.monotonic() - began
    attempt.latency_ms = round(took_s * 1000, 1)
    if attempt.error is None and took_s > TIMEOUT_S:
        # The client's own limit is for each read; Zoom's is for the whole request.
        attempt.status, attempt.error = None, "ReadTimeout"
    return attempt, answer


def _headers(
    state: State,
    app: ZoomApp | None,
    delivery: Delivery,
    timestamp: str,
    signing: Signing,
) -> dict[str, str]:
    headers = {
        "user-agent": "Zoom Marketplace/1.0a",
        "content-type": "application/json; charset=utf-8",
        "accept-encoding": "gzip",
        "clientid": delivery.client_id,
        "x-zm-request-timestamp": timestamp,
        "x-zm-request-id": str(uuid4()).replace("-", "_"),
        "x-zm-trackingid": f"v=2.0;clid=sim;rid={new_id()}",
        "traceparent": f"00-{uuid4().hex}-{uuid4().hex[:16]}-01",
    }
    if app is None:
        return headers
    if state.switches.legacy_token:
        headers["authorization"] = app.verification_token
    secret = app.secret_token
    if signing == "wrong_secret":
        secret = "wrong-" + secret
    if signing == "previous_secret":
        secret = app.previous_secret_token or secret
    if signing != "no_header":
        headers["x-zm-signature"] = signature(secret, timestamp, delivery.body)
    return headers


def _timestamp(state: State, delivery: Delivery) -> str:
    switches, sent_ms = state.switches, delivery.event_ts
    if delivery.attempts and switches.retry_timestamp == "fresh":
        sent_ms = state.now_ms()
    sent_ms += switches.ahead_s * 1000
    unit = 1 if switches.timestamp_unit == "milliseconds" else 1000
    return str(sent_ms // unit)


def _claim_revalidations(state: State) -> list[tuple[ZoomApp, str]]:
    with state.lock:
        now, due = state.now(), []
        for app in state.apps.values():
            last = app.checked_at
            if app.webhook_url is None or last is None or not app.subscription_enabled:
                continue
            if last + REVALIDATED_AFTER <= now:
                app.checked_at = now  # no other thread claims it
                due.append((app, app.webhook_url))
        return due


def _store_result(state: State, app: ZoomApp, result: ValidationResult) -> None:
    app.checked_at = result.attempt.at
    if result.valid:
        app.validated_at, app.failures = result.attempt.at, 0
        return
    app.failures += 1
    if app.failures in _FAILURES_MAILED:
        _mail(state, app, f"Your webhook URL failed validation {app.failures} times")
    if app.failures >= _FAILURES_UNTIL_DISABLED and app.subscription_enabled:
        app.subscription_enabled = False
        _mail(state, app, "Your event subscription was disabled")


def _mail(state: State, app: ZoomApp, subject: str) -> None:
    mail = Mail(at=state.now(), client_id=app.client_id, subject=subject)
    state.mails.append(mail)


def _parse(answer: bytes) -> object:
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _surrogates(match: re.Match[str]) -> str:
    high, low = divmod(ord(match[0]) - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}"
