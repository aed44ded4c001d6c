"""One webhook as a story: what happened when, and whether its bytes are intact."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count

from sqlmodel import Session

from dashboard.formatting import age_words
from dashboard.models.resend import RedeliveryOutcome
from dashboard.models.webhook import Attempt, Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.receiver.signatures import NamedSecret, signing_secret, usable
from dashboard.services.relay.answers import PAGE_ANSWERED
from dashboard.services.webhook_log.log import Request, Resent, Trace
from dashboard.vault import Vault

_OK = range(200, 300)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 4_102_444_800_000  # the year 2100: beyond it is no event time


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened, or is to come.

    Attributes:
        at: When; aware.
        tone: "good", "waiting", "trouble" or "off".
        answer: What Recall answered, redacted; "" where that has no meaning.
        worker: Which worker did it; "" where that has no meaning.
        is_ahead: Whether it is still to come.
    """

    at: datetime
    tone: str
    title: str
    detail: str = ""
    answer: str = ""
    worker: str = ""
    is_ahead: bool = False


def steps(
    trace: Trace, *, now: datetime, worker: WorkerStatus | None = None
) -> Sequence[Step]:
    """Return the steps in the order of time, what is to come last.

    Args:
        trace: The webhook.
        now: Aware.
        worker: Whether the background worker runs: without it nothing is to come.
    """
    happened = [
        *_at_zoom(trace),
        *_arrivals(trace),
        *_attempts(trace),
        *map(_asked, trace.resends),
    ]
    ends = [*_end(trace, now), *_ends_of_resends(trace, now)]
    happened += [step for step in ends if not step.is_ahead]
    ahead = [step for step in ends if step.is_ahead]
    if ahead and worker is not None and not worker.is_alive:
        tried_at = max((each.started_at for each in trace.attempts), default=None)
        ahead = [_unsent(step, worker, tried_at, now) for step in ahead]
    return [*sorted(happened, key=lambda step: step.at), *ahead]


def _unsent(
    step: Step, worker: WorkerStatus, tried_at: datetime | None, now: datetime
) -> Step:
    """Return what stands in the place of a step that nobody will take."""
    detail = f"{step.detail} {worker.about_waiting(tried_at)}".strip()
    return replace(
        step,
        at=now,
        tone="trouble",
        title="Queued; nothing sends it now",
        detail=detail,
    )


def event_at(event_ts: int | None) -> datetime | None:
    """Return when Zoom says the event happened; None when it says nothing usable."""
    if event_ts is None or not 0 < event_ts < _LATEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=event_ts)


def names(trace: Trace) -> Sequence[tuple[Attempt, str]]:
    """Return each attempt with its name: "Attempt 2", "Resend by ana@..., attempt 1".

    Each delivery counts its own attempts.
    """
    asked_by = {each.redelivery.id: each.resend.asked_by for each in trace.resends}
    numbers: dict[int | None, count[int]] = {}
    found = []
    for attempt in trace.attempts:
        of = attempt.redelivery_id
        number = next(numbers.setdefault(of, count(1)))
        name = f"Attempt {number}"
        if of is not None:
            who = asked_by.get(of)
            name = f"Resend{f' by {who}' if who else ''}, attempt {number}"
        found.append((attempt, name))
    return found


def _at_zoom(trace: Trace) -> Iterator[Step]:
    webhook = trace.webhook
    sent_at = _EPOCH + timedelta(seconds=webhook.sent_at_s)
    happened_at = event_at(webhook.event_ts)
    if happened_at is None:
        detail = "The body contains no usable event time."
    else:
        yield Step(at=happened_at, tone="off", title="Event in Zoom")
        # Zoom signs with whole seconds: they may lie before the event's milliseconds,
        # and the arrival is the finer measure.
        delay = age_words(webhook.received_at - happened_at)
        detail = f"Received {delay} after the event."
    for each in trace.failed_before:
        yield Step(
            at=each.row.sent_at,
            tone="trouble",
            title=f"Zoom's log: {each.answer}",
            detail="This try of Zoom's did not arrive.",
        )
    yield Step(
        at=min(max(sent_at, happened_at or sent_at), webhook.received_at),
        tone="off",
        title="Signed and sent by Zoom",
        detail=detail,
    )


def _arrivals(trace: Trace) -> Iterator[Step]:
    webhook = trace.webhook
    yield Step(
        at=webhook.received_at,
        tone="good",
        title=f"Received · signature valid ({webhook.verdict} secret token)",
        detail=f"Stored, then answered 200 after {webhook.answered_ms:.0f} ms.",
    )
    for repeat in trace.repeats:
        after = age_words(repeat.received_at - webhook.received_at)
        yield Step(
            at=repeat.received_at,
            tone="off",
            title=f"Sent again by Zoom, {after} later",
            detail="Answered 200; not forwarded again.",
        )


def _attempts(trace: Trace) -> Iterator[Step]:
    for attempt, name in names(trace):
        took = age_words(timedelta(milliseconds=attempt.latency_ms))
        if attempt.status is None:
            tone, said = "trouble", f"no response from Recall after {took}"
        else:
            is_page = attempt.verdict.startswith(PAGE_ANSWERED)
            tone = "good" if attempt.status in _OK and not is_page else "trouble"
            who = "a web page" if is_page else "Recall"
            said = f"{who} answered {attempt.status} in {took}"
        yield Step(
            at=attempt.started_at,
            tone=tone,
            title=f"{name}: {said}",
            detail=attempt.verdict,
            answer=attempt.answer,
            worker=attempt.worker,
        )


def _asked(resent: Resent) -> Step:
    return Step(
        at=resent.resend.asked_at,
        tone="off",
        title=f"Resend requested by {resent.resend.asked_by}",
        detail="A separate delivery; the first one stays as it is.",
    )


def _end(trace: Trace, now: datetime) -> Iterator[Step]:
    webhook = trace.webhook
    reason = webhook.outcome_reason
    if webhook.outcome is Outcome.DEAD:
        # Never shown before the attempt it follows from, whatever the clocks say.
        tried = [each.started_at for each in trace.attempts if not each.redelivery_id]
        at = max([webhook.due_at, *tried])
        yield Step(at=at, tone="trouble", title="Given up", detail=reason)
    elif webhook.outcome is Outcome.KEPT:
        yield Step(
            at=webhook.received_at, tone="off", title="Not forwarded", detail=reason
        )
    elif webhook.outcome is Outcome.WAITING:
        yield from _waiting(
            trace,
            now,
            title="Next attempt",
            reason=reason,
            due_at=webhook.due_at,
            lease_until=webhook.lease_until,
        )


def _ends_of_resends(trace: Trace, now: datetime) -> Iterator[Step]:
    for each in trace.resends:
        redelivery, who = each.redelivery, each.resend.asked_by
        ended_at = redelivery.ended_at or redelivery.due_at
        match redelivery.outcome:
            case RedeliveryOutcome.WAITING:
                yield from _waiting(
                    trace,
                    now,
                    title=f"Next attempt of the resend by {who}",
                    reason=redelivery.outcome_reason,
                    due_at=redelivery.due_at,
                    lease_until=redelivery.lease_until,
                )
            case RedeliveryOutcome.DEAD:
                yield Step(
                    at=ended_at,
                    tone="trouble",
                    title=f"Resend by {who} failed",
                    detail=redelivery.outcome_reason,
                )
            case RedeliveryOutcome.CANCELLED:
                yield Step(
                    at=ended_at,
                    tone="off",
                    title=f"Resend by {who} cancelled",
                    detail=redelivery.outcome_reason,
                )
            case RedeliveryOutcome.DELIVERED:
                pass  # its last attempt says so


def _waiting(  # noqa: PLR0913 - a delivery's facts, all named
    trace: Trace,
    now: datetime,
    *,
    title: str,
    reason: str,
    due_at: datetime,
    lease_until: datetime | None,
) -> Iterator[Step]:
    if lease_until is not None and lease_until > now:
        yield Step(at=now, tone="waiting", title="Sending to Recall now")
        return
    if not trace.open_circuits:
        yield Step(
            at=max(due_at, now),
            tone="waiting",
            title=title,
            detail=reason,
            is_ahead=True,
        )
        return
    for circuit in trace.open_circuits:
        yield Step(
            at=max(circuit.probe_at, now),
            tone="trouble",
            title="Paused since "
            f"{circuit.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC; next test "
            "delivery",
            detail=f"{circuit.reason} It is sent once a test delivery succeeds.",
            is_ahead=True,
        )


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What one attempt sent, compared with what was received.

    Attributes:
        name: "Attempt 2".
        is_equal: Whether the bytes are those received; None when none were sent.
        sentence: The same in words.
        passed: Names of Zoom's headers that were sent, sorted.
        dropped: Names of those that were not.
    """

    attempt: Attempt
    name: str
    is_equal: bool | None
    sentence: str
    passed: Sequence[str]
    dropped: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class IntegrityFinding:
    """One result of the check; `tone` is "good", "waiting" or "trouble"."""

    tone: str
    sentence: str


def sent(trace: Trace, header_names: Sequence[str]) -> Sequence[Sent]:
    """Return what each attempt sent, oldest first.

    Args:
        trace: The webhook with its attempts.
        header_names: Of the stored request, lower case; they may repeat.
    """
    return [
        _sent(trace.webhook, each, name, header_names) for each, name in names(trace)
    ]


def verify(
    session: Session, vault: Vault, trace: Trace, request: Request
) -> Sequence[IntegrityFinding]:
    """Compute checksum and signature again over the stored bytes.

    Shows no secret and nothing of the body. The age of the timestamp is not checked: it
    was, on arrival.
    """
    app = session.get_one(ZoomApp, trace.app.id)
    return [
        *_bytes(trace.webhook, request.body),
        _signature(trace.webhook, app, request, secrets=_secrets(vault, app)),
    ]


def _sent(
    webhook: Webhook, attempt: Attempt, name: str, header_names: Sequence[str]
) -> Sent:
    passed = set(attempt.headers_passed.split())
    is_equal: bool | None = None
    if not attempt.sent_sha256:
        sentence = "Nothing was sent: it failed before."
    elif not attempt.sent_bytes:
        # Attempts of the first version did not record the length.
        is_equal = attempt.sent_sha256 == webhook.body_sha256
        sentence = "Same SHA-256 as received; the length was not recorded then."
    else:
        is_equal = (attempt.sent_sha256, attempt.sent_bytes) == (
            webhook.body_sha256,
            webhook.body_bytes,
        )
        sentence = f"{attempt.sent_bytes:,} bytes, same SHA-256 as received."
    if is_equal is False:
        sentence = "Different bytes than received: this is a bug in the dashboard."
    return Sent(
        attempt=attempt,
        name=name,
        is_equal=is_equal,
        sentence=sentence,
        passed=sorted(passed),
        dropped=sorted(set(header_names) - passed) if passed else (),
    )


def _bytes(webhook: Webhook, body: bytes) -> Iterator[IntegrityFinding]:
    digest = sha256(body).hexdigest()
    if (digest, len(body)) == (webhook.body_sha256, webhook.body_bytes):
        yield IntegrityFinding(
            tone="good",
            sentence=f"The stored body is unchanged: {len(body):,} bytes, same SHA-256 "
            "as on arrival.",
        )
    else:
        yield IntegrityFinding(
            tone="trouble",
            sentence=f"The stored body has {len(body):,} bytes and the SHA-256 "
            f"{digest}. On arrival it had {webhook.body_bytes:,} bytes and a different "
            "SHA-256. Something other than the dashboard changed the database.",
        )


def _signature(
    webhook: Webhook,
    app: ZoomApp,
    request: Request,
    *,
    secrets: Sequence[NamedSecret],
) -> IntegrityFinding:
    headers = dict(request.headers)
    if not {"x-zm-request-timestamp", "x-zm-signature"} <= headers.keys():
        return IntegrityFinding(
            tone="trouble",
            sentence="The stored headers contain no signature or timestamp, so the "
            "signature can't be checked again.",
        )
    made_it = signing_secret(request.headers, request.body, secrets)
    if made_it is not None:
        return IntegrityFinding(
            tone="good",
            sentence="Zoom's signature is valid for the stored bytes "
            f"({made_it.name} secret token).",
        )
    if app.secret_token_set_at > webhook.received_at:
        return IntegrityFinding(
            tone="waiting",
            sentence="Zoom's signature can't be checked any more. It matched the "
            f"{webhook.verdict} secret token on arrival, but that token was replaced "
            f"at {app.secret_token_set_at:%Y-%m-%d %H:%M:%S} UTC.",
        )
    if webhook.verdict == "previous" and app.previous_secret_token is None:
        return IntegrityFinding(
            tone="waiting",
            sentence="Zoom's signature can't be checked any more. It matched the "
            "previous secret token on arrival, which is no longer stored.",
        )
    return IntegrityFinding(
        tone="trouble",
        sentence="Zoom's signature matches no secret token stored here, although it "
        f"matched the {webhook.verdict} one on arrival and the secret token hasn't "
        "been replaced since. The stored request is not the one that was received.",
    )


def _secrets(vault: Vault, app: ZoomApp) -> list[NamedSecret]:
    found = []
    for name, column, sealed in (
        ("current", "secret_token", app.secret_token),
        ("previous", "previous_secret_token", app.previous_secret_token),
    ):
        if sealed:
            secret = vault.open_text(
                sealed, table="zoom_app", column=column, row=app.id
            )
            found.append(NamedSecret(name=name, secret=secret))
    return usable(found)
