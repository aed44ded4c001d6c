"""The list of connections: search, filter, sort, page by key, count, export."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Column, String, cast, inspect
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, col, func, select

from dashboard.db import Database
from dashboard.db.columns import is_storable
from dashboard.models.connection import Connection, MeetingMapping, TokenState
from dashboard.services import paging
from dashboard.services.connections.filters import Filters, Narrowed, Sort, narrowed
from dashboard.services.paging import Order, Page

MOST_MEETINGS = 50
MOST_COUNTED = 1000
"""So many of a state are counted where there is a filter; more is "1,000+"."""

_EXPORT_PAGE = 1000


def page(
    session: Session,
    filters: Filters,
    *,
    cursor: str | None = None,
    limit: int = paging.PAGE,
    found: Narrowed | None = None,
) -> Page[Connection]:
    """Return a page; a cursor that cannot be read gives the first one.

    Args:
        session: Reading.
        filters: What to show, and in which order.
        cursor: Of the page; None is the first.
        limit: Rows of a page.
        found: Of the filters, if it is known already.
    """
    found = found or narrowed(session, filters)
    query = select(Connection).where(*found.conditions)
    return paging.page(session, query, _order(filters.sort), cursor=cursor, limit=limit)


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


def _order(sort: Sort) -> Order:
    columns: ColumnCollection[str, Column[Any]] = inspect(Connection).columns
    name = {
        Sort.NAME: "display_name",
        Sort.EMAIL: "email",
        Sort.DUE: "due_at",
        Sort.CONNECTED: "connected_at",
    }[sort]
    return Order(
        name=sort.value,
        columns=[columns[name], columns["id"]],
        is_falling=sort is Sort.CONNECTED,
    )
