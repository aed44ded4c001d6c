"""URL validation: the challenge, its 72 hours and its six strikes."""

import json
from dataclasses import dataclass
from datetime import timedelta

import httpx2

from dashboard.sandbox.zoom import addresses, signing, values, webhooks
from dashboard.sandbox.zoom.records import (
    Attempt,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Mail,
    ZoomApp,
)
from dashboard.sandbox.zoom.state import State

REPEATED = timedelta(hours=72)
FAILED = "URL validation failed. Try again later."
_MAIL_AFTER = (2, 4)
_STRIKES = 6


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one challenge.

    Attributes:
        valid: Whether the answer was right and in time.
        message: The sentence Zoom shows.
        attempt: The request itself.
    """

    valid: bool
    message: str
    attempt: Attempt


def validate(
    state: State, http: httpx2.Client, client_id: str, url: str | None = None
) -> Verdict:
    """Challenge a URL now, as the button does; save it when the answer is right.

    Success also enables the subscription again. A failure counts against the app
    only when the URL is the saved one.

    Args:
        state: The world's data; its lock is not held while sending.
        http: The sender's client.
        client_id: The app.
        url: The URL typed; None for the saved one.

    Raises:
        RefusedError: No such app, no URL, or one that Zoom does not take.
    """
    with state.lock:
        app = state.app(client_id)
        target = url or app.webhook_url or ""
        addresses.require_public(
            target,
            what="The event notification endpoint URL",
            allow_local=state.allow_local,
        )
    verdict = challenge(state, http, app, target)
    with state.lock:
        if verdict.valid:
            app.webhook_url = target
            app.subscription_enabled = True
        if target == app.webhook_url:
            _count(state, app, verdict)
    return verdict


def repeat_due(state: State, http: httpx2.Client) -> int:
    """Challenge each saved URL whose last challenge is 72 h old; return how many."""
    due = _take_due(state)
    for app, url in due:
        verdict = challenge(state, http, app, url)
        with state.lock:
            _count(state, app, verdict)
    return len(due)


def _take_due(state: State) -> list[tuple[ZoomApp, str]]:
    with state.lock:
        now, due = state.now(), []
        for app in state.apps.values():
            last = app.checked_at
            if app.webhook_url is None or last is None or not app.subscription_enabled:
                continue
            if last + REPEATED <= now:
                app.checked_at = now  # so that no other thread takes it as well
                due.append((app, app.webhook_url))
        return due


def challenge(state: State, http: httpx2.Client, app: ZoomApp, url: str) -> Verdict:
    """Challenge a URL for the app and change nothing; the lock is not held."""
    with state.lock:
        plain = values.plain_token()
        event_ts = int(state.now().timestamp() * 1000)
        envelope: dict[str, object] = {
            "event": "endpoint.url_validation",
            "event_ts": event_ts,
            "payload": {"plainToken": plain},
        }
        delivery = Delivery(
            id=state.number(),
            kind=DeliveryKind.CHALLENGE,
            client_id=app.client_id,
            event="endpoint.url_validation",
            event_ts=event_ts,
            url=url,
            body=signing.encode(envelope, state.order),
            queued_at=state.now(),
            due_at=None,
        )
        expected = {
            "plainToken": plain,
            "encryptedToken": signing.encrypted_token(app.secret_token, plain),
        }
        signs = state.switches.challenge_signing
        state.deliveries.append(delivery)
    attempt, answer = webhooks.post(state, http, delivery, signs)
    valid = attempt.status == 200 and _read(answer) == expected
    with state.lock:
        delivery.attempts.append(attempt)
        delivery.state = DeliveryState.DELIVERED if valid else DeliveryState.DROPPED
    message = "URL validated." if valid else FAILED
    return Verdict(valid=valid, message=message, attempt=attempt)


def _count(state: State, app: ZoomApp, verdict: Verdict) -> None:
    app.checked_at = verdict.attempt.at
    if verdict.valid:
        app.validated_at, app.failures = verdict.attempt.at, 0
        return
    app.failures += 1
    if app.failures in _MAIL_AFTER:
        _mail(state, app, f"Your webhook URL failed validation {app.failures} times")
    if app.failures >= _STRIKES and app.subscription_enabled:
        app.subscription_enabled = False
        _mail(state, app, "Your event subscription was disabled")


def _mail(state: State, app: ZoomApp, subject: str) -> None:
    mail = Mail(at=state.now(), client_id=app.client_id, subject=subject)
    state.mails.append(mail)


def _read(answer: bytes) -> object:
    try:
        return json.loads(answer)
    except ValueError:
        return None
