"""Calls to Recall as they are counted: slots of 5 s, and pauses that Recall asked for.

The sum over the last 14 slots never exceeds what Recall allows a minute, so no 60 s do,
wherever Recall's own minute begins: 60 s touch 13 slots, and one more is for a call
that is on its way for up to 5 s, or for two hosts whose clocks differ by as much.
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

_KEPT_SLOTS = 10 * SLOTS  # what another host, whose clock is behind, may still count
_ENDED_PAUSES_KEPT = timedelta(hours=1)
# PostgreSQL's advisory locks: any numbers no other lock has.
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
_HELD = select(_PAUSE.c.said_at, _PAUSE.c.until).where(
    _this(_PAUSE), _PAUSE.c.until > bindparam("now")
)
# Also slots that are yet to come: another host's clock may be ahead of ours.
_SPENT = (
    select(_SLOT.c.slot, _SLOT.c.used)
    .where(_this(_SLOT), _SLOT.c.slot.between(bindparam("first"), bindparam("last")))
    .order_by(_SLOT.c.slot)
)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Calls of one operation, (slot, how many) in the order of time."""

    slots: Sequence[tuple[int, int]] = ()

    @property
    def used(self) -> int:
        """Return how many calls count."""
        return sum(used for _, used in self.slots)

    def room_at(self, stops_at: int) -> int | None:
        """Return the slot with room for one more call; None if there is room now."""
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
    """A call that was not counted and may not be made.

    Attributes:
        wait_s: Until it may, in seconds.
        said_at: When Recall asked to wait; None when the budget is spent.
    """

    wait_s: float
    said_at: datetime | None = None


@dataclass(kw_only=True)
class Use:
    """What one workspace asked by one operation in the last minute.

    Attributes:
        said_at: When Recall asked to wait, as long as that is not over.
        until: When it is.
    """

    operation: Operation
    used: int = field(default=0)
    said_at: datetime | None = field(default=None)
    until: datetime | None = field(default=None)


def slot_of(now: datetime) -> int:
    """Return the number of the slot of an instant, aware."""
    return math.floor(now.timestamp() / SLOT_S)


def take(
    connection: Connection,
    scope: str,
    operation: Operation,
    *,
    stops_at: int,
    now: datetime,
) -> Refused | None:
    """Count one call, or say why it may not be made; the caller commits.

    Until then nobody else gets an answer about this budget.

    Args:
        connection: Writing.
        scope: Whose budget.
        operation: Of what.
        stops_at: How many calls may count then, this one included.
        now: Aware.
    """
    dialect, this = (
        connection.dialect.name,
        {"scope": scope, "operation": operation.value},
    )
    if dialect == "postgresql":
        connection.execute(_LOCK, {"budget": f"{scope} {operation}"})
    held = connection.execute(_HELD, {**this, "now": now}).first()
    if held is not None:
        return Refused(wait_s=(held.until - now).total_seconds(), said_at=held.said_at)
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
    """Keep that nobody may call before `until`; the caller commits."""
    values = {"said_at": said_at, "until": until}
    one = insert(connection, _PAUSE).values(
        scope=scope, operation=operation.value, **values
    )
    connection.execute(
        one.on_conflict_do_update(
            index_elements=list(_PAUSE.primary_key),
            set_=values,
            where=_PAUSE.c.until < until,  # an answer that came late shortens nothing
        )
    )


def sweep(connection: Connection, *, now: datetime) -> int:
    """Delete what nobody counts any more; return how many rows. The caller commits."""
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
    """Return what each scope asked in the last minute, the most used share first.

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
    for held in session.exec(pauses).all():
        use = _use(found, held)
        use.said_at, use.until = held.said_at, held.until
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
