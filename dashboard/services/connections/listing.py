"""The list of connections: search, filter, sort, page by key, count, export."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, String, cast, inspect, literal
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, col, func, select, tuple_

from dashboard.db import Database
from dashboard.db.columns import is_storable
from dashboard.models.connection import Connection, MeetingMapping, TokenState
from dashboard.services.connections.filters import Filters, Narrowed, Sort, narrowed

PAGE = 50
MOST_MEETINGS = 50
MOST_COUNTED = 1000
"""So many of a state are counted where there is a filter; more is "1,000+"."""

_EXPORT_PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows, and the cursors of the pages beside them; None where there is none."""

    rows: Sequence[Connection]
    newer: str | None
    older: str | None


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    is_back: bool
    value: str | datetime
    row_id: UUID


def page(
    session: Session,
    filters: Filters,
    *,
    cursor: str | None = None,
    limit: int = PAGE,
    found: Narrowed | None = None,
) -> Page:
    """Return a page; a cursor that cannot be read gives the first one.

    Args:
        session: Reading.
        filters: What to show, and in which order.
        cursor: Of the page; None is the first.
        limit: Rows of a page.
        found: Of the filters, if it is known already.
    """
    found = found or narrowed(session, filters)
    at = _read(filters.sort, cursor)
    name, is_falling = _order(filters.sort)
    columns: ColumnCollection[str, Column[Any]] = inspect(Connection).columns
    keys = [columns[name], columns["id"]]
    backwards = at is not None and at.is_back
    query = select(Connection).where(*found.conditions)
    if at is not None:
        values = zip((at.value, at.row_id), keys, strict=True)
        place = tuple_(*(literal(value, type_=key.type) for value, key in values))
        mark = tuple_(*keys)
        query = query.where(mark < place if is_falling != backwards else mark > place)
    falls = is_falling != backwards
    query = query.order_by(*(key.desc() if falls else key.asc() for key in keys))
    rows = list(session.exec(query.limit(limit + 1)).all())
    has_more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()
    has_older = backwards or has_more
    has_newer = has_more if backwards else at is not None
    return Page(
        rows=rows,
        newer=_write(filters.sort, rows[0], is_back=True)
        if has_newer and rows
        else None,
        older=_write(filters.sort, rows[-1]) if has_older and rows else None,
    )


def counts(
    session: Session, filters: Filters, *, found: Narrowed | None = None
) -> dict[TokenState, int] | None:
    """Return how many match for each token state, whatever state is filtered for.

    At most 1,001 of each where there is a filter. None where it would take long: many
    match what no index knows of.

    Args:
        session: Reading.
        filters: What is shown.
        found: Of the filters, if it is known already.
    """
    matching = replace(filters, state=None)
    if found is None or filters.state is not None:
        found = narrowed(session, matching)
    state = col(Connection.token_state)
    if found.are_few or not found.conditions:
        query = select(state, func.count()).where(*found.conditions).group_by(state)
        grouped = dict(session.exec(query).all())
        return {each: grouped.get(each, 0) for each in TokenState}
    if replace(matching, zoom_app_id=None, sort=Sort.CONNECTED) != Filters():
        return None
    some = {
        each: select(Connection.id)
        .where(*found.conditions, state == each)
        .limit(MOST_COUNTED + 1)
        .subquery()
        for each in TokenState
    }
    return {
        each: session.exec(select(func.count()).select_from(rows)).one()
        for each, rows in some.items()
    }


def everything(database: Database, filters: Filters) -> Iterator[Connection]:
    """Yield all that match, in order, with no transaction held open between pages."""
    cursor: str | None = None
    with database.reading() as session:
        found = narrowed(session, filters)
    while True:
        with database.reading() as session:
            some = page(
                session, filters, cursor=cursor, limit=_EXPORT_PAGE, found=found
            )
        yield from some.rows
        cursor = some.older
        if cursor is None:
            return


def meetings(
    session: Session, connection_id: UUID, *, number: str = ""
) -> Sequence[MeetingMapping]:
    """Return the meetings Recall maps to a connection, newest first, at most 50.

    Args:
        session: Reading.
        connection_id: Whose.
        number: The beginning of a meeting number, in groups or not; "" for all.
    """
    query = select(MeetingMapping).where(
        col(MeetingMapping.connection_id) == connection_id
    )
    digits = re.sub(r"[\s-]", "", number)
    if not is_storable(digits):
        return []
    if digits:
        text = cast(col(MeetingMapping.meeting_id), String)
        query = query.where(text.startswith(digits, autoescape=True))
    order = col(MeetingMapping.synced_at).desc(), col(MeetingMapping.meeting_id)
    return session.exec(query.order_by(*order).limit(MOST_MEETINGS)).all()


def _order(sort: Sort) -> tuple[str, bool]:
    """Return the column to sort by and whether it falls."""
    match sort:
        case Sort.NAME:
            return "display_name", False
        case Sort.EMAIL:
            return "email", False
        case Sort.DUE:
            return "due_at", False
        case Sort.CONNECTED:
            return "connected_at", True


def _write(sort: Sort, row: Connection, *, is_back: bool = False) -> str:
    name, _ = _order(sort)
    value = getattr(row, name)
    text = value.isoformat() if isinstance(value, datetime) else value
    packed = json.dumps([sort, int(is_back), text, str(row.id)])
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _read(sort: Sort, text: str | None) -> _Cursor | None:
    """Return the place a cursor names; None for one of another order or of no sense."""
    if not text:
        return None
    padded = text + "=" * (-len(text) % 4)
    try:
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        of_sort, is_back, value, row_id = json.loads(packed)
        is_time = sort in (Sort.CONNECTED, Sort.DUE)
        at: str | datetime = datetime.fromisoformat(value) if is_time else str(value)
        found = _Cursor(is_back=is_back == 1, value=at, row_id=UUID(row_id))
    except (binascii.Error, ValueError, TypeError, AttributeError):
        return None
    fits = is_storable(at) if isinstance(at, str) else at.tzinfo is not None
    return found if of_sort == sort and fits else None
