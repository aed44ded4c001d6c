"""The webhook sender with its retry ladder (docs/contracts/zoom.md 5)."""

import time
from datetime import timedelta
from uuid import uuid4

import httpx2

from dashboard.sandbox.zoom import signing, values
from dashboard.sandbox.zoom.records import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryState,
    ZoomApp,
)
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.switches import Signing

TIMEOUT_S = 3.0
# Waits before the second, third and fourth try (docs/contracts/zoom.md 5.6).
LADDER = (timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=60))
_OVERTAKEN = timedelta(seconds=30)
_OVERSIZED_BYTES = 2 * 1024 * 1024
_ANSWER_CHARS = 500


def client(transport: httpx2.BaseTransport | None) -> httpx2.Client:
    """Return the HTTP client of the sender: no redirects, no reused connections.

    A connection the receiver has just closed would otherwise count as a failed try.
    """
    return httpx2.Client(
        transport=transport,
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


def queue(
    state: State, app: ZoomApp, event: str, payload: dict[str, object], *, url: str
) -> None:
    """Owe the app one event at this URL from now on, as the switches spoil it."""
    switches, now = state.switches, state.now()
    event_ts = _milliseconds(state)
    envelope = {"event": event, "event_ts": event_ts, "payload": payload}
    if switches.body == "oversized":
        envelope["padding"] = "x" * _OVERSIZED_BYTES
    body = signing.encode(envelope, state.order)
    if switches.body == "empty":
        body = b""
    if switches.body == "invalid_json":
        body = body[:-1]
    due_at = now + timedelta(seconds=switches.late_s)
    if switches.out_of_order:
        due_at += _OVERTAKEN if state.holds_next else timedelta(0)
        state.holds_next = not state.holds_next
    for _ in range(2 if switches.duplicate else 1):
        delivery = Delivery(
            id=state.number(),
            kind=DeliveryKind.EVENT,
            client_id=app.client_id,
            event=event,
            event_ts=event_ts,
            url=url,
            body=body,
            queued_at=now,
            due_at=due_at,
        )
        _add(state, delivery)


def queue_deauthorization(
    state: State, app: ZoomApp, envelope: dict[str, object], event_ts: int
) -> None:
    """Owe the app's deauthorization endpoint one `app_deauthorized`."""
    if app.deauthorization_url is None:
        return
    delivery = Delivery(
        id=state.number(),
        kind=DeliveryKind.DEAUTHORIZATION,
        client_id=app.client_id,
        event="app_deauthorized",
        event_ts=event_ts,
        url=app.deauthorization_url,
        body=signing.encode(envelope, state.order),
        queued_at=state.now(),
        due_at=state.now(),
    )
    _add(state, delivery)


def send_due(state: State, http: httpx2.Client) -> int:
    """Try every delivery that is due now, oldest first; return how many tries.

    Several threads may do this at once: each try is taken by one of them.
    """
    tries = 0
    while (delivery := _take(state)) is not None:
        signs = state.switches.signing
        attempt, _ = post(state, http, delivery, signs)
        _settle(state, delivery, attempt)
        tries += 1
    return tries


def post(
    state: State, http: httpx2.Client, delivery: Delivery, signs: Signing
) -> tuple[Attempt, bytes]:
    """Send one request without holding the lock; return the try and the answer."""
    with state.lock:
        app = state.apps.get(delivery.client_id)
        timestamp = _timestamp(state, delivery)
        headers = _headers(state, app, delivery, timestamp, signs)
        body = delivery.body
        if state.switches.body == "reserialised" and delivery.kind == "event":
            body = signing.reserialised(body)
        attempt = Attempt(at=state.now(), timestamp=timestamp)
    began = time.monotonic()
    answer = b""
    try:
        response = http.post(delivery.url, content=body, headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        # ValueError: a header or host that cannot be put into bytes.
        attempt.error = type(error).__name__
    else:
        attempt.status, answer = response.status_code, response.content
        attempt.answer = answer.decode(errors="replace")[:_ANSWER_CHARS]
    took_s = time.monotonic() - began
    attempt.latency_ms = round(took_s * 1000, 1)
    if attempt.error is None and took_s > TIMEOUT_S:
        # The client's own limit is for each read; Zoom's is for the whole.
        attempt.status, attempt.error = None, "ReadTimeout"
    return attempt, answer


def _add(state: State, delivery: Delivery) -> None:
    state.deliveries.append(delivery)
    state.pending[delivery.id] = delivery
    state.woken.set()


def _take(state: State) -> Delivery | None:
    with state.lock:
        now = state.now()
        due = [
            (delivery.due_at, delivery.id, delivery)
            for delivery in state.pending.values()
            if delivery.due_at is not None
            and delivery.due_at <= now
            and not delivery.taken
        ]
        if not due:
            return None
        delivery = min(due)[2]
        delivery.taken = True
        return delivery


def _settle(state: State, delivery: Delivery, attempt: Attempt) -> None:
    with state.lock:
        delivery.taken = False
        delivery.attempts.append(attempt)
        tried = len(delivery.attempts)
        if attempt.succeeded():
            delivery.state, delivery.due_at = DeliveryState.DELIVERED, None
        elif attempt.may_be_retried() and tried <= len(LADDER):
            delivery.due_at = attempt.at + LADDER[tried - 1]
        else:
            delivery.state, delivery.due_at = DeliveryState.DROPPED, None
        if delivery.due_at is None:
            state.pending.pop(delivery.id, None)


def _headers(
    state: State,
    app: ZoomApp | None,
    delivery: Delivery,
    timestamp: str,
    signs: Signing,
) -> dict[str, str]:
    headers = {
        "user-agent": "Zoom Marketplace/1.0a",
        "content-type": "application/json; charset=utf-8",
        "accept-encoding": "gzip",
        "clientid": delivery.client_id,
        "x-zm-request-timestamp": timestamp,
        "x-zm-request-id": str(uuid4()).replace("-", "_"),
        "x-zm-trackingid": f"v=2.0;clid=sim;rid={values.opaque()}",
        "traceparent": f"00-{uuid4().hex}-{uuid4().hex[:16]}-01",
    }
    if app is None:
        return headers
    if state.switches.legacy_token:
        headers["authorization"] = app.verification_token
    secret = app.secret_token
    if signs == "wrong_secret":
        secret = "wrong-" + secret
    if signs == "previous_secret":
        secret = app.previous_secret_token or secret
    if signs != "no_header":
        signed = signing.signature(secret, timestamp, delivery.body)
        headers["x-zm-signature"] = signed
    return headers


def _timestamp(state: State, delivery: Delivery) -> str:
    if delivery.attempts and state.switches.retry_timestamp == "fresh":
        return str(int(state.now().timestamp()))
    return str(delivery.event_ts // 1000)


def _milliseconds(state: State) -> int:
    return int(state.now().timestamp() * 1000)
