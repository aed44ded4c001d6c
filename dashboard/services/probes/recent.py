"""Recent activity of a zoom app: evidence and events in one list, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import Webhook
from dashboard.services.facts import webhooks
from dashboard.services.facts.acting import Fact
from dashboard.services.validation import evidence
from dashboard.services.validation.states import timed

_TITLES = {
    Source.ZOOM_CHALLENGE: "Validation request from Zoom",
    Source.ZOOM_EVENT: "Event",
    Source.OUTSIDE_PROBE: "Self-test of the public URL",
    Source.RECALL_CHALLENGE: "Validation request forwarded to Recall",
    Source.RECALL_PROBE: "Test request to Recall",
    Source.RECALL_API: "Recall's API",
    Source.RECALL_LOG: "Recall's log",
}

_OUR_CHECKS = {Source.OUTSIDE_PROBE, Source.RECALL_PROBE, Source.RECALL_API}

_FINDINGS = {
    Finding.GOOD: ("good", "Valid"),
    Finding.SECRET_MISMATCH: ("trouble", "Mismatch"),
    Finding.FAILED: ("trouble", "Failed"),
    Finding.NOT_SEEN: ("waiting", "Never"),
    Finding.GONE: ("trouble", "Deleted"),
    Finding.NOTED: ("off", "Info"),
}


@dataclass(frozen=True, kw_only=True)
class ActivityEntry:
    """One entry.

    Attributes:
        tone: Of the status: "good", "waiting", "trouble" or "off".
        word: The status itself.
        webhook_id: The webhook it is about, to link to.
        meeting_id: The meeting it is about.
    """

    at: datetime
    title: str
    detail: str
    tone: str
    word: str
    webhook_id: int | None = None
    meeting_id: int | None = None


def latest(
    session: Session, zoom_app_id: UUID, *, now: datetime, limit: int = 8
) -> Sequence[ActivityEntry]:
    """Return the newest entries, newest first.

    A check of our own that says the same again is shown once, with its newest time.
    """
    checks = _without_repeats(
        evidence.latest(session, zoom_app_id, now=now, limit=limit)
    )
    query = (
        select(Webhook)
        .where(
            col(Webhook.zoom_app_id) == zoom_app_id,
            col(Webhook.event) != evidence.CHALLENGE,
        )
        .order_by(col(Webhook.id).desc())
        .limit(limit)
    )
    state_of = webhooks.Reader(session, now=now)
    seen = [
        *map(of_check, checks),
        *(_of_webhook(each, state_of(each)) for each in session.exec(query).all()),
    ]
    return sorted(seen, key=lambda one: one.at, reverse=True)[:limit]


def of_check(check: Check) -> ActivityEntry:
    """Return a piece of evidence as it is shown. Pure."""
    tone, word = _FINDINGS[check.finding]
    detail = timed(check)
    is_said = check.source is Source.RECALL_LOG  # when Recall wrote it, not we read it
    return ActivityEntry(
        at=check.told_at if is_said and check.told_at else check.at,
        title=_TITLES[check.source],
        detail=detail[:1].upper() + detail[1:],
        tone=tone,
        word=word,
        webhook_id=check.webhook_id,
    )


def _without_repeats(checks: Sequence[Check]) -> Iterator[Check]:
    """Leave out what the next newer check of the same kind said as well."""
    newer: dict[Source, Check] = {}
    for check in checks:
        last = newer.get(check.source)
        newer[check.source] = check
        if (
            check.source not in _OUR_CHECKS
            or last is None
            or (last.finding, last.told_at) != (check.finding, check.told_at)
        ):
            yield check


def _of_webhook(webhook: Webhook, state: Fact) -> ActivityEntry:
    return ActivityEntry(
        at=webhook.received_at,
        title=webhook.event or "Webhook without a name",
        detail=state.reason,
        tone=state.tone,
        word=state.word,
        webhook_id=webhook.id,
        meeting_id=webhook.meeting_id,
    )
