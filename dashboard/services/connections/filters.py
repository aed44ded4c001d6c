"""What the list of connections is narrowed to, so that a page is quick at 50,000.

A page is read along an index of its order. That is quick when many match, for fifty are
found soon, and slow when few do. So first so many ids as a few pages hold are looked
for by whatever index serves the filters: if that is all, the page is made of these.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, false
from sqlmodel import Session, col, not_, or_, select

from dashboard.db.columns import Unindexed, is_storable
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenState,
)
from dashboard.models.zoom_app import TokenCustody
from dashboard.services.token_states import who_acts
from dashboard.services.token_states.who_acts import Who
from dashboard.services.zoom_apps.succession import Move, has_moved

FEW = 2000
"""Matches that are sorted; more are read along the order until a page is full."""

_MEETING_NUMBER = re.compile(r"[0-9]{9,11}")

Conditions = list[ColumnElement[bool]]


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
        search: Part of a name or e-mail; or a whole e-mail, Zoom id, PMI (the former
            one as well), mapped meeting number or Recall id, which then is all.
        who: Must act.
        unchecked_since: Only those not looked at since then, or never.
        move: To another zoom app: only those who have moved on to it, or, unless
            `is_moved`, only those who have not.
    """

    search: str = ""
    state: TokenState | None = None
    who: Who | None = None
    zoom_app_id: UUID | None = None
    sync: SyncStatus | None = None
    custody: TokenCustody | None = None
    unchecked_since: datetime | None = None
    sort: Sort = Sort.CONNECTED
    move: Move | None = None
    is_moved: bool = False


@dataclass(frozen=True, kw_only=True)
class Narrowed:
    """The conditions of what matches; `are_few` if they name single rows."""

    conditions: Conditions
    are_few: bool = False


def searched(session: Session, text: str) -> Narrowed:
    """Return the condition of those a search means; none if it is empty.

    What is known as a whole is found by its index; part of a name or an e-mail by
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


def narrowed(session: Session, filters: Filters) -> Narrowed:
    """Return the conditions to read pages by, after a look at how many there are."""
    found = searched(session, filters.search)
    wanted = _where(filters)
    if not wanted:
        return found
    query = select(Connection.id).where(*wanted, *found.conditions)
    ids = session.exec(query.limit(FEW + 1)).all()
    if len(ids) <= FEW:
        return Narrowed(conditions=[_one_of(ids)], are_few=True)
    return Narrowed(conditions=[*_where(filters, is_along=True), *found.conditions])


def _where(filters: Filters, *, is_along: bool = False) -> Conditions:
    """Return the conditions; `is_along` to be read along the order's own index.

    That of the usual order exists for each token state and for each zoom app as well.
    """
    has_index = filters.sort is Sort.CONNECTED
    wanted: Conditions = []
    if filters.state is not None:
        state = col(Connection.token_state)
        by_state = Unindexed(state) if is_along and not has_index else state
        wanted.append(by_state == filters.state)
    if filters.zoom_app_id is not None:
        app = col(Connection.zoom_app_id)
        has_better = not has_index or filters.state is not None
        by_app = Unindexed(app) if is_along and has_better else app
        wanted.append(by_app == filters.zoom_app_id)
    if filters.who is not None:
        wanted.append(who_acts.acted_on_by(filters.who, is_along=is_along))
    if filters.sync is not None:
        wanted.append(col(Connection.sync_status) == filters.sync)
    if filters.custody is not None:
        wanted.append(col(Connection.token_custody) == filters.custody)
    if filters.unchecked_since is not None:
        checked = col(Connection.token_checked_at)
        by_age = Unindexed(checked) if is_along else checked
        wanted.append(or_(by_age < filters.unchecked_since, by_age.is_(None)))
    if filters.move is not None:
        moved = has_moved(filters.move)
        wanted.append(moved if filters.is_moved else not_(moved))
    return wanted


def _exactly(text: str) -> Conditions:
    recall_id = _uuid(text)
    if recall_id is not None:
        return [
            col(Connection.recall_credential_id) == recall_id,
            col(Connection.id) == recall_id,
        ]
    number = _number(text)
    if number is not None:
        mapped = select(MeetingMapping.connection_id)
        mapped = mapped.where(col(MeetingMapping.meeting_id) == number)
        return [
            col(Connection.pmi) == number,
            col(Connection.previous_pmi) == number,
            col(Connection.id).in_(mapped),
        ]
    found = [
        col(Connection.zoom_user_id) == text,
        col(Connection.zoom_account_id) == text,
    ]
    if "@" in text:
        found.append(col(Connection.email).in_({text, text.lower()}))
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
