"""Counts of calls to Recall in slots of 5 s, and pauses that Recall asked for.

The sum over the last 14 slots never exceeds Recall's limit for a minute, so no 60 s do,
wherever Recall's minute begins: 60 s touch 13 slots, and one more covers a call that
takes up to 5 s to arrive, or hosts whose clocks differ by as much.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    select,
)
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from dashboard.clients.recall.operations import Operation
from dashboard.db.statements import insert, rows_changed
from dashboard.models.workspace import RatePause, RateSlot

SLOT_S = 5
SLOTS = 14

_KEPT_SLOTS = 10 * SLOTS  # a host whose clock is behind may still count them
_ENDED_PAUSES_KEPT = timedelta(hours=1)
# PostgreSQL's advisory locks: numbers that no other lock uses.
_COUNTING, _SWEEPING = 5_270_032, 5_270_033

_SLOT: Table = SQLModel.metadata.tables[str(RateSlot.__tablename__)]
_PAUSE: Table = SQLModel.metadata.tables[str(RatePause.__tablename__)]


def _this(table: Table) -> ColumnElement[bool]:
    return and_(
        table.c.scope == bindparam("scope"),
        table.c.operation == bindparam("operation"),
    )


# Built once: building a statement takes longer than running it.
_COUNT: dict[str, Any] = {}
_LOCK = select(
    func.pg_advisory_xact_lock(
        _COUNTING, func.hashtext(bindparam("budget", type_=String))
    )
)
_PAUSED = select(_PAUSE.c.said_at, _PAUSE.c.until).where(
    _this(_PAUSE), _PAUSE.c.until > bindparam("now")
)
# Future slots too: another host's clock may be ahead of ours.
_SPENT = (
    select(_SLOT.c.slot, _SLOT.c.used)
    .where(_this(_SLOT), _SLOT.c.slot.between(bindparam("first"), bindparam("last")))
    .order_by(_SLOT.c.slot)
)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Calls of one operation as (slot, count), in order of time."""

    slots: Sequence[tuple[int, int]] = ()

    @property
    def used(self) -> int:
        """Return how many calls count."""
        return sum(used for _, used in self.slots)

    def room_at(self, stops_at: int) -> int | None:
        """Return the slot that allows one more call; None if one is allowed now."""
        left = self.used
        if left < stops_at:
            return None
        for slot, used in self.slots:
            left -= used
            if left < stops_at:
                return slot + SLOTS
        return None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A call that was not counted and must not be made.

    Attributes:
        wait_s: Until it may be made, in seconds.
        said_at: When Recall asked us to wait; None when the limit is used up.
    """

    wait_s: float
    said_at: datetime | None = None


@dataclass(kw_only=True)
class Use:
    """How often one workspace called one operation in the last minute.

    Attributes:
        said_at: When Recall asked us to wait, while that lasts.
        until: When it ends.
    """

    operation: Operation
    used: int = field(default=0)
    said_at: datetime | None = field(default=None)
    until: datetime | None = field(default=None)


def slot_of(now: datetime) -> int:
    """Return the slot number of an instant, aware."""
    return math.floor(now.timestamp() / SLOT_S)


def take(
    connection: Connection,
    scope: str,
    operation: Operation,
    *,
    stops_at: int,
    now: datetime,
) -> Refused | None:
    """Count one call, or return why it must not be made; the caller commits.

    Until then other processes wait for an answer about this limit.

    Args:
        connection: Writing.
        scope: From `rate_limits.scope_of`.
        operation: The one to be called.
        stops_at: How many calls may be counted, this one included.
        now: Aware.
    """
    dialect, this = (
        connection.dialect.name,
        {"scope": scope, "operation": operation.value},
    )
    if dialect == "postgresql":
        connection.execute(_LOCK, {"budget": f"{scope} {operation}"})
    paused = connection.execute(_PAUSED, {**this, "now": now}).first()
    if paused is not None:
        return Refused(
            wait_s=(paused.until - now).total_seconds(), said_at=paused.said_at
        )
    first, last = _window(now)
    rows = connection.execute(_SPENT, {**this, "first": first, "last": last}).all()
    room_at = Spent(slots=[(row.slot, row.used) for row in rows]).room_at(stops_at)
    if room_at is not None:
        return Refused(wait_s=room_at * SLOT_S - now.timestamp())
    connection.execute(_count(connection), {**this, "slot": slot_of(now), "used": 1})
    return None


def pause(
    connection: Connection,
    scope: str,
    operation: Operation,
    *,
    said_at: datetime,
    until: datetime,
) -> None:
    """Store that no one may call before `until`; the caller commits."""
    values = {"said_at": said_at, "until": until}
    one = insert(connection, _PAUSE).values(
        scope=scope, operation=operation.value, **values
    )
    connection.execute(
        one.on_conflict_do_update(
            index_elements=list(_PAUSE.primary_key),
            set_=values,
            where=_PAUSE.c.until < until,  # a late answer shortens nothing
        )
    )


def sweep(connection: Connection, *, now: datetime) -> int:
    """Delete old slots and pauses; return how many rows. The caller commits."""
    if connection.dialect.name == "postgresql":
        is_free = select(func.pg_try_advisory_xact_lock(_SWEEPING))
        if not connection.execute(is_free).scalar_one():
            return 0
    slots = delete(_SLOT).where(_SLOT.c.slot < slot_of(now) - _KEPT_SLOTS)
    pauses = delete(_PAUSE).where(_PAUSE.c.until < now - _ENDED_PAUSES_KEPT)
    return sum(rows_changed(connection.execute(each)) for each in (slots, pauses))


def uses(
    session: Session, *, now: datetime, scopes: Collection[str] | None = None
) -> dict[str, list[Use]]:
    """Return each scope's calls in the last minute, the most used share first.

    Args:
        session: Reading.
        now: Aware.
        scopes: Only these; None is all.
    """
    known = list(Operation)
    first, last = _window(now)
    slots = select_rows(RateSlot).where(
        col(RateSlot.slot).between(first, last), col(RateSlot.operation).in_(known)
    )
    pauses = select_rows(RatePause).where(
        col(RatePause.until) > now, col(RatePause.operation).in_(known)
    )
    if scopes is not None:
        slots = slots.where(col(RateSlot.scope).in_(scopes))
        pauses = pauses.where(col(RatePause.scope).in_(scopes))
    found: dict[tuple[str, str], Use] = {}
    for row in session.exec(slots).all():
        _use(found, row).used += row.used
    for paused in session.exec(pauses).all():
        use = _use(found, paused)
        use.said_at, use.until = paused.said_at, paused.until
    by_scope: dict[str, list[Use]] = {}
    for (scope, _), use in found.items():
        by_scope.setdefault(scope, []).append(use)
    for each in by_scope.values():
        each.sort(key=lambda use: (-use.used / use.operation.a_minute, use.operation))
    return by_scope


def _count(connection: Connection) -> Any:  # noqa: ANN401 - the Insert of either dialect
    dialect = connection.dialect.name
    if dialect not in _COUNT:
        _COUNT[dialect] = insert(connection, _SLOT).on_conflict_do_update(
            index_elements=list(_SLOT.primary_key), set_={"used": _SLOT.c.used + 1}
        )
    return _COUNT[dialect]


def _use(found: dict[tuple[str, str], Use], row: RateSlot | RatePause) -> Use:
    fresh = Use(operation=Operation(row.operation))
    return found.setdefault((row.scope, row.operation), fresh)


def _window(now: datetime) -> tuple[int, int]:
    """Return the first and the last slot that count."""
    current = slot_of(now)
    return current - SLOTS + 1, current + SLOTS - 1
