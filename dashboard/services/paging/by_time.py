"""Pages of rows by time, newest first, of one zoom app or of all: by key and index.

For rows with `zoom_app_id`, `created_at` and `id` under an index of that order. Zoom
apps are few: each gives its newest keys, and the newest of them all make the page. What
is filtered by its state lies under an index of state and `expires_at`, and comes in
that order.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, inspect, literal
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, select, tuple_

from dashboard.models.zoom_app import ZoomApp

PAGE = 50


class Timed(Protocol):
    """A row of a zoom app with its time."""

    id: UUID
    created_at: datetime


Row = TypeVar("Row", bound=Timed)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """Some rows; `older` is the cursor of the next page, None on the last."""

    rows: Sequence[Row]
    older: str | None


def page(  # noqa: PLR0913 - a query and its place, all named
    session: Session,
    model: type[Row],
    *,
    state: tuple[str, StrEnum] | None = None,
    zoom_app_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[Row]:
    """Return a page; a cursor that cannot be read gives the first one.

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
    keys = [columns[by], columns["id"]]
    wanted: list[ColumnElement[bool]] = []
    at = _read(by, cursor)
    if at is not None:
        place = tuple_(
            *(literal(one, type_=key.type) for one, key in zip(at, keys, strict=True))
        )
        wanted.append(tuple_(*keys) < place)
    of_apps: Sequence[UUID | None] = [zoom_app_id]
    if state is not None:
        wanted.append(columns[state[0]] == state[1])
    elif zoom_app_id is None:
        of_apps = session.exec(select(ZoomApp.id)).all()
    found: list[tuple[datetime, UUID]] = []
    for app_id in of_apps:
        query = select(*keys).where(*wanted)
        if app_id is not None:
            query = query.where(columns["zoom_app_id"] == app_id)
        query = query.order_by(*(key.desc() for key in keys)).limit(limit + 1)
        found += [(instant, row_id) for instant, row_id in session.exec(query)]
    found.sort(key=lambda key: (key[0], key[1].hex), reverse=True)
    chosen = found[:limit]
    order = {row_id: number for number, (_, row_id) in enumerate(chosen)}
    rows = session.exec(select(model).where(columns["id"].in_(order))).all()
    return Page(
        rows=sorted(rows, key=lambda row: order[row.id]),
        older=_write(by, *chosen[-1]) if len(found) > limit else None,
    )


def _write(by: str, instant: datetime, row_id: UUID) -> str:
    packed = json.dumps([by, instant.isoformat(), str(row_id)])
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _read(by: str, text: str | None) -> tuple[datetime, UUID] | None:
    """Return the place a cursor names; None for one of another order or of no sense."""
    if not text:
        return None
    padded = text + "=" * (-len(text) % 4)
    try:
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        of, at, row_id = json.loads(packed)
        found = datetime.fromisoformat(at), UUID(row_id)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        return None
    return found if of == by and found[0].tzinfo is not None else None
