"""Pages by key: rows that arrive meanwhile never shift what is being read.

Three lists, one way each: `page_by_id` for rows whose ID rises with time, with IDs as
places; `page` for rows in any order, with opaque cursors both ways; `page_by_time` for
rows of one zoom app or of all, newest first. Imports the database and the models.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, Self, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Uuid, inspect, literal
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, col, select, tuple_
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.db.columns import Unindexed, UtcDateTime, is_storable
from dashboard.models.zoom_app import ZoomApp

PAGE = 50


class Numbered(Protocol):
    """A row whose ID rises with time."""

    id: int


class Timed(Protocol):
    """A row of a zoom app with its time."""

    id: UUID
    created_at: datetime


Row = TypeVar("Row")
NumberedRow = TypeVar("NumberedRow", bound=Numbered)
TimedRow = TypeVar("TimedRow", bound=Timed)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a list by ID: at its top unless one of the IDs is given.

    Attributes:
        before: Only IDs below this one: the next older page.
        after: Only IDs above this one, the nearest of them: the next newer page.
        limit: Rows of a page.
    """

    before: int | None = None
    after: int | None = None
    limit: int = PAGE


@dataclass(frozen=True, kw_only=True)
class IdPage(Generic[NumberedRow]):
    """One page, newest first.

    Attributes:
        older_before: `before` of the next older page; None on the oldest.
        newer_after: `after` of the next newer page; None on the newest.
    """

    rows: Sequence[NumberedRow]
    older_before: int | None
    newer_after: int | None


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """Some rows in order, and the cursors of the pages beside them, if there are any.

    Attributes:
        older: Cursor of the next page; None on the last.
        newer: Cursor of the page before; None on the first.
    """

    rows: Sequence[Row]
    older: str | None
    newer: str | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a list is sorted by.

    Attributes:
        name: Goes into cursors: a cursor of another order is not read.
        columns: Of texts, instants and UUIDs; the last is the key.
        is_falling: Whether the greatest comes first.
        is_along: Whether rows are read along an index of the columns; else few match,
            and their keys are sorted before a row is read.
    """

    name: str
    columns: Sequence[Column[Any]]
    is_falling: bool = True
    is_along: bool = True

    @property
    def keys(self) -> Sequence[ColumnElement[Any]]:
        """The columns as they are compared and sorted."""
        return self.columns if self.is_along else [Unindexed(x) for x in self.columns]


def page_by_id(
    session: Session, query: SelectOfScalar[NumberedRow], key: int, place: Place
) -> IdPage[NumberedRow]:
    """Return the rows of a query (without order) at a place; `key` is `Model.id`."""
    column, query = col(key), query.limit(place.limit + 1)
    if place.after is not None:
        upward = query.where(column > place.after).order_by(column.asc())
        found = list(session.exec(upward))
        has_newer, has_older = len(found) > place.limit, True
        found = found[: place.limit][::-1]
    else:
        if place.before is not None:
            query = query.where(column < place.before)
        found = list(session.exec(query.order_by(column.desc())))
        has_newer, has_older = place.before is not None, len(found) > place.limit
        found = found[: place.limit]
    return IdPage(
        rows=found,
        older_before=found[-1].id if found and has_older else None,
        newer_after=found[0].id if found and has_newer else None,
    )


def page(
    session: Session,
    query: SelectOfScalar[Row],
    order: Order,
    *,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[Row]:
    """Return a page of a query; a cursor that cannot be read gives the first one.

    Args:
        session: Reading.
        query: Of whole rows, without order.
        order: Its columns are attributes of the rows.
        cursor: `older` or `newer` of another page; None for the first.
        limit: Rows of a page.
    """
    at = _Cursor.read(order, cursor)
    if at is not None:
        query = query.where(at.beyond)
    is_back = at is not None and at.is_back
    by = _sorted(order.keys, falls=order.is_falling != is_back)
    if not order.is_along:
        key = order.columns[-1]
        chosen = query.with_only_columns(key).order_by(*by).limit(limit + 1)
        query = select(query.column_descriptions[0]["entity"]).where(key.in_(chosen))
    rows = list(session.exec(query.order_by(*by).limit(limit + 1)))
    has_more = len(rows) > limit
    rows = rows[:limit]
    if is_back:
        rows.reverse()

    def cursor_at(row: Row, *, is_back: bool) -> str:
        values = [getattr(row, str(column.key)) for column in order.columns]
        return _Cursor(order=order, values=values, is_back=is_back).written

    has_older, has_newer = (True, has_more) if is_back else (has_more, at is not None)
    return Page(
        rows=rows,
        older=cursor_at(rows[-1], is_back=False) if rows and has_older else None,
        newer=cursor_at(rows[0], is_back=True) if rows and has_newer else None,
    )


def page_by_time(  # noqa: PLR0913 - a query and its place, all named
    session: Session,
    model: type[TimedRow],
    *,
    state: tuple[str, StrEnum] | None = None,
    zoom_app_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[TimedRow]:
    """Return a page, newest first; a cursor that cannot be read gives the first one.

    For rows with `zoom_app_id`, `created_at` and `id` under an index of that order.
    Zoom apps are few: each gives its newest keys, and the newest of them all make the
    page. What is filtered by its state lies under an index of state and `expires_at`,
    and comes in that order.

    Args:
        session: Reading.
        model: Of the rows.
        state: Name of the column of their state, and the only one wanted.
        zoom_app_id: Of this zoom app alone; None for all.
        cursor: `older` of the page before.
        limit: Rows of a page.
    """
    columns: ColumnCollection[str, Column[Any]] = inspect(model).columns
    by = "created_at" if state is None else "expires_at"
    order = Order(name=by, columns=[columns[by], columns["id"]])
    at = _Cursor.read(order, cursor)
    wanted = [] if at is None else [at.beyond]
    of_apps: Sequence[UUID | None] = [zoom_app_id]
    if state is not None:
        wanted.append(columns[state[0]] == state[1])
    elif zoom_app_id is None:
        of_apps = session.exec(select(ZoomApp.id)).all()
    found: list[tuple[datetime, UUID]] = []
    for app_id in of_apps:
        query = select(*order.columns).where(*wanted)
        if app_id is not None:
            query = query.where(columns["zoom_app_id"] == app_id)
        query = query.order_by(*_sorted(order.columns, falls=True)).limit(limit + 1)
        found += [(instant, row_id) for instant, row_id in session.exec(query)]
    found.sort(key=lambda key: (key[0], key[1].hex), reverse=True)
    chosen = found[:limit]
    ranks = {row_id: rank for rank, (_, row_id) in enumerate(chosen)}
    rows = session.exec(select(model).where(columns["id"].in_(ranks))).all()
    last = _Cursor(order=order, values=chosen[-1]) if len(found) > limit else None
    return Page(
        rows=sorted(rows, key=lambda row: ranks[row.id]),
        older=None if last is None else last.written,
    )


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    """The row a page begins after: what it has in the columns of the order."""

    order: Order
    values: Sequence[object] = field(repr=False)
    is_back: bool = False

    @property
    def beyond(self) -> ColumnElement[bool]:
        """The condition of the rows after this one, or before it when going back."""
        pairs = zip(self.values, self.order.columns, strict=True)
        place = tuple_(*(literal(value, type_=column.type) for value, column in pairs))
        mark = tuple_(*self.order.keys)
        return mark < place if self.order.is_falling != self.is_back else mark > place

    @property
    def written(self) -> str:
        """The cursor as it stands in an address."""
        texts = [
            each.isoformat() if isinstance(each, datetime) else str(each)
            for each in self.values
        ]
        packed = json.dumps([self.order.name, int(self.is_back), *texts])
        return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, order: Order, text: str | None) -> Self | None:
        """Return None for a cursor of another order or of no sense."""
        if not text:
            return None
        padded = text + "=" * (-len(text) % 4)
        try:
            packed = base64.b64decode(padded, altchars=b"-_", validate=True)
            name, is_back, *texts = json.loads(packed)
            values = [
                _value(column, value)
                for column, value in zip(order.columns, texts, strict=True)
            ]
        except (binascii.Error, ValueError, TypeError, AttributeError):
            return None
        if name != order.name:
            return None
        return cls(order=order, values=values, is_back=is_back == 1)


def _value(column: Column[Any], text: object) -> object:
    """Read a column's value.

    Raises:
        ValueError: It is none of this column's, or cannot be stored.
    """
    written = str(text)
    if isinstance(column.type, Uuid):
        return UUID(written)
    if isinstance(column.type, UtcDateTime):
        instant = datetime.fromisoformat(written)
        if instant.tzinfo is None:
            raise ValueError("an instant without a zone")
        return instant
    if not is_storable(written):
        raise ValueError("no text of a database")
    return written


def _sorted(
    columns: Sequence[ColumnElement[Any]], *, falls: bool
) -> list[ColumnElement[Any]]:
    return [column.desc() if falls else column.asc() for column in columns]
