"""Stored connections: get one, list, search, filter, sort, page, count, export.

So that a page is quick at 50,000: it is read along an index of its order. That is quick
when many match, for fifty are found soon, and slow when few do. So first as many states
as a few pages hold are read by whatever index serves the filters: if that is all, these
are counted, and the keys of the page are sorted out of them before a row is read.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, String, cast, false, inspect, literal
from sqlalchemy import select as select_columns
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, col, func, not_, or_, select

from dashboard.db import Database
from dashboard.db.columns import Unindexed, is_storable
from dashboard.errors import NotFoundError
from dashboard.models.connection import (
    Connection,
    FormerEmail,
    MeetingMapping,
    SyncStatus,
    TokenState,
)
from dashboard.models.zoom_app import TokenCustody
from dashboard.services import former_emails, paging
from dashboard.services.explain.questions import spellings
from dashboard.services.facts import connections as facts
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Cause, Reader, Shown
from dashboard.services.heartbeats import heartbeats
from dashboard.services.paging import Order, Page
from dashboard.services.zoom_apps.succession import Move, has_moved

MOST_MEETINGS = 50
MOST_COUNTED = 1000
"""So many of a state are counted where there is a filter; more is "1,000+"."""

_EXPORT_PAGE = 1000

FEW = 2000
"""Matches that are sorted; more are read along the order until a page is full."""

_MEETING_NUMBER = re.compile(r"[0-9]{9,11}")

Conditions = list[ColumnElement[bool]]


class Sort(StrEnum):
    """Orders of the list; each ends with the id, so that pages never overlap."""

    CONNECTED = "connected"  # newest first
    NAME = "name"
    EMAIL = "email"
    DUE = "due"  # whose next check comes first


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches.

    Attributes:
        search: Part of a name or email; or a whole email, Zoom ID, your own ID, PMI
            (the former one as well), mapped meeting number or Recall id, which then is
            all.
        state: What it is shown as, as of `as_of`.
        who: Must act.
        unchecked_since: Only those not checked since then, or never.
        reference: Your own id of the user, as a whole; as `email`, `zoom_user_id` and
            `pmi`, each of which is the connection's own and current one.
        tag: One of its tags.
        move: To another zoom app: only those who have moved on to it, or, unless
            `is_moved`, only those who have not.
    """

    search: str = ""
    state: Shown | None = None
    who: Who | None = None
    zoom_app_id: UUID | None = None
    sync: SyncStatus | None = None
    custody: TokenCustody | None = None
    unchecked_since: datetime | None = None
    reference: str = ""
    tag: str = ""
    email: str = ""
    zoom_user_id: str = ""
    pmi: int | None = None
    sort: Sort = Sort.CONNECTED
    move: Move | None = None
    is_moved: bool = False
    as_of: datetime | None = field(default=None, compare=False)

    @property
    def now(self) -> datetime:
        """Return as of when.

        Raises:
            ValueError: It is not said, and what is shown depends on it.
        """
        if self.as_of is None:
            raise ValueError("what a connection is shown as depends on the time")
        return self.as_of


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """The conditions of what matches.

    Attributes:
        are_few: Whether at most `FEW` do, found by these conditions at once.
        counted: How many of each state shown, if few match.
    """

    conditions: Conditions
    are_few: bool = False
    counted: Mapping[Shown, int] | None = None


def get(session: Session, connection_id: UUID) -> Connection:
    """Return the connection.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(Connection, connection_id)
    if row is None:
        raise NotFoundError("connection")
    return row


def listed(
    session: Session, filters: Filters, *, cursor: str | None = None, read: Reader
) -> tuple[Page[Connection], dict[Shown, int] | None]:
    """Return a page and the counts above it, from as few statements as they take.

    Args:
        session: Reading.
        filters: What to show, and in which order.
        cursor: Of the page; None is the first.
        read: The facts.
    """
    if filters.state is None:
        found = narrow(session, filters, read=read)
        counted = counts(session, filters, found=found, read=read)
    else:
        counted = counts(session, filters, read=read)
        found = narrow(session, filters, read=read, counted=counted)
    return page(session, filters, cursor=cursor, found=found), counted


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
    found = found or narrow(session, filters)
    query = select(Connection).where(*found.conditions)
    order = replace(_order(filters.sort), is_along=not found.are_few)
    return paging.page(session, query, order, cursor=cursor, limit=limit)


def counts(
    session: Session,
    filters: Filters,
    *,
    found: Narrowed | None = None,
    read: Reader | None = None,
) -> dict[Shown, int] | None:
    """Return how many match of each state shown, whatever state is filtered for.

    At most 1,001 of each where there is a filter. None where it would take long: many
    match what no index knows of.

    Args:
        session: Reading.
        filters: What is shown.
        found: Of the filters, if it is known already.
        read: The facts, if they were read already.
    """
    matching = replace(filters, state=None)
    if found is None or filters.state is not None:
        found = narrow(session, matching, read=read)
    if found.counted is not None:
        return dict(found.counted)
    broken = read.causes if read else facts.causes(session, now=filters.now)
    if not found.conditions:
        total: Counter[Shown] = Counter()
        for (_, shown), n in facts.counts(
            session, broken=broken, now=filters.now
        ).items():
            total[shown] += n
        return {each: total[each] for each in Shown}
    if replace(matching, zoom_app_id=None, sort=Sort.CONNECTED) != Filters():
        return None
    some = {
        each: select(Connection.id)
        .where(
            *found.conditions,
            facts.is_shown_as(each, broken=broken, now=filters.now),
        )
        .limit(MOST_COUNTED + 1)
        .subquery()
        for each in Shown
    }
    return {
        each: session.exec(select(func.count()).select_from(rows)).one()
        for each, rows in some.items()
    }


def everything(database: Database, filters: Filters) -> Iterator[Connection]:
    """Yield all that match, in order, with no transaction held open between pages."""
    cursor: str | None = None
    with database.reading() as session:
        found = narrow(session, filters)
    while True:
        with database.reading() as session:
            some = page(
                session, filters, cursor=cursor, limit=_EXPORT_PAGE, found=found
            )
        yield from some.rows
        cursor = some.older
        if cursor is None:
            return


def once_called(
    session: Session, rows: Sequence[Connection], text: str
) -> Mapping[UUID, FormerEmail]:
    """Return which of some rows are found by an email that is theirs no more."""
    text = text.strip()
    if "@" not in text or not is_storable(text):
        return {}
    ids = {row.id for row in rows}
    found = former_emails.found(session, spellings(text), limit=FEW)
    return {one.connection_id: one for one in found if one.connection_id in ids}


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


def _searched(session: Session, text: str) -> Narrowed:
    """Return the condition of those a search means; none if it is empty.

    What is known as a whole is found by its index; part of a name or an email by
    reading one narrow index from end to end.
    """
    text = text.strip()
    if not text:
        return Narrowed(conditions=[])
    if not is_storable(text):
        return Narrowed(conditions=[false()], are_few=True)
    ids = [
        found
        for one in _exactly(text)
        for found in session.exec(select(Connection.id).where(one).limit(FEW + 1)).all()
    ]
    # Only the users of one account can be so many.
    wide = Unindexed(col(Connection.zoom_account_id)) == text
    if not ids and _uuid(text) is None:
        wide = col(Connection.search_text).contains(text.lower(), autoescape=True)
        query = select(Connection.id).where(wide).limit(FEW + 1)
        ids = list(session.exec(query).all())
    if len(ids) > FEW:
        return Narrowed(conditions=[wide])
    return Narrowed(conditions=[_one_of(ids)], are_few=True)


def narrow(
    session: Session,
    filters: Filters,
    *,
    read: Reader | None = None,
    counted: Mapping[Shown, int] | None = None,
) -> Narrowed:
    """Return the conditions to read pages by, after counting up to a limit.

    Args:
        session: Reading.
        filters: What to show.
        read: The facts, if they were read already.
        counted: What matches whatever its state, if it was counted already.
    """
    found = _searched(session, filters.search)
    broken: Mapping[UUID, Cause] = {}
    waits_since = None
    if filters.as_of is not None:
        broken = read.causes if read else facts.causes(session, now=filters.now)
    if filters.who in (Who.NOBODY, Who.OPERATOR) and filters.as_of is not None:
        worker = read.worker if read else heartbeats.find(session, now=filters.as_of)
        waits_since = None if worker.is_alive else filters.as_of
    wanted = _where(filters, broken, waits_since)
    if not wanted and not found.are_few:
        return found
    conditions = [*wanted, *found.conditions]
    along = _where(filters, broken, waits_since, is_along=True)
    many = Narrowed(conditions=[*along, *found.conditions])
    if counted is not None and filters.state is not None:
        number = counted[filters.state]
        few = Narrowed(conditions=conditions if number else [false()], are_few=True)
        return many if number > MOST_COUNTED else few
    states = _states(session, conditions, broken, filters.as_of)
    if len(states) > FEW:
        return many
    return Narrowed(
        conditions=conditions if states else [false()],
        are_few=True,
        counted=None if filters.as_of is None else _counted(states),
    )


def _states(
    session: Session,
    conditions: Conditions,
    broken: Mapping[UUID, Cause],
    as_of: datetime | None,
) -> Sequence[tuple[TokenState, bool]]:
    """Return the token state of each that matches, and whether it is outdated.

    Of one more than `FEW` at most.
    """
    outdated: ColumnElement[bool] = false()
    if as_of is not None:
        outdated = facts.is_shown_as(
            Shown.LAST_SEEN_HEALTHY,
            broken=broken,
            now=as_of,
            is_along=True,
            by_state=False,
        )
    query = select_columns(col(Connection.token_state), outdated).where(*conditions)
    found = session.connection().execute(query.limit(FEW + 1))
    return [(state, bool(is_outdated)) for state, is_outdated in found]


def _counted(states: Sequence[tuple[TokenState, bool]]) -> Mapping[Shown, int]:
    counted = Counter(
        Shown.LAST_SEEN_HEALTHY if is_outdated else Shown(state)
        for state, is_outdated in states
    )
    return {each: counted[each] for each in Shown}


def _where(
    filters: Filters,
    broken: Mapping[UUID, Cause],
    waits_since: datetime | None,
    *,
    is_along: bool = False,
) -> Conditions:
    """Return the conditions; `is_along` to be read along the order's own index.

    That of the usual order exists for each token state and for each zoom app as well.
    """
    has_index = filters.sort is Sort.CONNECTED
    wanted: Conditions = []
    if filters.state is not None:
        wanted.append(
            facts.is_shown_as(
                filters.state,
                broken=broken,
                now=filters.now,
                is_along=is_along,
                by_state=has_index,
            )
        )
    if filters.zoom_app_id is not None:
        app = col(Connection.zoom_app_id)
        has_better = not has_index or filters.state is not None
        by_app = Unindexed(app) if is_along and has_better else app
        wanted.append(by_app == filters.zoom_app_id)
    if filters.who is not None:
        wanted.append(
            facts.acted_on_by(
                filters.who,
                broken=broken,
                waits_since=waits_since,
                is_along=is_along,
            )
        )
    if filters.sync is not None:
        wanted.append(col(Connection.sync_status) == filters.sync)
    if filters.custody is not None:
        wanted.append(col(Connection.token_custody) == filters.custody)
    if filters.unchecked_since is not None:
        checked = col(Connection.token_checked_at)
        by_age = Unindexed(checked) if is_along else checked
        wanted.append(or_(by_age < filters.unchecked_since, by_age.is_(None)))
    wanted += _identified(filters, is_along=is_along)
    if filters.move is not None:
        moved = has_moved(filters.move)
        wanted.append(moved if filters.is_moved else not_(moved))
    return wanted


def _identified(filters: Filters, *, is_along: bool) -> Conditions:
    """Return the conditions on whose connection it is."""
    wanted: Conditions = []
    if filters.reference:
        wanted.append(col(Connection.reference) == filters.reference)
    if filters.email:
        wanted.append(col(Connection.email).in_(spellings(filters.email)))
    if filters.zoom_user_id:
        wanted.append(col(Connection.zoom_user_id) == filters.zoom_user_id)
    if filters.pmi is not None:
        wanted.append(col(Connection.pmi) == filters.pmi)
    if filters.tag:
        tags = col(Connection.tags)
        among = literal(" ") + (Unindexed(tags) if is_along else tags) + literal(" ")
        wanted.append(among.contains(f" {filters.tag.lower()} ", autoescape=True))
    return wanted


def _exactly(text: str) -> Conditions:
    recall_id = _uuid(text)
    if recall_id is not None:
        return [
            col(Connection.recall_credential_id) == recall_id,
            col(Connection.id) == recall_id,
            col(Connection.reference) == text,
        ]
    number = _number(text)
    if number is not None:
        mapped = select(MeetingMapping.connection_id)
        mapped = mapped.where(col(MeetingMapping.meeting_id) == number)
        return [
            col(Connection.pmi) == number,
            col(Connection.previous_pmi) == number,
            col(Connection.id).in_(mapped),
            col(Connection.reference) == text,
        ]
    found = [
        col(Connection.reference) == text,
        col(Connection.zoom_user_id) == text,
        col(Connection.zoom_account_id) == text,
    ]
    if "@" in text:
        emails = spellings(text)
        once = select(FormerEmail.connection_id)
        once = once.where(col(FormerEmail.email).in_(emails))
        found.append(col(Connection.email).in_(emails))
        found.append(col(Connection.id).in_(once))
    return found


def _number(text: str) -> int | None:
    digits = re.sub(r"[\s-]", "", text)
    return int(digits) if _MEETING_NUMBER.fullmatch(digits) else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _one_of(ids: Sequence[UUID]) -> ColumnElement[bool]:
    return col(Connection.id).in_(set(ids)) if ids else false()


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
