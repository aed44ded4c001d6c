"""One connection's timeline: what happened to it, from every source, newest first.

Lines that nothing else stores are `ConnectionEvent`s. Webhooks about the user, connect
attempts and Recall's log of the zoom app are read from where they are, each by its
index, and merged.
"""

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal
from sqlmodel import Session, col, exists, select, tuple_

from dashboard.models.check import Check, Source
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
)
from dashboard.models.ids import first_id, time_of
from dashboard.services.facts import webhooks as webhook_facts
from dashboard.services.paging import Place
from dashboard.services.webhook_log import search
from dashboard.services.webhook_log.search import WebhookFilter

PAGE = 50
"""Lines of a page, unless another limit is given."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_UUID = 2**128 - 1
_LARGEST_ID = 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,17})-([0-3])-([0-9]{1,39})")
_MILLISECOND = timedelta(milliseconds=1)

_ENDED = {
    AttemptOutcome.OPEN: "The user is at Zoom now",
    AttemptOutcome.CONNECTED: "Connected",
    AttemptOutcome.DECLINED: "Connect attempt declined at Zoom",
    AttemptOutcome.EXPIRED: "Connect attempt expired",
    AttemptOutcome.ABANDONED: "Connect attempt abandoned at Zoom",
    AttemptOutcome.WRONG_ACCOUNT: "Connect attempt rejected: another Zoom account",
    AttemptOutcome.REFUSED_BY_RECALL: "Recall rejected a connect attempt",
    AttemptOutcome.REFUSED_BY_ZOOM: "Zoom rejected a connect attempt",
    AttemptOutcome.UNREACHABLE: "Connect attempt interrupted",
    AttemptOutcome.ZOOM_ERROR: "Zoom ended a connect attempt with an error",
}


class Rank(IntEnum):
    """Of lines of one instant, which is the newer; part of a cursor."""

    APP_LOG = 0
    ATTEMPT = 1
    WEBHOOK = 2
    EVENT = 3


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a timeline.

    Attributes:
        source: "dashboard", "zoom" or "recall".
        kind: As in `ConnectionEvent`, or "webhook" or "attempt".
        words: One sentence; holds no secret.
        webhook_id: The webhook it is, to be opened.
        rank: Together with `at` and `number` its place; the same on every page.
    """

    at: datetime
    source: str
    kind: str
    words: str
    webhook_id: int | None = None
    rank: Rank
    number: int

    @property
    def place(self) -> tuple[datetime, int, int]:
        """What lines are ordered by."""
        return self.at, self.rank, self.number

    @property
    def cursor(self) -> str:
        """Names the place of this line: lines before it are older."""
        at_us = (self.at - _EPOCH) // timedelta(microseconds=1)
        return f"{at_us}-{self.rank:d}-{self.number}"


@dataclass(frozen=True, kw_only=True)
class Page:
    """Lines newest first; `older` is the cursor of the page after, None at the end."""

    lines: Sequence[Line]
    older: str | None


@dataclass(frozen=True)
class _Bound:
    """Older than this is wanted; without one, everything."""

    at: datetime
    rank: int
    number: int

    def number_for(self, rank: Rank, largest: int) -> int:
        """Return below which number lines of a rank are older, at this very instant."""
        if rank == self.rank:
            return min(self.number, largest)
        return largest if rank < self.rank else 0

    def id_for(self, rank: Rank) -> int:
        """Return the same for rows whose ID holds their time, to the millisecond."""
        if rank == self.rank:
            return min(self.number, _LARGEST_ID)
        floor = self.at - timedelta(microseconds=self.at.microsecond % 1000)
        is_whole = floor == self.at
        return first_id(
            floor if rank > self.rank and is_whole else floor + _MILLISECOND
        )


def lines(
    session: Session,
    connection: Connection,
    *,
    before: str | None = None,
    limit: int = PAGE,
    has_webhooks: bool = True,
) -> Page:
    """Return a page of the timeline, each source read by its index.

    Args:
        session: Reading.
        connection: Whose.
        before: `Page.older` of the page before; what cannot be read gives the newest.
        limit: Lines of a page.
        has_webhooks: Whether webhooks are among them.
    """
    bound = _read(before)
    found = [
        _events(session, connection, bound, limit + 1),
        _attempts(session, connection, bound, limit + 1),
        _app_log(session, connection, bound, limit + 1),
    ]
    if has_webhooks:
        found.append(_webhooks(session, connection, bound, limit + 1))
    merged = heapq.merge(*found, key=lambda line: line.place, reverse=True)
    shown = list(islice(merged, limit + 1))
    older = shown[limit - 1].cursor if len(shown) > limit else None
    return Page(lines=shown[:limit], older=older)


def _events(
    session: Session, connection: Connection, bound: _Bound | None, limit: int
) -> list[Line]:
    """Return what was noted of the connection itself."""
    query = select(ConnectionEvent).where(
        col(ConnectionEvent.connection_id) == connection.id
    )
    at, row_id = col(ConnectionEvent.at), col(ConnectionEvent.id)
    if bound is not None:
        number = bound.number_for(Rank.EVENT, _LARGEST_ID)
        query = query.where(_is_before(at, row_id, bound.at, number))
    rows = session.exec(query.order_by(at.desc(), row_id.desc()).limit(limit))
    return [
        Line(
            at=row.at,
            source=row.source,
            kind=row.kind,
            words=row.words,
            rank=Rank.EVENT,
            number=row.id,
        )
        for row in rows
    ]


def _attempts(
    session: Session, connection: Connection, bound: _Bound | None, limit: int
) -> list[Line]:
    """Return the connect attempts that were about it."""
    # What ended well has its own line, unless it was made before there were any.
    has_line = exists().where(
        col(ConnectionEvent.connection_id) == connection.id,
        col(ConnectionEvent.at) == col(ConnectAttempt.ended_at),
        col(ConnectionEvent.kind) == "grant",
    )
    query = select(ConnectAttempt).where(
        col(ConnectAttempt.connection_id) == connection.id, ~has_line
    )
    at, row_id = col(ConnectAttempt.created_at), col(ConnectAttempt.id)
    if bound is not None:
        number = bound.number_for(Rank.ATTEMPT, _LARGEST_UUID)
        query = query.where(_is_before(at, row_id, bound.at, UUID(int=number)))
    rows = session.exec(query.order_by(at.desc(), row_id.desc()).limit(limit))
    return [
        Line(
            at=row.created_at,
            source="dashboard",
            kind="attempt",
            words=_attempt_words(row),
            rank=Rank.ATTEMPT,
            number=row.id.int,
        )
        for row in rows
    ]


def _webhooks(
    session: Session, connection: Connection, bound: _Bound | None, limit: int
) -> list[Line]:
    """Return the webhooks about its user or, of an account-level app, its account."""
    criteria = search.criteria(session, WebhookFilter(connection_id=connection.id))
    before = None if bound is None else bound.id_for(Rank.WEBHOOK)
    found = search.find(session, criteria, place=Place(before=before, limit=limit))
    return [
        Line(
            at=time_of(row.id),
            source="zoom",
            kind="webhook",
            words=f"{row.event or 'Webhook'} received. "
            f"{webhook_facts.standing(row).sentence}",
            webhook_id=row.id,
            rank=Rank.WEBHOOK,
            number=row.id,
        )
        for row in found.rows
    ]


def _app_log(
    session: Session, connection: Connection, bound: _Bound | None, limit: int
) -> list[Line]:
    """Return what Recall's log of the zoom app said while it was connected."""
    query = select(Check).where(
        col(Check.zoom_app_id) == connection.zoom_app_id,
        col(Check.source) == Source.RECALL_LOG,
        col(Check.id) >= first_id(connection.connected_at),
    )
    if bound is not None:
        query = query.where(col(Check.id) < bound.id_for(Rank.APP_LOG))
    rows = session.exec(query.order_by(col(Check.id).desc()).limit(limit))
    return [
        Line(
            at=time_of(row.id),
            source="recall",
            kind="log",
            words=f"App-wide: {row.detail}",
            rank=Rank.APP_LOG,
            number=row.id,
        )
        for row in rows
    ]


def _attempt_words(row: ConnectAttempt) -> str:
    words = _ENDED.get(row.outcome, row.outcome.value.replace("_", " "))
    return f"{words}. {row.detail}".strip()


def _is_before(
    at: Any,  # noqa: ANN401 - SQLAlchemy's own
    row_id: Any,  # noqa: ANN401 - as above
    bound_at: datetime,
    bound_id: int | UUID,
) -> ColumnElement[bool]:
    place = tuple_(
        literal(bound_at, type_=at.type), literal(bound_id, type_=row_id.type)
    )
    return tuple_(at, row_id) < place


def _read(text: str | None) -> _Bound | None:
    found = _CURSOR.fullmatch(text or "")
    if found is None:
        return None
    try:
        at = _EPOCH + timedelta(microseconds=int(found[1]))
    except OverflowError:
        return None
    return _Bound(at, int(found[2]), min(int(found[3]), _LARGEST_UUID))
