"""Pages of rows by time, newest first, of one zoom app or of all: by key and index.

For rows with `zoom_app_id`, `created_at` and `id` under an index of that order. Zoom
apps are few: each gives its own newest rows, and the newest of them make the page.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    where: Sequence[ColumnElement[bool]] = (),
    zoom_app_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page[Row]:
    """Return a page; a cursor that cannot be read gives the first one.

    Args:
        session: Reading.
        model: Of the rows.
        where: What they must match besides.
        zoom_app_id: Of this zoom app alone; None for all.
        cursor: `older` of the page before.
        limit: Rows of a page.
    """
    columns: ColumnCollection[str, Column[Any]] = inspect(model).columns
    keys = [columns["created_at"], columns["id"]]
    wanted: list[ColumnElement[bool]] = list(where)
    at = _read(cursor)
    if at is not None:
        place = tuple_(
            *(literal(one, type_=key.type) for one, key in zip(at, keys, strict=True))
        )
        wanted.append(tuple_(*keys) < place)
    app_ids = [zoom_app_id] if zoom_app_id else session.exec(select(ZoomApp.id)).all()
    found: list[Row] = []
    for app_id in app_ids:
        query = (
            select(model)
            .where(columns["zoom_app_id"] == app_id, *wanted)
            .order_by(*(key.desc() for key in keys))
            .limit(limit + 1)
        )
        found += session.exec(query).all()
    found.sort(key=lambda row: (row.created_at, row.id.hex), reverse=True)
    rows = found[:limit]
    return Page(rows=rows, older=_write(rows[-1]) if len(found) > limit else None)


def _write(row: Timed) -> str:
    packed = json.dumps([row.created_at.isoformat(), str(row.id)])
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _read(text: str | None) -> tuple[datetime, UUID] | None:
    if not text:
        return None
    padded = text + "=" * (-len(text) % 4)
    try:
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        at, row_id = json.loads(packed)
        found = datetime.fromisoformat(at), UUID(row_id)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        return None
    return found if found[0].tzinfo is not None else None
