"""One connection's timeline: what happened to it, from every source, newest first.

Lines that nobody else keeps are `ConnectionEvent`s. Webhooks about the user, attempts
to connect and Recall's log of the zoom app are read from where they are, and merged.
"""

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlmodel import Session, SQLModel

from dashboard.db.statements import insert
from dashboard.models.connection import Connection, ConnectionEvent
from dashboard.models.ids import new_id
from dashboard.services.timeline import sources
from dashboard.services.timeline.sources import EPOCH, LARGEST_UUID, Bound, Line

__all__ = ["PAGE", "Line", "Page", "lines", "note", "note_many"]

PAGE = 50
"""Lines of a page, unless told."""

_TABLE = SQLModel.metadata.tables[str(ConnectionEvent.__tablename__)]
_LONGEST = 500
_CURSOR = re.compile(r"([0-9]{1,17})-([0-3])-([0-9]{1,39})")


@dataclass(frozen=True, kw_only=True)
class Page:
    """Lines newest first; `older` is the cursor of the page after, None at the end."""

    lines: Sequence[Line]
    older: str | None


def note(  # noqa: PLR0913 - one line, all its parts named
    session: Session,
    connection_id: UUID,
    *,
    at: datetime,
    source: str,
    kind: str,
    words: str,
    mark: str | None = None,
) -> bool:
    """Add a line, unless one with its mark is there; tell whether it was added.

    The connection must be in the database already. The caller commits.

    Args:
        session: Writing.
        connection_id: Whose.
        at: When it happened, by the clock of its source; aware.
        source: "dashboard", "zoom" or "recall".
        kind: "state", "pmi", "sync", "mapping", "grant", "log" or "act".
        words: One sentence without secrets; cut at 500 characters.
        mark: At most 64 characters that tell this line of its source from the next.
    """
    event = ConnectionEvent(
        id=new_id(at),
        connection_id=connection_id,
        at=at,
        source=source,
        kind=kind,
        words=words,
        mark=mark,
    )
    # `RETURNING` tells on both databases; a count of rows does not.
    statement = _insert(session).values(_row(event)).returning(_TABLE.c.id)
    return session.connection().execute(statement).first() is not None


def note_many(session: Session, events: Sequence[ConnectionEvent]) -> None:
    """Add lines of many connections at once, as `note` does; the caller commits."""
    if events:
        session.connection().execute(_insert(session), [_row(one) for one in events])


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
        sources.events(session, connection, bound, limit + 1),
        sources.attempts(session, connection, bound, limit + 1),
        sources.app_log(session, connection, bound, limit + 1),
    ]
    if has_webhooks:
        found.append(sources.webhooks(session, connection, bound, limit + 1))
    merged = heapq.merge(*found, key=lambda line: line.place, reverse=True)
    shown = list(islice(merged, limit + 1))
    older = shown[limit - 1].cursor if len(shown) > limit else None
    return Page(lines=shown[:limit], older=older)


def _insert(session: Session) -> Any:  # noqa: ANN401 - of either dialect
    return insert(session, _TABLE).on_conflict_do_nothing()


def _row(event: ConnectionEvent) -> dict[str, Any]:
    return event.model_dump() | {"words": event.words[:_LONGEST]}


def _read(text: str | None) -> Bound | None:
    found = _CURSOR.fullmatch(text or "")
    if found is None:
        return None
    try:
        at = EPOCH + timedelta(microseconds=int(found[1]))
    except OverflowError:
        return None
    return Bound(at, int(found[2]), min(int(found[3]), LARGEST_UUID))
