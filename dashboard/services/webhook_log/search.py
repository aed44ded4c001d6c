"""Looks into the log that cost the same whatever its size.

One condition is answered by its index of (column, id), read from the right end. Of
several, the one with the fewest rows just there is read, and at most `EXAMINED` of its
rows are looked at: a search that does not fill its page says how far it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    literal,
    literal_column,
    tuple_,
)
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from dashboard.models.webhook import Webhook
from dashboard.services.paging import Place

EXAMINED = 2000
"""Rows looked at when several conditions are asked for at once."""

LARGEST_ID = 2**63 - 1
_EVENTS_LISTED = 40
_WEBHOOK = cast("Table", Webhook.__table__)  # type: ignore[attr-defined]  # SQLModel does not type it


def _event_names() -> Select[str]:
    seen = select_columns(
        func.min(Webhook.event).label("name"), literal(1).label("place")
    ).cte("seen", recursive=True)
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
    return select_columns(seen.c.name).where(seen.c.name.is_not(None))


_EVENT_NAMES = _event_names()


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
    """Rows newest first, and the pages beside them as in `paging.IdPage`.

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
    some = _ids(plan).limit(most).subquery()
    number = session.exec(select(func.count()).select_from(some)).one()
    return Count(number=number, is_whole=number < most and plan.reached is None)


def event_names(session: Session) -> Sequence[str]:
    """Return the event names that were received, sorted; one look each, by index."""
    return session.connection().execute(_EVENT_NAMES).scalars().all()


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
        query = select(Webhook).where(*plan.where).order_by(*plan.ordered(_WEBHOOK))
    else:
        ids = _ids(plan).limit(limit)
        query = select(Webhook).where(_WEBHOOK.c.id.in_(ids))
        query = query.order_by(plan.sorted(_WEBHOOK.c.id))
    rows = session.exec(query.limit(limit)).all()
    return rows, plan.reached if len(rows) < limit else None


def _ids(plan: "_Plan") -> Select[int]:
    """Return a query of the ids that match, in order; it looks at a bounded number."""
    if not plan.rest:
        ids = select_columns(_WEBHOOK.c.id).where(*plan.where)
        return ids.order_by(*plan.ordered(_WEBHOOK))
    names = dict.fromkeys([*plan.order, *(key.column for key in plan.rest), "outcome"])
    some = (
        select_columns(*(_WEBHOOK.c[name] for name in names))
        .where(*plan.where)
        .order_by(*plan.ordered(_WEBHOOK))
        .limit(EXAMINED)
        .subquery()
    )
    matches = [some.c[key.column] == key.value for key in plan.rest]
    matches += [literal_column(key.only) for key in plan.rest if key.only]
    return select_columns(some.c.id).where(*matches).order_by(*plan.ordered(some))


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Which rows to read, in order, and what is still to be asked of each.

    Attributes:
        where: What an index answers.
        order: The columns of that index, by which the rows come.
        reached: The id of the last row that is looked at; None when those are all.
    """

    where: Sequence[ColumnElement[bool]]
    order: Sequence[str]
    is_falling: bool
    rest: Sequence[Key] = ()
    reached: int | None = None

    def ordered(self, rows: FromClause) -> list[ColumnElement[Any]]:
        """Return what to order these rows by."""
        return [self.sorted(rows.c[name]) for name in self.order]

    def sorted(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the column in the direction of reading."""
        return column.desc() if self.is_falling else column.asc()


def _plan(session: Session, wanted: Wanted, *, is_falling: bool) -> _Plan:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    plans = [
        _Plan(
            where=_where(key, wanted, is_sqlite=is_sqlite),
            order=("id",) if key is None else (key.column, "id"),
            is_falling=is_falling,
            rest=[other for other in wanted.keys if other != key],
        )
        for key in wanted.keys or (None,)
    ]
    if len(plans) == 1:
        return plans[0]
    ends: list[int] = []
    for plan in plans:
        last = _ids(replace(plan, rest=())).offset(EXAMINED - 1).limit(1)
        reached = session.connection().execute(last).scalar()
        if reached is None:
            return plan
        ends.append(reached)
    # Whose rows reach furthest has the fewest of them just here.
    furthest = min(ends) if is_falling else max(ends)
    return replace(plans[ends.index(furthest)], reached=furthest)


def _where(
    key: Key | None, wanted: Wanted, *, is_sqlite: bool
) -> list[ColumnElement[bool]]:
    row_id = _WEBHOOK.c.id
    between = [row_id > wanted.above, row_id < wanted.below]
    if key is None:
        return between
    column = _WEBHOOK.c[key.column]
    if is_sqlite:
        between.append(column == key.value)
    else:
        # PostgreSQL would rather read the whole log backwards than the index when it
        # thinks the value common, as its plans for any value do. Compared as a pair
        # with the id and ordered by both, only the index will do.
        value = literal(key.value, type_=column.type)
        pair = tuple_(column, row_id)
        above, below = (
            literal(each, type_=row_id.type) for each in (wanted.above, wanted.below)
        )
        between = [pair > tuple_(value, above), pair < tuple_(value, below)]
    if key.only:
        between.append(literal_column(key.only))
    return between
