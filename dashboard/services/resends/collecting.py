"""Lists the webhooks of a resend, a batch a transaction, and notes when it is done.

What may take long, the search, happens in a reading session; a writing transaction
touches the rows of one batch by key. So the receiver is never kept waiting.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, insert, literal, or_, text, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, exists, select

from dashboard.db import announce
from dashboard.db.columns import BigId, UtcDateTime
from dashboard.models.ids import first_id, new_ids, time_of
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend, ResendState
from dashboard.models.webhook import Webhook
from dashboard.services.resends.previews import sendable
from dashboard.services.resends.queries import from_query
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log.log import WebhookFilter

BATCH = 1000
"""Webhooks a transaction: some 20 ms."""

_BATCHES_A_TURN = 10
_SWEPT_FOR = timedelta(days=1)  # a lease lasts seconds, a worker may be down for longer
_ONE_LISTER = 5_270_031  # PostgreSQL's advisory lock; any number no other lock has
_TABLE = SQLModel.metadata.tables[str(Redelivery.__tablename__)]
_WAITING = col(Redelivery.outcome) == RedeliveryOutcome.WAITING


def run_due(runtime: Runtime, *, batch: int = BATCH) -> int:
    """Do the resends' chores: list, settle, sweep up; return how many rows changed."""
    with runtime.database.reading() as session:
        if not _is_any_open(session, now=runtime.clock.now()):
            return 0
    listed = 0
    for _ in range(_BATCHES_A_TURN):
        added = _gather_next(runtime, batch)
        if added is None:
            break
        listed += added
    with runtime.database.writing() as session:
        settled = finish(session, now=runtime.clock.now())
        swept = cancel_waiting(session, now=runtime.clock.now(), limit=batch)
    return listed + settled + swept


def candidates(session: Session, resend: Resend, *, limit: int) -> Sequence[int]:
    """Return ids of its next webhooks, oldest first; locks nothing, however long."""
    query = select(Webhook.id).where(
        *sendable(session, from_query(resend.query)),
        col(Webhook.id) >= (resend.gathered_below or 0),
        col(Webhook.id) < first_id(time_of(resend.id)),  # what the preview counted
    )
    return session.exec(query.order_by(col(Webhook.id)).limit(limit)).all()


def collect(
    session: Session, seen: Resend, ids: Sequence[int], *, is_last: bool, now: datetime
) -> int:
    """Owe these webhooks by a resend; the caller commits. May be called again.

    Args:
        session: Writing.
        seen: The resend as it was when `candidates` was asked.
        ids: From `candidates`, rising.
        is_last: Whether they are all that was left.
        now: Aware.

    Returns:
        How many were added; 0 too when another worker was faster or it was cancelled.
    """
    resend = session.get(Resend, seen.id, with_for_update=True, populate_existing=True)
    if resend is None or (resend.state, resend.gathered_below) != (
        ResendState.GATHERING,
        seen.gathered_below,
    ):
        return 0
    added = enqueue(session, resend.id, from_query(resend.query), ids, now=now)
    resend.total += added
    resend.gathered_below = None if is_last else ids[-1] + 1
    if is_last:
        resend.state = ResendState.SENDING
    session.add(resend)
    return added


def enqueue(
    session: Session,
    resend_id: int,
    filters: WebhookFilter,
    ids: Sequence[int],
    *,
    now: datetime,
) -> int:
    """Add a redelivery of each webhook that may be sent; the caller commits.

    Each is looked at anew: what waits already, here or in another resend, is left out.

    Returns:
        How many were added.
    """
    if session.connection().dialect.name == "postgresql":
        # Two listers at once would not see each other's rows. SQLite has one writer.
        lock = text("SELECT pg_advisory_xact_lock(:number)")
        session.connection().execute(lock, {"number": _ONE_LISTER})
    first = new_ids(now, len(ids))
    place = func.row_number().over(order_by=col(Webhook.id))
    values = {
        "id": literal(first - 1, BigId)
        + place,  # rising with the webhooks': sent in order
        "resend_id": literal(resend_id, BigId),
        "webhook_id": col(Webhook.id),
        "zoom_app_id": col(Webhook.zoom_app_id),
        "outcome": literal(RedeliveryOutcome.WAITING, _TABLE.c.outcome.type),
        "outcome_reason": literal(""),
        "attempts": literal(0),
        "due_at": literal(now, UtcDateTime),
        "claim": literal(0),
    }
    rows = select_columns(*values.values()).where(
        col(Webhook.id).in_(ids), *sendable(session, filters)
    )
    added = session.connection().execute(
        insert(_TABLE).from_select(list(values), rows, include_defaults=False),
        execution_options={"preserve_rowcount": True},
    )
    if added.rowcount:
        announce(session.connection())
    return added.rowcount


def finish(session: Session, *, now: datetime) -> int:
    """Note which resends have nothing left to send; the caller commits."""
    waiting = exists().where(col(Redelivery.resend_id) == col(Resend.id), _WAITING)
    done = session.connection().execute(
        update(Resend)
        .where(col(Resend.state) == ResendState.SENDING, ~waiting)
        .values(state=ResendState.DONE, ended_at=now)
    )
    return done.rowcount


def cancel_waiting(session: Session, *, now: datetime, limit: int) -> int:
    """Call off what cancelled resends still have waiting; the caller commits.

    What a worker is sending at this moment is left to it: it ends as what came of it,
    or waits again and is called off the next time.

    Returns:
        How many were called off, at most `limit`.
    """
    is_free = or_(
        col(Redelivery.lease_until).is_(None), col(Redelivery.lease_until) <= now
    )
    free = and_(_WAITING, is_free)
    some = (
        select(Redelivery.id)
        .join(Resend, col(Resend.id) == col(Redelivery.resend_id))
        .where(_cancelled(now), free)
        .limit(limit)
    )
    # The conditions stand twice: a row that was claimed meanwhile is seen anew.
    swept = session.connection().execute(
        update(Redelivery)
        .where(col(Redelivery.id).in_(some), free)
        .values(
            outcome=RedeliveryOutcome.CANCELLED,
            outcome_reason="The resend was cancelled before it was sent.",
            lease_until=None,
            ended_at=now,
        )
    )
    return swept.rowcount


def _gather_next(runtime: Runtime, batch: int) -> int | None:
    """Gather one batch of the oldest resend; None when none is gathering."""
    with runtime.database.reading() as session:
        query = select(Resend).where(col(Resend.state) == ResendState.GATHERING)
        seen = session.exec(query.order_by(col(Resend.id)).limit(1)).first()
        if seen is None:
            return None
        ids = candidates(session, seen, limit=batch)
    with runtime.database.writing() as session:
        is_last, now = len(ids) < batch, runtime.clock.now()
        return collect(session, seen, ids, is_last=is_last, now=now)


def _is_any_open(session: Session, *, now: datetime) -> bool:
    is_open = col(Resend.state).in_([ResendState.GATHERING, ResendState.SENDING])
    left = exists().where(col(Redelivery.resend_id) == col(Resend.id), _WAITING)
    query = select(Resend.id).where(or_(is_open, and_(_cancelled(now), left)))
    return session.exec(query.limit(1)).first() is not None


def _cancelled(now: datetime) -> ColumnElement[bool]:
    return and_(
        col(Resend.state) == ResendState.CANCELLED,
        col(Resend.ended_at) > now - _SWEPT_FOR,
    )
