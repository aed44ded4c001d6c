"""One request from Zoom: check the signature, read, store, then answer.

Zoom never retries a 3xx or 4xx, and does retry a 5xx (docs/contracts/zoom.md 5.6,
checked 2026-11-23): what is not the sender's fault is answered 503. A valid signature
proves the sender, so an event with one is stored, late or unreadable as it may be.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from dashboard.errors import StorageError
from dashboard.models.webhook import Mark
from dashboard.services.receiver import events, mismatches, packing, signatures
from dashboard.services.receiver.batches import VerifiedWebhook
from dashboard.services.receiver.events import Event
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.mismatches import Mismatch
from dashboard.services.receiver.refusals import RefusedRequest
from dashboard.services.receiver.signatures import (
    MISMATCHES,
    Cause,
    SignatureCheck,
)
from dashboard.services.receiver.writer import WebhookWriter

PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    503: "Service Unavailable",
}
"""Every status that Zoom is answered with here; but for 200 the phrase is the body."""

_READ_UNVERIFIED_BYTES = 16 * 1024
_NOT_ZOOMS = "Zoom sends nothing like it; someone with the secret token did."
_TOO_LARGE = (
    "The body is larger than 1 MiB and was not read. Zoom's events are a few KB.\n"
    "No action is needed unless a proxy in front adds to the body."
)
_RETRIED = "Zoom was asked to retry (503)."
_NO_TOKEN = (
    f"A validation request with a valid signature but no plainToken.\n{_NOT_ZOOMS}"
)
_FAIL_CHALLENGES = MISMATCHES | {Cause.FUTURE, Cause.TOO_OLD}
_ROTATING = (
    "The signature matches no secret token stored here. A rotation has been started, "
    "so the new token may have signed it and Zoom is asked to retry (503).\n"
    "An admin enters the new secret token (zoom app, Edit). Zoom retries after 5, 25 "
    "and 85 minutes."
)
_STATUS = {
    Cause.NO_SECRET: 503,
    Cause.TOO_LARGE: 413,
    Cause.MISSING_HEADER: 401,
    Cause.BAD_TIMESTAMP: 401,
    Cause.BAD_SIGNATURE: 401,
    **dict.fromkeys(MISMATCHES, 401),
    Cause.FUTURE: 503,
    Cause.TOO_OLD: 401,
    Cause.MALFORMED: 400,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRequest:
    """One POST as it came.

    Attributes:
        body: Raw bytes, at most the limit; empty when more were sent.
        body_bytes: How many came, or were declared when none were read.
        declared_bytes: `Content-Length`; None when absent.
        headers: (name, value), names lower case, none secret.
        timestamp: `x-zm-request-timestamp`; None when absent.
        signature: `x-zm-signature`; None when absent.
        address: Of the sender, as far as the trusted proxies tell.
        is_too_large: Whether the limit was passed.
        received_at: Aware.
        began: `time.perf_counter()` before the first byte was read.
    """

    body: bytes
    body_bytes: int
    declared_bytes: int | None
    headers: tuple[tuple[str, str], ...]
    timestamp: str | None
    signature: str | None
    user_agent: str
    address: str
    is_too_large: bool
    received_at: datetime
    began: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the sender gets.

    Attributes:
        body: JSON with exactly two keys for a challenge, else empty.
        refused: The refusal, when it is one.
    """

    status: int
    body: bytes = b""
    refused: RefusedRequest | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedRequest:
    """A request from Zoom, to be answered 200 once it is on disk.

    Attributes:
        answer: As `Reply.body`.
    """

    received: VerifiedWebhook
    answer: bytes = b""


def receive(
    writer: WebhookWriter, app: AppCredentials, request: WebhookRequest
) -> Reply:
    """Verify one request and store it: what is answered 200 is on disk.

    Raises:
        StorageError: It is genuine and could not be stored; answer 503.
    """
    outcome = verify(writer, app, request)
    if isinstance(outcome, Reply):
        return outcome
    writer.accept(outcome.received)
    return Reply(status=200, body=outcome.answer)


def verify(
    writer: WebhookWriter, app: AppCredentials, request: WebhookRequest
) -> VerifiedRequest | Reply:
    """Verify one request; count and explain a refusal. May ask the database.

    Raises:
        StorageError: Whether it is genuine is not known; answer 503.
    """
    if request.is_too_large:
        return _refuse(writer, app, request, Cause.TOO_LARGE, _TOO_LARGE)
    app, checked = _check_with_newest(writer, app, request)
    if checked.cause is None:
        return _accept(writer, app, request, checked)
    cause, detail = _explain(writer, app, request, checked.cause, checked)
    if cause is Cause.SIGNATURE and _is_rotating(app, request):
        cause, detail = Cause.ROTATING, _ROTATING
    return _refuse(writer, app, request, cause, detail)


def verify_in_memory(
    writer: WebhookWriter, app: AppCredentials, request: WebhookRequest
) -> VerifiedRequest | Reply | None:
    """Verify with a known secret; None for everything that needs `verify`.

    For an event loop: reads no database and waits for nothing.
    """
    if request.is_too_large:
        return None
    checked = _check(writer, app, request)
    if checked.cause is not None:
        return None
    return _accept(writer, app, request, checked)


def _accept(
    writer: WebhookWriter,
    app: AppCredentials,
    request: WebhookRequest,
    checked: SignatureCheck,
) -> VerifiedRequest | Reply:
    event = events.parse(request.body)
    if event.event == events.URL_VALIDATION:
        return _answer(writer, app, request, checked, event)
    return VerifiedRequest(received=_verified(app, request, checked, event))


def _check_with_newest(
    writer: WebhookWriter, app: AppCredentials, request: WebhookRequest
) -> tuple[AppCredentials, SignatureCheck]:
    checked = _check(writer, app, request)
    if checked.cause in (Cause.SIGNATURE, Cause.NO_SECRET):
        # The secret may have been replaced within the second that it is kept for.
        newer = writer.keyring.find_newer(app.id)
        if newer is not None and newer != app:
            return newer, _check(writer, newer, request)
    return app, checked


def _check(
    writer: WebhookWriter, app: AppCredentials, request: WebhookRequest
) -> SignatureCheck:
    return signatures.check(
        request.body,
        timestamp=request.timestamp,
        signature=request.signature,
        secrets=app.secrets,
        now=request.received_at,
        age_limit_s=writer.settings.event_age_limit_s,
    )


def _answer(
    writer: WebhookWriter,
    app: AppCredentials,
    request: WebhookRequest,
    checked: SignatureCheck,
    event: Event,
) -> VerifiedRequest | Reply:
    """Answer a validation request with the secret that signed it.

    One that comes late may be a retry. One ahead of our clock is no retry, and is
    refused for now: a green status must not hide a clock that is off.
    """
    if checked.timing is Mark.CLOCK:
        ahead_s = checked.sent_at_s - request.received_at.timestamp()
        detail = f"{signatures.ahead_words(ahead_s)} {_RETRIED}"
        return _refuse(writer, app, request, Cause.FUTURE, detail)
    if checked.matched is None or event.plain_token is None:
        return _refuse(writer, app, request, Cause.MALFORMED, _NO_TOKEN)
    found = signatures.answer_challenge(event.plain_token, checked.matched.secret)
    answer = json.dumps(found).encode()
    if signatures.is_own_probe(event.plain_token):
        # Our own self-test: the same answer, and nothing is stored.
        return Reply(status=200, body=answer)
    return VerifiedRequest(
        received=_verified(app, request, checked, event), answer=answer
    )


def _verified(
    app: AppCredentials,
    request: WebhookRequest,
    checked: SignatureCheck,
    event: Event,
) -> VerifiedWebhook:
    return VerifiedWebhook(
        app=app,
        body=request.body,
        headers=request.headers,
        event=event,
        sent_at_s=checked.sent_at_s,
        timing=checked.timing,
        verdict=checked.matched.name if checked.matched is not None else "",
        received_at=request.received_at,
        began=request.began,
    )


def _explain(
    writer: WebhookWriter,
    app: AppCredentials,
    request: WebhookRequest,
    cause: Cause,
    checked: SignatureCheck,
) -> tuple[Cause, str]:
    """Explain a mismatch while the limit allows; return cause and sentence."""
    unexplained = cause, checked.sentence
    if cause is not Cause.SIGNATURE or not writer.tally.may_explain(
        request.received_at
    ):
        return unexplained
    headers = dict(request.headers)
    mismatch = Mismatch(
        app=app,
        body=request.body,
        timestamp=request.timestamp or "",
        signature=request.signature or "",
        declared_bytes=request.declared_bytes,
        encoding=headers.get("content-encoding", ""),
        client_id=headers.get("clientid", ""),
    )
    try:
        neighbours = writer.keyring.neighbours()
    except StorageError:
        neighbours = ()  # what can be said without them is still said
    found = mismatches.explain(
        mismatch, neighbours=neighbours, secrets_of=writer.keyring.secrets_of
    )
    return (found.cause, found.sentence) if found is not None else unexplained


def _refuse(
    writer: WebhookWriter,
    app: AppCredentials,
    request: WebhookRequest,
    cause: Cause,
    detail: str,
) -> Reply:
    refused = RefusedRequest(
        zoom_app_id=app.id,
        cause=cause,
        detail=detail,
        status=503
        if cause in MISMATCHES and _is_rotating(app, request)
        else _STATUS[cause],
        body_bytes=request.body_bytes,
        user_agent=request.user_agent,
        address=request.address,
        received_at=request.received_at,
        is_challenge=cause in _FAIL_CHALLENGES and _claims_challenge(request.body),
    )
    writer.refuse(refused)
    return Reply(status=refused.status, refused=refused)


def _is_rotating(app: AppCredentials, request: WebhookRequest) -> bool:
    """Whether Zoom may sign with a secret token that is not stored here yet."""
    until = app.rotating_until
    return until is not None and request.received_at < until


def _claims_challenge(body: bytes) -> bool:
    # Not verified: only a hint for the set-up page, and bounded.
    if len(body) <= _READ_UNVERIFIED_BYTES:
        packed = packing.find(body)
        body = body if packed is None or packed.body is None else packed.body
    if len(body) > _READ_UNVERIFIED_BYTES or events.URL_VALIDATION.encode() not in body:
        return False
    event = events.parse(body)
    # A self-test that arrived altered is reported by the self-test itself.
    return event.event == events.URL_VALIDATION and not signatures.is_own_probe(
        event.plain_token
    )
