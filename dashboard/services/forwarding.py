"""Forwarding: claims by lease, what a result changes, and sending once more.

The rows are the queue. A claim ends by itself, so a dead worker gives it back, and
every write-back is conditional on the claim counter, so a late worker changes nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, func, insert, select, text, update
from sqlmodel import Session, SQLModel, col

from dashboard.columns import UtcDateTime
from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.check import Source
from dashboard.models.webhook import Attempt, Outcome, Webhook, WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import validation
from dashboard.services.deliveries import Delivery, Result, attempt, change

LEASE = timedelta(seconds=30)
"""Longer than the longest delivery, which is given up after 15 seconds."""


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined]  # SQLModel does not type it


_WEBHOOK, _BODY = _table(Webhook), _table(WebhookBody)
# Literally, as the index's own condition: SQLite does not look into parameters.
_IS_WAITING = text("webhook.outcome = 'waiting'")
_DUE = select(_WEBHOOK).where(_IS_WAITING).order_by(_WEBHOOK.c.due_at, _WEBHOOK.c.id)
_CHANGE = (
    update(_WEBHOOK)
    .where(_WEBHOOK.c.id == bindparam("its_id"))
    .values(
        outcome=bindparam("new_outcome"),
        outcome_reason=bindparam("new_reason"),
        attempts=bindparam("new_attempts"),
        due_at=bindparam("new_due_at"),
        lease_until=None,
        delivered_at=func.coalesce(
            bindparam("new_delivered_at", type_=UtcDateTime), _WEBHOOK.c.delivered_at
        ),
    )
)


def take(
    session: Session,
    *,
    limit: int,
    now: datetime,
    spared: Collection[UUID] = (),
) -> list[Delivery]:
    """Claim what is due, oldest first; the caller commits, then sends.

    Only webhooks of zoom apps that have their Recall app; others stay waiting and are
    due as soon as theirs is created.

    Args:
        session: Writing. On PostgreSQL many workers may do this at once.
        limit: How many at most.
        now: Aware.
        spared: Workspaces that have enough under way.
    """
    targets = _targets(session, spared)
    if not targets or limit <= 0:
        return []
    rows = (
        session.connection()
        .execute(
            _DUE.where(_WEBHOOK.c.due_at <= now, _WEBHOOK.c.zoom_app_id.in_(targets))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        .all()
    )
    if not rows:
        return []
    ids = [row.id for row in rows]
    # Due again when the lease ends: that alone gives a dead worker's claim back.
    session.connection().execute(
        update(_WEBHOOK)
        .where(_WEBHOOK.c.id.in_(ids))
        .values(claim=_WEBHOOK.c.claim + 1, lease_until=now + LEASE, due_at=now + LEASE)
    )
    found = session.connection().execute(
        select(_BODY).where(_BODY.c.webhook_id.in_(ids))
    )
    bodies = {body.webhook_id: body for body in found}
    return [
        Delivery(
            webhook_id=row.id,
            claim=row.claim + 1,
            attempts=row.attempts,
            event=row.event,
            verdict=row.verdict,
            zoom_app_id=row.zoom_app_id,
            recall_app_id=targets[row.zoom_app_id].recall_app_id,
            workspace_id=targets[row.zoom_app_id].workspace_id,
            region=targets[row.zoom_app_id].region,
            headers=bodies[row.id].headers,
            body=bodies[row.id].body,
        )
        for row in rows
    ]


def release_all(session: Session, *, now: datetime) -> None:
    """End every lease; the caller commits. Only where no other worker can be.

    Claims stay as they are, so that a result of before still counts.
    """
    session.connection().execute(
        update(_WEBHOOK)
        .where(_IS_WAITING, _WEBHOOK.c.lease_until.is_not(None))
        .values(lease_until=None, due_at=now)
    )


def is_any_due(session: Session, *, now: datetime) -> bool:
    """Whether there may be something to claim: a look that locks nothing."""
    if not _targets(session, ()):
        return False
    query = select(_WEBHOOK.c.id).where(_IS_WAITING, _WEBHOOK.c.due_at <= now)
    return session.connection().execute(query.limit(1)).first() is not None


def record(session: Session, results: Sequence[Result], *, now: datetime) -> int:
    """Write results back; the caller commits. May be called again after a rollback.

    A result whose claim is no longer the row's changes nothing.

    Args:
        session: Writing.
        results: Of different webhooks.
        now: Aware; the next attempts are counted from here.

    Returns:
        How many still held their claim.
    """
    if not results:
        return 0
    held = _held(session, results)
    attempts: list[dict[str, object]] = []
    changes: list[dict[str, object]] = []
    for each in sorted(held, key=lambda result: result.delivery.webhook_id):
        values = change(each, now=now)
        changes.append(values)
        attempts.append(attempt(each, verdict=values["new_reason"]))
        if each.challenge is not None:
            _note(session, each)
    if held:
        session.connection().execute(insert(_table(Attempt)), attempts)
        session.connection().execute(_CHANGE, changes)
    return len(held)


def resend(session: Session, webhook_id: int, *, now: datetime) -> None:
    """Owe a delivered or dead webhook to Recall once more; the caller commits.

    Bytes, headers and former attempts stay as they are, and nothing is signed anew:
    Recall may refuse a timestamp that is old by now.

    Raises:
        NotFoundError: There is no such webhook.
        ConflictError: It is waiting already, or was only kept.
    """
    done = (Outcome.DELIVERED, Outcome.DEAD)
    resent = session.connection().execute(
        update(_WEBHOOK)
        .where(_WEBHOOK.c.id == webhook_id, _WEBHOOK.c.outcome.in_(done))
        .values(
            outcome=Outcome.WAITING,
            outcome_reason="To be sent again, as staff asked.",
            attempts=0,  # never the claim counter: it tells leases apart
            due_at=now,
            lease_until=None,
        )
    )
    if resent.rowcount:
        return
    outcome = (
        session.connection()
        .execute(select(_WEBHOOK.c.outcome).where(_WEBHOOK.c.id == webhook_id))
        .scalar_one_or_none()
    )
    if outcome is None:
        raise NotFoundError("webhook")
    if outcome == Outcome.KEPT:
        raise ConflictError(
            "This webhook was only kept: Zoom posted it to Recall itself."
        )
    raise ConflictError("This webhook is waiting to be sent already.")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    recall_app_id: UUID
    workspace_id: UUID
    region: str


def _targets(session: Session, spared: Collection[UUID]) -> dict[UUID, _Target]:
    """Return where the webhooks of each zoom app go, for those that have a place."""
    query = select(
        col(ZoomApp.id),
        col(ZoomApp.recall_app_id),
        col(Workspace.id),
        col(Workspace.region),
    ).join(Workspace, col(Workspace.id) == col(ZoomApp.workspace_id))
    rows = session.connection().execute(query)
    return {
        app_id: _Target(
            recall_app_id=recall_app_id, workspace_id=workspace_id, region=region
        )
        for app_id, recall_app_id, workspace_id, region in rows
        if recall_app_id is not None and workspace_id not in spared
    }


def _held(session: Session, results: Sequence[Result]) -> list[Result]:
    """Return the results whose rows are still claimed by them, and lock those rows."""
    rows = session.connection().execute(
        select(_WEBHOOK.c.id, _WEBHOOK.c.claim)
        .where(
            _WEBHOOK.c.id.in_([each.delivery.webhook_id for each in results]),
            _WEBHOOK.c.outcome == Outcome.WAITING,
        )
        .order_by(_WEBHOOK.c.id)
        .with_for_update()
    )
    claims = {row.id: row.claim for row in rows}
    return [
        each
        for each in results
        if claims.get(each.delivery.webhook_id) == each.delivery.claim
    ]


def _note(session: Session, result: Result) -> None:
    if result.challenge is None:
        return
    finding, detail = result.challenge
    validation.record(
        session,
        zoom_app_id=result.delivery.zoom_app_id,
        source=Source.RECALL_CHALLENGE,
        finding=finding,
        detail=detail,
        took_ms=result.latency_ms,
        webhook_id=result.delivery.webhook_id,
        at=result.started_at,
    )
