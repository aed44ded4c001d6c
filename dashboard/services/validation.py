"""Evidence about validation: keeping it, gathering it, and the status it amounts to."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.errors import NotFoundError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.ids import new_id
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.validation_states import (
    FAILURES_ALLOWED,
    GRACE,
    REPEATED_EVERY,
    Evidence,
    State,
    ValidationStatus,
    ours,
    recalls,
    status,
)

__all__ = [
    "CHALLENGE",
    "FAILURES_ALLOWED",
    "GRACE",
    "REPEATED_EVERY",
    "Evidence",
    "State",
    "ValidationStatus",
    "evidence",
    "ours",
    "recalls",
    "record",
    "status",
]

CHALLENGE = "endpoint.url_validation"
_COUNTED = 20


def record(  # noqa: PLR0913 - the facts of one observation, all named
    session: Session,
    *,
    zoom_app_id: UUID,
    source: Source,
    finding: Finding,
    detail: str,
    took_ms: float | None = None,
    webhook_id: int | None = None,
    at: datetime,
) -> Check:
    """Add one piece of evidence; the caller commits.

    Args:
        session: Writing.
        zoom_app_id: What it is about.
        source: By which means it was seen.
        finding: What it says.
        detail: One sentence on what was seen; holds no secret, at most 300 characters.
        took_ms: How long the answer took, in milliseconds.
        webhook_id: The webhook that is the evidence, when it is one.
        at: When it was seen.
    """
    check = Check(
        id=new_id(at),
        zoom_app_id=zoom_app_id,
        source=source,
        finding=finding,
        detail=detail[:300],
        took_ms=took_ms,
        webhook_id=webhook_id,
        at=at,
    )
    session.add(check)
    return check


def evidence(session: Session, zoom_app_id: UUID) -> Evidence:
    """Gather what was seen of one zoom app.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    zoom_app = session.get(ZoomApp, zoom_app_id)
    if zoom_app is None:
        raise NotFoundError("zoom app")
    challenges = _latest(session, zoom_app_id, Source.ZOOM_CHALLENGE, limit=_COUNTED)
    failures = 0
    while failures < len(challenges) and challenges[failures].finding != Finding.GOOD:
        failures += 1
    return Evidence(
        routing=zoom_app.routing,
        is_in_recall=zoom_app.recall_app_id is not None,
        secret_set_at=zoom_app.secret_token_set_at,
        challenge=next(iter(challenges), None),
        good_challenge=_latest_good_challenge(session, zoom_app_id),
        failures=failures,
        event_at=_latest_event_at(session, zoom_app_id),
        recall=_latest_recall_answer(session, zoom_app_id),
        recall_api=next(
            iter(_latest(session, zoom_app_id, Source.RECALL_API, limit=1)), None
        ),
    )


def latest(session: Session, zoom_app_id: UUID, *, limit: int = 10) -> Sequence[Check]:
    """Return the newest pieces of evidence of every source, newest first."""
    query = select(Check).where(col(Check.zoom_app_id) == zoom_app_id)
    return session.exec(query.order_by(col(Check.id).desc()).limit(limit)).all()


def _latest_recall_answer(session: Session, zoom_app_id: UUID) -> Check | None:
    answers = [
        *_latest(session, zoom_app_id, Source.RECALL_CHALLENGE, limit=1),
        *_latest(session, zoom_app_id, Source.RECALL_PROBE, limit=1),
    ]
    return max(answers, key=lambda check: check.id, default=None)


def _latest_good_challenge(session: Session, zoom_app_id: UUID) -> Check | None:
    query = (
        select(Check)
        .where(
            col(Check.zoom_app_id) == zoom_app_id,
            col(Check.source) == Source.ZOOM_CHALLENGE,
            col(Check.finding) == Finding.GOOD,
        )
        .order_by(col(Check.id).desc())
        .limit(1)
    )
    return session.exec(query).first()


def _latest_event_at(session: Session, zoom_app_id: UUID) -> datetime | None:
    query = (
        select(Webhook.received_at)
        .where(col(Webhook.zoom_app_id) == zoom_app_id, col(Webhook.event) != CHALLENGE)
        .order_by(col(Webhook.id).desc())
        .limit(1)
    )
    return session.exec(query).first()


def _latest(
    session: Session, zoom_app_id: UUID, source: Source, *, limit: int
) -> Sequence[Check]:
    query = (
        select(Check)
        .where(col(Check.zoom_app_id) == zoom_app_id, col(Check.source) == source)
        .order_by(col(Check.id).desc())
        .limit(limit)
    )
    return session.exec(query).all()
