"""Claims messages that are due, and stores what came of each.

Works on any table with the columns of `Queued`. A message whose worker died is sent
again when its lease ends, with the same id: at least once.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, TypeVar

from sqlmodel import Session, SQLModel, col, select, update

from dashboard.db import leases
from dashboard.errors import SendError
from dashboard.models.alert import MessageOutcome
from dashboard.services.relay import retries

LEASE = timedelta(minutes=3)
"""Longer than any message takes to be sent."""


class Queued(Protocol):
    """The columns that a queue needs, as `AlertMessage` describes them."""

    __tablename__: ClassVar[Any]
    id: int
    outcome: MessageOutcome
    attempts: int
    trouble: str
    due_at: datetime
    lease_until: datetime | None
    claim: int
    ended_at: datetime | None


_LOOKED_AT = 500
"""Messages that are looked at, so that those of one lane don't hide the others."""

Row = TypeVar("Row", bound=SQLModel)


def is_any_due(session: Session, model: type[Row], *, now: datetime) -> bool:
    """Whether a message is due that no process works on."""
    table: Any = model
    query = select(table.id).where(*_due(table, now)).limit(1)
    return session.exec(query).first() is not None


def claim(  # noqa: PLR0913 - what is claimed, all named
    session: Session,
    model: type[Row],
    *,
    lane: str,
    running: Counter[object],
    width: int,
    limit: int,
    now: datetime,
) -> Sequence[Row]:
    """Claim messages that are due, the oldest first; the caller commits.

    Args:
        session: Writing.
        model: The table.
        lane: Its column that says which messages wait for one another.
        running: How many of each lane are being sent.
        width: How many of one lane may be.
        limit: At most so many.
        now: Aware.
    """
    table: Any = model
    lanes, of = Counter(running), col(getattr(table, lane))
    query = select(table, of).where(*_due(table, now))
    full = [each for each, number in lanes.items() if number >= width]
    if full:
        query = query.where(of.not_in(full))
    claimed: list[Row] = []
    for row, which in session.exec(
        query.order_by(table.due_at, table.id).limit(_LOOKED_AT)
    ).all():
        if len(claimed) >= limit:
            break
        if lanes[which] < width and leases.claim(
            session,
            model,
            col(table.id) == row.id,
            col(table.outcome) == MessageOutcome.WAITING,
            until=now + LEASE,
            now=now,
        ):
            lanes[which] += 1
            session.refresh(row)
            claimed.append(row)
    return claimed


def _due(table: Any, now: datetime) -> tuple[Any, ...]:  # noqa: ANN401 - any table of this kind
    return (
        col(table.outcome) == MessageOutcome.WAITING,
        leases.is_due(table.due_at, now),
        leases.is_free(table.lease_until, now),
    )


def release_all(session: Session, model: type[Row]) -> None:
    """Free all claims, where there can be only one worker; the caller commits."""
    table: Any = model
    held = col(table.lease_until).is_not(None)
    session.exec(update(table).where(held).values(lease_until=None))


def store(
    session: Session, row: Queued, error: SendError | None, *, now: datetime
) -> Queued | None:
    """Store what came of an attempt; the caller commits.

    Args:
        session: Writing.
        row: As claimed.
        error: Why it failed; None when it was taken.
        now: Aware.

    Returns:
        The row as it is now; None when another process has claimed it since.
    """
    model: Any = type(row)
    held: Any = leases.held(session, model, col(model.id) == row.id, claim=row.claim)
    if held is None or held.outcome is not MessageOutcome.WAITING:
        return None
    held.lease_until = None
    if error is None:
        held.outcome, held.trouble, held.ended_at = MessageOutcome.SENT, "", now
    else:
        held.attempts += 1
        held.trouble = str(error)[:500]
        due_at = None
        if not error.is_final:
            due_at = retries.next_due(held.attempts, row_id=held.id, now=now)
        if due_at is None:
            held.outcome, held.ended_at = MessageOutcome.DEAD, now
        else:
            held.due_at = due_at
    session.add(held)
    session.flush()
    return held  # type: ignore[no-any-return]  # of any table


def postpone(session: Session, row: Queued, *, until: datetime) -> None:
    """Put off a claimed message without an attempt; the caller commits."""
    _end(session, row, due_at=until)


def drop(session: Session, row: Queued, *, now: datetime) -> None:
    """End a claimed message whose matter is over; the caller commits."""
    _end(session, row, outcome=MessageOutcome.DROPPED, ended_at=now)


def _end(session: Session, row: Queued, **values: object) -> None:
    model: Any = type(row)
    session.exec(
        update(model)
        .where(col(model.id) == row.id, col(model.claim) == row.claim)
        .values(lease_until=None, **values)
    )
