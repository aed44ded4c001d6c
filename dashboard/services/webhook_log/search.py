"""Searches the log at the same cost whatever its size, by the filter of its page.

One condition is answered by its index of (column, id), read from the right end. Of
several, the one with the fewest rows just there is read, and at most `EXAMINED` of its
rows are looked at: a search that does not fill its page says how far it came.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

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

from dashboard.errors import InvalidInputError
from dashboard.models.connection import Connection
from dashboard.models.ids import first_id
from dashboard.models.webhook import (
    DEAD,
    MISTIMED,
    UNREADABLE,
    Mark,
    Outcome,
    Webhook,
)
from dashboard.models.zoom_app import Kind, ZoomApp
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
class Criteria:
    """What to look for: every key at once, with ids between these two, without them.

    Attributes:
        keys: Likely rarest first, which saves a query or two.
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


def find(session: Session, criteria: Criteria, *, place: Place) -> Found:
    """Return the rows at a place in the list of what is wanted."""
    if place.after is not None:
        return _find_newer(session, criteria, after=place.after, limit=place.limit)
    before, limit = place.before, place.limit
    if before is not None:
        criteria = replace(criteria, below=min(criteria.below, before))
    rows, reached = _read_rows(session, criteria, limit=limit + 1, is_falling=True)
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


def count_as_far(session: Session, criteria: Criteria, *, most: int) -> Count:
    """Count as far as `most`."""
    plan = _plan(session, criteria, is_falling=True)
    some = _ids(plan).limit(most).subquery()
    number = session.exec(select(func.count()).select_from(some)).one()
    return Count(number=number, is_whole=number < most and plan.reached is None)


def event_names(session: Session) -> Sequence[str]:
    """Return the event names that were received, sorted; one look each, by index."""
    return session.connection().execute(_EVENT_NAMES).scalars().all()


def _find_newer(
    session: Session, criteria: Criteria, *, after: int, limit: int
) -> Found:
    criteria = replace(criteria, above=max(criteria.above, after))
    rows, reached = _read_rows(session, criteria, limit=limit + 1, is_falling=False)
    shown = rows[:limit][::-1]
    return Found(
        rows=shown,
        older_before=shown[-1].id if shown else after + 1,
        newer_after=shown[0].id if len(rows) > limit else reached,
        reached=reached,
    )


def _read_rows(
    session: Session, criteria: Criteria, *, limit: int, is_falling: bool
) -> tuple[Sequence[Webhook], int | None]:
    """Return rows in order, and where the look ended if that is before the end."""
    plan = _plan(session, criteria, is_falling=is_falling)
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


def _plan(session: Session, criteria: Criteria, *, is_falling: bool) -> _Plan:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    plans = [
        _Plan(
            where=_where(key, criteria, is_sqlite=is_sqlite),
            order=("id",) if key is None else (key.column, "id"),
            is_falling=is_falling,
            rest=[other for other in criteria.keys if other != key],
        )
        for key in criteria.keys or (None,)
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
    key: Key | None, criteria: Criteria, *, is_sqlite: bool
) -> list[ColumnElement[bool]]:
    row_id = _WEBHOOK.c.id
    between = [row_id > criteria.above, row_id < criteria.below]
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
            literal(each, type_=row_id.type)
            for each in (criteria.above, criteria.below)
        )
        between = [pair > tuple_(value, above), pair < tuple_(value, below)]
    if key.only:
        between.append(literal_column(key.only))
    return between


_NOTHING = Criteria(below=0)


@dataclass(frozen=True, kw_only=True)
class WebhookFilter:
    """What to list; None means any.

    Attributes:
        since: Received at this instant or later, aware.
        until: Received before this instant, aware.
        connection_id: About this user or, for an account-level app, this account.
        zoom_account_id: About anybody of this account.
    """

    zoom_app_id: UUID | None = None
    event: str | None = None
    outcome: Outcome | None = None
    mark: Mark | None = None
    meeting_id: int | None = None
    zoom_user_id: str | None = None
    zoom_account_id: str | None = None
    connection_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


MARK_WORDS = {
    Mark.LATE: "Late",
    Mark.CLOCK: "Clock",
    Mark.UNREADABLE: "Unreadable",
}
"""What pages call each mark."""


def resolved(session: Session, filters: WebhookFilter) -> WebhookFilter | None:
    """Return the filter with the connection replaced by its user or account.

    None when nothing can match: there is no such connection, or another app is asked
    for.
    """
    if filters.connection_id is None:
        return filters
    owner = _owner_of(session, filters.connection_id)
    if owner is None:
        return None
    found: dict[str, Any] = {
        "zoom_app_id": owner.zoom_app_id,
        owner.column: owner.value,
    }
    if any(getattr(filters, name) not in (None, found[name]) for name in found):
        return None
    return replace(filters, connection_id=None, **found)


def criteria(session: Session, filters: WebhookFilter) -> Criteria:
    """Return what is to be looked for."""
    known = resolved(session, filters)
    if known is None:
        return _NOTHING
    app_id, outcome = known.zoom_app_id, known.outcome
    pairs: list[tuple[str, object]] = [
        ("meeting_id", known.meeting_id),
        ("zoom_user_id", known.zoom_user_id),
        ("zoom_account_id", known.zoom_account_id),
    ]
    keys = [Key(column=name, value=value) for name, value in pairs if value is not None]
    if known.mark is Mark.UNREADABLE:
        keys.append(Key(column="is_unreadable", value=True, only=UNREADABLE))
    elif known.mark is not None:
        keys.append(Key(column="timing", value=known.mark, only=MISTIMED))
    if outcome is Outcome.DEAD and app_id is not None:
        keys.append(Key(column="zoom_app_id", value=app_id, only=DEAD))
        app_id = outcome = None
    pairs = [("outcome", outcome), ("event", filters.event), ("zoom_app_id", app_id)]
    keys += [
        Key(column=name, value=value) for name, value in pairs if value is not None
    ]
    found = Criteria(keys=tuple(dict.fromkeys(keys)))
    # Time is a bound of the key: ids begin with the millisecond of arrival.
    if filters.since is not None:
        found = replace(found, above=first_id(filters.since) - 1)
    if filters.until is not None:
        found = replace(found, below=first_id(filters.until))
    return found


@dataclass(frozen=True, kw_only=True)
class _Owner:
    """The column and value that a connection's webhooks have."""

    zoom_app_id: UUID
    column: str
    value: str


def _owner_of(session: Session, connection_id: UUID) -> _Owner | None:
    query = (
        select(
            Connection.zoom_app_id,
            Connection.zoom_user_id,
            Connection.zoom_account_id,
            ZoomApp.kind,
        )
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(col(Connection.id) == connection_id)
    )
    found = session.exec(query).first()
    if found is None:
        return None
    app_id, user_id, account_id, kind = found
    column, value = "zoom_user_id", user_id
    if kind is Kind.ACCOUNT_LEVEL:
        column, value = "zoom_account_id", account_id
    if value is None:
        return None
    return _Owner(zoom_app_id=app_id, column=column, value=value)


_LONGEST = 1000


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How one field is written: its name in the query, there and back."""

    name: str
    write: Callable[[Any], str] = str
    read: Callable[[str], Any] = str


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# A field that is missing here cannot be resent by: it is refused, never left out.
_WAYS = {
    "zoom_app_id": _Way(name="zoom_app", read=UUID),
    "event": _Way(name="event"),
    "outcome": _Way(name="outcome", read=Outcome),
    "mark": _Way(name="mark", read=Mark),
    "meeting_id": _Way(name="meeting", read=int),
    "zoom_user_id": _Way(name="user"),
    "zoom_account_id": _Way(name="account"),
    "connection_id": _Way(name="connection", read=UUID),
    "since": _Way(name="since", write=_written, read=_instant),
    "until": _Way(name="until", write=_written, read=_instant),
}
_FIELDS = {way.name: field for field, way in _WAYS.items()}


def to_query(filters: WebhookFilter) -> str:
    """Write a filter as the query string of `/webhooks`; "" for everything.

    Raises:
        InvalidInputError: It cannot be written whole, so nothing may be resent by it.
    """
    asked = {
        each.name: value
        for each in fields(filters)
        if (value := getattr(filters, each.name)) is not None
    }
    if strange := asked.keys() - _WAYS.keys():
        raise InvalidInputError(f"Webhooks can't be resent by {', '.join(strange)}.")
    query = urlencode(
        {_WAYS[name].name: _WAYS[name].write(value) for name, value in asked.items()}
    )
    if len(query) > _LONGEST:
        raise InvalidInputError("This filter is too long to store.")
    return query


def from_query(query: str) -> WebhookFilter:
    """Read what `to_query` wrote.

    Raises:
        ValueError: It is something else; nothing may be resent by it.
    """
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    if strange := {name for name, _ in pairs} - _FIELDS.keys():
        raise ValueError(f"no filter: {sorted(strange)}")
    return WebhookFilter(
        **{_FIELDS[name]: _WAYS[_FIELDS[name]].read(value) for name, value in pairs}
    )
