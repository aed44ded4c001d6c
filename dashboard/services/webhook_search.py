"""Looks into the log that cost the same whatever its size.

One condition is answered by its index of (column, id), read from the right end. Of
several, the one with the fewest rows just there is read, and at most `EXAMINED` of its
rows are looked at: a search that does not fill its page says how far it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    literal,
    literal_column,
    tuple_,
)
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from dashboard.models.webhook import Webhook
from dashboard.services.paging import Place

EXAMINED = 2000
"""Rows looked at when several conditions are asked for at once."""

LARGEST_ID = 2**63 - 1
_EVENTS_LISTED = 40
_WEBHOOK = cast("Table", Webhook.__table__)  # type: ignore[attr-defined]  # SQLModel does not type it


@dataclass(frozen=True, kw_only=True)
class Key:
    """A column's value that an index of (column, id) leads to.

    Attributes:
        only: The condition of that index, word for word, when it is a partial one.
    """

    column: str
    value: object
    only: str = ""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to look for: every key at once, with ids between these two, without them.

    Attributes:
        keys: Likely rarest first: that saves a look or two.
    """

    keys: Sequence[Key] = ()
    above: int = -1
    below: int = LARGEST_ID


@dataclass(frozen=True, kw_only=True)
class Found:
    """Rows newest first, and the pages beside them as in `paging.Turn`.

    Attributes:
        reached: The last id looked at, when there may be more beyond it and the rows
            do not fill the page; None otherwise.
    """

    rows: Sequence[Webhook] = ()
    older_before: int | None = None
    newer_after: int | None = None
    reached: int | None = None


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many were seen; there may be more of them unless it `is_whole`."""

    number: int = 0
    is_whole: bool = True


def find(session: Session, wanted: Wanted, *, place: Place) -> Found:
    """Return the rows at a place in the list of what is wanted."""
    if place.after is not None:
        return _find_newer(session, wanted, after=place.after, limit=place.limit)
    before, limit = place.before, place.limit
    if before is not None:
        wanted = replace(wanted, below=min(wanted.below, before))
    rows, reached = _look(session, wanted, limit=limit + 1, is_falling=True)
    shown = rows[:limit]
    newer = None
    if before is not None:
        newer = shown[0].id if shown else before - 1
    return Found(
        rows=shown,
        older_before=shown[-1].id if len(rows) > limit else reached,
        newer_after=newer,
        reached=reached,
    )


def count_as_far(session: Session, wanted: Wanted, *, most: int) -> Count:
    """Count as far as `most`."""
    plan = _plan(session, wanted, is_falling=True)
    if plan.rest:
        some = plan.driver.limit(EXAMINED).subquery()
        query = select_columns(some.c.id).where(*_matches(some, plan.rest))
    else:
        query = plan.driver.with_only_columns(_WEBHOOK.c.id)
    counted = select(func.count()).select_from(query.limit(most).subquery())
    number = session.exec(counted).one()
    return Count(number=number, is_whole=number < most and plan.reached is None)


def event_names(session: Session) -> Sequence[str]:
    """Return the event names that were received, sorted; one look each, by index."""
    first = select_columns(
        func.min(Webhook.event).label("name"), literal(1).label("place")
    )
    seen = first.cte("seen", recursive=True)
    following = (
        select_columns(func.min(Webhook.event))
        .where(col(Webhook.event) > seen.c.name)
        .scalar_subquery()
    )
    seen = seen.union_all(
        select_columns(following, seen.c.place + 1).where(
            seen.c.name.is_not(None), seen.c.place < _EVENTS_LISTED
        )
    )
    names = select_columns(seen.c.name).where(seen.c.name.is_not(None))
    return session.connection().execute(names).scalars().all()


def _find_newer(session: Session, wanted: Wanted, *, after: int, limit: int) -> Found:
    wanted = replace(wanted, above=max(wanted.above, after))
    rows, reached = _look(session, wanted, limit=limit + 1, is_falling=False)
    shown = rows[:limit][::-1]
    return Found(
        rows=shown,
        older_before=shown[-1].id if shown else after + 1,
        newer_after=shown[0].id if len(rows) > limit else reached,
        reached=reached,
    )


def _look(
    session: Session, wanted: Wanted, *, limit: int, is_falling: bool
) -> tuple[Sequence[Webhook], int | None]:
    """Return rows in order, and where the look ended if that is before the end."""
    plan = _plan(session, wanted, is_falling=is_falling)
    if not plan.rest:
        rows = plan.driver.limit(limit).subquery()
    else:
        rows = plan.driver.limit(EXAMINED).subquery()
    columns = [rows.c[name] for name in plan.order]
    query = (
        select(aliased(Webhook, rows))
        .where(*_matches(rows, plan.rest))
        .order_by(*_ordered(columns, is_falling=is_falling))
        .limit(limit)
    )
    found = session.exec(query).all()
    return found, plan.reached if len(found) < limit else None


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which rows to read, in order, and what is still to be asked of each.

    Attributes:
        order: The columns they come ordered by.
        reached: The id of the last row that is looked at; None when those are all.
    """

    driver: Select[Any]
    order: Sequence[str]
    rest: Sequence[Key] = ()
    reached: int | None = None


def _plan(session: Session, wanted: Wanted, *, is_falling: bool) -> _Plan:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    plans = [
        _Plan(
            driver=_driver(key, wanted, is_sqlite=is_sqlite, is_falling=is_falling),
            order=_order(key),
            rest=[other for other in wanted.keys if other != key],
        )
        for key in wanted.keys or (None,)
    ]
    if len(plans) == 1:
        return plans[0]
    ends: list[int] = []
    for plan in plans:
        last = (
            plan.driver.with_only_columns(_WEBHOOK.c.id).offset(EXAMINED - 1).limit(1)
        )
        reached = session.connection().execute(last).scalar()
        if reached is None:
            return plan
        ends.append(reached)
    # Whose rows reach furthest has the fewest of them just here.
    furthest = min(ends) if is_falling else max(ends)
    return replace(plans[ends.index(furthest)], reached=furthest)


def _driver(
    key: Key | None, wanted: Wanted, *, is_sqlite: bool, is_falling: bool
) -> Select[Any]:
    columns: list[Column[Any]] = [_WEBHOOK.c[name] for name in _order(key)]
    between = [_WEBHOOK.c.id > wanted.above, _WEBHOOK.c.id < wanted.below]
    if key is not None:
        between.append(columns[0] == key.value)
    if key is not None and not is_sqlite:
        # PostgreSQL would rather read the whole log backwards than the index when it
        # thinks the value common, which it may be elsewhere in the log. Compared as a
        # pair and ordered by it, only the index will do.
        between = [
            tuple_(*columns) > tuple_(*_pair(columns, key.value, wanted.above)),
            tuple_(*columns) < tuple_(*_pair(columns, key.value, wanted.below)),
        ]
    if key is not None and key.only:
        between.append(literal_column(key.only))
    ordered = _ordered(columns, is_falling=is_falling)
    return select_columns(_WEBHOOK).where(*between).order_by(*ordered)


def _pair(columns: Sequence[Column[Any]], *values: object) -> list[ColumnElement[Any]]:
    return [
        literal(value, type_=column.type)
        for column, value in zip(columns, values, strict=True)
    ]


def _order(key: Key | None) -> Sequence[str]:
    return ("id",) if key is None else (key.column, "id")


def _ordered(
    columns: Sequence[ColumnElement[Any]], *, is_falling: bool
) -> list[ColumnElement[Any]]:
    return [column.desc() if is_falling else column.asc() for column in columns]


def _matches(rows: FromClause, keys: Sequence[Key]) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = [rows.c[key.column] == key.value for key in keys]
    return found + [literal_column(key.only) for key in keys if key.only]
