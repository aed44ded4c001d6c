"""What becomes of one request at Zoom's door: prove, read, store, then answer.

Zoom never retries a 3xx or 4xx, and does retry a 5xx (docs/contracts/zoom.md 5.6,
checked 2026-11-23): what a genuine sender could not help is answered 503.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from dashboard.errors import StorageError
from dashboard.services.receiver import challenges, events, mismatches, signatures
from dashboard.services.receiver.batches import Received
from dashboard.services.receiver.events import Event
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.mismatches import Mismatch
from dashboard.services.receiver.refusals import Refused
from dashboard.services.receiver.signatures import (
    CHALLENGE_AGE_LIMIT_S,
    MISMATCHES,
    Cause,
    Judgement,
)
from dashboard.services.receiver.writer import Intake

_READ_UNVERIFIED_BYTES = 16 * 1024
_NOT_ZOOMS = "Zoom sends nothing like it: whoever holds the secret token did."
_TOO_LARGE = (
    "The body is larger than 1 MiB, so it was not read. Zoom's events have a few KB.\n"
    "There is nothing to mend unless a proxy in front adds to it."
)
_NO_OBJECT = f"Signed rightly, but it is no JSON object.\n{_NOT_ZOOMS}"
_NO_BODY = f"Signed rightly, but the body is empty.\n{_NOT_ZOOMS}"
_NO_TOKEN = (
    f"A challenge, signed rightly, but without a plainToken to answer.\n{_NOT_ZOOMS}"
)
_FAIL_CHALLENGES = MISMATCHES | {Cause.FUTURE, Cause.TOO_OLD}
_ROTATING = (
    "The signature matches no secret token stored here, and a rotation was begun: it "
    "may be made with the new one, so Zoom is asked to try again (503).\n"
    "An admin enters the new secret token (zoom app, Edit). Zoom tries again after 5, "
    "25 and 85 minutes."
)
_STATUS = {
    Cause.NO_SECRET: 503,
    Cause.TOO_LARGE: 413,
    Cause.EMPTY: 400,
    Cause.MISSING_HEADER: 401,
    Cause.BAD_TIMESTAMP: 401,
    Cause.BAD_SIGNATURE: 401,
    **dict.fromkeys(MISMATCHES, 401),
    Cause.FUTURE: 401,
    Cause.TOO_OLD: 401,
    Cause.MALFORMED: 400,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
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
        is_logged: Whether the refusal is one of the sample, worth a line in the log.
    """

    status: int
    body: bytes = b""
    refused: Refused | None = None
    is_logged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """A request that is Zoom's: to be answered 200 once it is on disk.

    Attributes:
        answer: As `Reply.body`.
    """

    received: Received
    answer: bytes = b""


def receive(intake: Intake, app: AppCredentials, incoming: Incoming) -> Reply:
    """Judge one request and keep it: what is answered 200 is on disk.

    Raises:
        StorageError: It is genuine and could not be stored; answer 503.
    """
    outcome = weigh(intake, app, incoming)
    if isinstance(outcome, Reply):
        return outcome
    intake.accept(outcome.received)
    return Reply(status=200, body=outcome.answer)


def weigh(intake: Intake, app: AppCredentials, incoming: Incoming) -> Owed | Reply:
    """Judge one request; a refusal is counted and explained. May ask the database.

    Raises:
        StorageError: Whether it is genuine could not be told; answer 503.
    """
    if incoming.is_too_large:
        return _refuse(intake, app, incoming, Cause.TOO_LARGE, _TOO_LARGE)
    app, judgement = _judge(intake, app, incoming)
    if judgement.cause is None:
        return _taken(intake, app, incoming, judgement)
    cause, detail = _explained(intake, app, incoming, judgement.cause, judgement)
    if cause is Cause.SIGNATURE and _is_rotating(app, incoming):
        cause, detail = Cause.ROTATING, _ROTATING
    return _refuse(intake, app, incoming, cause, detail)


def weigh_in_memory(
    intake: Intake, app: AppCredentials, incoming: Incoming
) -> Owed | Reply | None:
    """Judge what a known secret proves; None for all that `weigh` must look at.

    For an event loop: asks nobody and waits for nothing.
    """
    if incoming.is_too_large:
        return None
    judgement = _judged(intake, app, incoming)
    if judgement.cause is not None:
        return None
    return _taken(intake, app, incoming, judgement)


def _taken(
    intake: Intake, app: AppCredentials, incoming: Incoming, judgement: Judgement
) -> Owed | Reply:
    event = events.parse(incoming.body)
    if event.event == events.CHALLENGE:
        return _answer(intake, app, incoming, judgement, event)
    if not event.is_object:
        cause = Cause.MALFORMED if incoming.body else Cause.EMPTY
        detail = _NO_OBJECT if incoming.body else _NO_BODY
        return _refuse(intake, app, incoming, cause, detail)
    return Owed(received=_received(app, incoming, judgement, event))


def _judge(
    intake: Intake, app: AppCredentials, incoming: Incoming
) -> tuple[AppCredentials, Judgement]:
    judgement = _judged(intake, app, incoming)
    if judgement.cause in (Cause.SIGNATURE, Cause.NO_SECRET):
        # The secret may have been replaced within the second that it is kept for.
        newer = intake.keyring.find_newer(app.id)
        if newer is not None and newer != app:
            return newer, _judged(intake, newer, incoming)
    return app, judgement


def _judged(intake: Intake, app: AppCredentials, incoming: Incoming) -> Judgement:
    return signatures.judge(
        incoming.body,
        timestamp=incoming.timestamp,
        signature=incoming.signature,
        secrets=app.secrets,
        now=incoming.received_at,
        age_limit_s=intake.settings.event_age_limit_s,
    )


def _answer(
    intake: Intake,
    app: AppCredentials,
    incoming: Incoming,
    judgement: Judgement,
    event: Event,
) -> Owed | Reply:
    """Answer a challenge with the secret that signed it; asks nobody."""
    fresh = signatures.judge_age(
        judgement, now=incoming.received_at, age_limit_s=CHALLENGE_AGE_LIMIT_S
    )
    if fresh.cause is not None:
        return _refuse(intake, app, incoming, fresh.cause, fresh.sentence)
    if judgement.matched is None or event.plain_token is None:
        return _refuse(intake, app, incoming, Cause.MALFORMED, _NO_TOKEN)
    found = signatures.answer_challenge(event.plain_token, judgement.matched.secret)
    answer = json.dumps(found).encode()
    if challenges.is_own_probe(event.plain_token):
        # Ours, to see whether Zoom's would arrive: the same answer, and nothing kept.
        return Reply(status=200, body=answer)
    return Owed(received=_received(app, incoming, judgement, event), answer=answer)


def _received(
    app: AppCredentials, incoming: Incoming, judgement: Judgement, event: Event
) -> Received:
    return Received(
        app=app,
        body=incoming.body,
        headers=incoming.headers,
        event=event,
        sent_at_s=judgement.sent_at_s,
        verdict=judgement.matched.name if judgement.matched is not None else "",
        received_at=incoming.received_at,
        began=incoming.began,
    )


def _explained(
    intake: Intake,
    app: AppCredentials,
    incoming: Incoming,
    cause: Cause,
    judgement: Judgement,
) -> tuple[Cause, str]:
    """Look closer at a mismatch while there is budget; return cause and sentence."""
    unexplained = cause, judgement.sentence
    if cause is not Cause.SIGNATURE or not intake.tally.may_explain(
        incoming.received_at
    ):
        return unexplained
    mismatch = Mismatch(
        app=app,
        body=incoming.body,
        timestamp=incoming.timestamp or "",
        signature=incoming.signature or "",
        declared_bytes=incoming.declared_bytes,
        client_id=dict(incoming.headers).get("clientid", ""),
    )
    try:
        neighbours = intake.keyring.neighbours()
    except StorageError:
        neighbours = ()  # what can be told without them is still told
    found = mismatches.explain(
        mismatch, neighbours=neighbours, secrets_of=intake.keyring.secrets_of
    )
    return (found.cause, found.sentence) if found is not None else unexplained


def _refuse(
    intake: Intake, app: AppCredentials, incoming: Incoming, cause: Cause, detail: str
) -> Reply:
    refused = Refused(
        zoom_app_id=app.id,
        cause=cause,
        detail=detail,
        status=503
        if cause in MISMATCHES and _is_rotating(app, incoming)
        else _STATUS[cause],
        body_bytes=incoming.body_bytes,
        user_agent=incoming.user_agent,
        address=incoming.address,
        received_at=incoming.received_at,
        is_challenge=cause in _FAIL_CHALLENGES and _claims_challenge(incoming.body),
    )
    is_logged = intake.refuse(refused)
    return Reply(status=refused.status, refused=refused, is_logged=is_logged)


def _is_rotating(app: AppCredentials, incoming: Incoming) -> bool:
    """Whether Zoom may sign with a secret token that is not known here yet."""
    until = app.rotating_until
    return until is not None and incoming.received_at < until


def _claims_challenge(body: bytes) -> bool:
    # Not verified: good for a hint on the set-up page, and bounded.
    if len(body) > _READ_UNVERIFIED_BYTES or events.CHALLENGE.encode() not in body:
        return False
    event = events.parse(body)
    # One of our own that arrived altered tells the probe, and is not Zoom's.
    return event.event == events.CHALLENGE and not challenges.is_own_probe(
        event.plain_token
    )
