"""The list of connections: search, filter, sort, page by key, count, export."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    String,
    cast,
    false,
    inspect,
    literal,
)
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, col, func, not_, or_, select, tuple_

from dashboard.db import Database
from dashboard.models.connection import Connection, MeetingMapping, TokenState
from dashboard.services.succession import Move, has_moved

PAGE = 50
MOST_MEETINGS = 50

_EXPORT_PAGE = 500
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MEETING_NUMBER = re.compile(r"[0-9]{9,11}")


class Sort(StrEnum):
    """Orders of the list; each ends with the id, so that pages never overlap."""

    CONNECTED = "connected"  # newest first
    NAME = "name"
    EMAIL = "email"
    DUE = "due"  # whose next look comes first


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches.

    Attributes:
        search: Part of a name or e-mail, or a whole Zoom user id, PMI or Recall id.
        move: To another zoom app: only those who have moved on to it, or, unless
            `is_moved`, only those who have not.
    """

    search: str = ""
    state: TokenState | None = None
    zoom_app_id: UUID | None = None
    sort: Sort = Sort.CONNECTED
    move: Move | None = None
    is_moved: bool = False


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
    session: Session, filters: Filters, *, cursor: str | None = None, limit: int = PAGE
) -> Page:
    """Return a page; a cursor that cannot be read gives the first one."""
    at = _read(filters.sort, cursor)
    name, is_falling = _order(filters.sort)
    columns: ColumnCollection[str, Column[Any]] = inspect(Connection).columns
    keys = [columns[name], columns["id"]]
    backwards = at is not None and at.is_back
    query = select(Connection).where(*_where(filters))
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


def counts(session: Session, filters: Filters) -> dict[TokenState, int]:
    """Return how many match for each token state, whatever state is filtered for."""
    matching = _where(replace(filters, state=None))
    query = (
        select(Connection.token_state, func.count())
        .where(*matching)
        .group_by(col(Connection.token_state))
    )
    found = dict(session.exec(query).all())
    return {state: found.get(state, 0) for state in TokenState}


def everything(database: Database, filters: Filters) -> Iterator[Connection]:
    """Yield all that match, in order, with no transaction held open between pages."""
    cursor: str | None = None
    while True:
        with database.reading() as session:
            found = page(session, filters, cursor=cursor, limit=_EXPORT_PAGE)
        yield from found.rows
        cursor = found.older
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
    if not _is_storable(digits):
        return []
    if digits:
        text = cast(col(MeetingMapping.meeting_id), String)
        query = query.where(text.startswith(digits, autoescape=True))
    order = col(MeetingMapping.synced_at).desc(), col(MeetingMapping.meeting_id)
    return session.exec(query.order_by(*order).limit(MOST_MEETINGS)).all()


def _where(filters: Filters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if filters.state is not None:
        wanted.append(col(Connection.token_state) == filters.state)
    if filters.zoom_app_id is not None:
        wanted.append(col(Connection.zoom_app_id) == filters.zoom_app_id)
    if filters.move is not None:
        moved = has_moved(filters.move)
        wanted.append(moved if filters.is_moved else not_(moved))
    if filters.search.strip():
        wanted.append(_found_by(filters.search.strip()))
    return wanted


def _found_by(text: str) -> ColumnElement[bool]:
    if not _is_storable(text):
        return false()
    recall_id = _uuid(text)
    if recall_id is not None:
        return or_(
            col(Connection.recall_credential_id) == recall_id,
            col(Connection.id) == recall_id,
        )
    number = re.sub(r"[\s-]", "", text)
    if _MEETING_NUMBER.fullmatch(number):
        return or_(
            col(Connection.pmi) == int(number),
            col(Connection.previous_pmi) == int(number),
        )
    return or_(
        col(Connection.email).icontains(text, autoescape=True),
        col(Connection.display_name).icontains(text, autoescape=True),
        col(Connection.zoom_user_id) == text,
        col(Connection.zoom_account_id) == text,
    )


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
    fits = _is_storable(at) if isinstance(at, str) else at.tzinfo is not None
    return found if of_sort == sort and fits else None


def _is_storable(text: str) -> bool:
    """Whether every database takes the text: no NUL, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
