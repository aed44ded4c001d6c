"""One webhook as a story: what happened when, from Zoom to Recall. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboard.models.webhook import Attempt, Outcome
from dashboard.services.spans import age_words
from dashboard.services.webhooks import Trace

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
        is_ahead: Whether it is still to come.
    """

    at: datetime
    tone: str
    title: str
    detail: str = ""
    answer: str = ""
    is_ahead: bool = False


def steps(trace: Trace, *, now: datetime) -> Sequence[Step]:
    """Return the steps in the order of time, what is to come last."""
    happened = [*_at_zoom(trace), *_arrivals(trace), *map(_attempt, trace.attempts)]
    return [*sorted(happened, key=lambda step: step.at), *_end(trace, now)]


def event_at(event_ts: int | None) -> datetime | None:
    """Return when Zoom says the event happened; None when it says nothing usable."""
    if event_ts is None or not 0 < event_ts < _LATEST_MS:
        return None
    return _EPOCH + timedelta(milliseconds=event_ts)


def _at_zoom(trace: Trace) -> Iterator[Step]:
    webhook = trace.webhook
    sent_at = _EPOCH + timedelta(seconds=webhook.sent_at_s)
    happened_at = event_at(webhook.event_ts)
    if happened_at is None:
        detail = "The body names no usable event time."
    else:
        yield Step(at=happened_at, tone="off", title="It happened in Zoom")
        # Zoom signs with whole seconds: they may lie before the event's milliseconds,
        # and the arrival is the finer measure.
        delay = age_words(webhook.received_at - happened_at)
        detail = f"It reached us {delay} after the event."
    yield Step(
        at=min(max(sent_at, happened_at or sent_at), webhook.received_at),
        tone="off",
        title="Zoom signed and sent it",
        detail=detail,
    )


def _arrivals(trace: Trace) -> Iterator[Step]:
    webhook = trace.webhook
    yield Step(
        at=webhook.received_at,
        tone="good",
        title=f"Arrived; the signature matches the {webhook.verdict} secret token",
        detail=f"Committed to disk, then answered 200 after {webhook.answered_ms:.0f}"
        " ms.",
    )
    for repeat in trace.repeats:
        yield Step(
            at=repeat.received_at,
            tone="off",
            title="Zoom sent it again",
            detail="Answered 200; not forwarded a second time.",
        )


def _attempt(attempt: Attempt) -> Step:
    took = age_words(timedelta(milliseconds=attempt.latency_ms))
    if attempt.status is None:
        tone, said = "trouble", f"no answer from Recall after {took}"
    else:
        tone = "good" if attempt.status in _OK else "trouble"
        said = f"Recall answered {attempt.status} in {took}"
    return Step(
        at=attempt.started_at,
        tone=tone,
        title=f"Attempt {attempt.number}: {said}",
        detail=attempt.verdict,
        answer=attempt.answer,
    )


def _end(trace: Trace, now: datetime) -> Iterator[Step]:
    webhook = trace.webhook
    reason = webhook.outcome_reason
    if webhook.outcome is Outcome.DEAD:
        yield Step(at=webhook.due_at, tone="trouble", title="Given up", detail=reason)
    elif webhook.outcome is Outcome.KEPT:
        yield Step(
            at=webhook.received_at, tone="off", title="Not forwarded", detail=reason
        )
    elif webhook.outcome is Outcome.WAITING:
        is_held = webhook.lease_until is not None and webhook.lease_until > now
        yield Step(
            at=now if is_held else max(webhook.due_at, now),
            tone="waiting",
            title="Being sent to Recall now" if is_held else "Next attempt",
            detail="" if is_held else reason,
            is_ahead=not is_held,
        )
