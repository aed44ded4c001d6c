"""Recall's mappings of meeting numbers to connections, as they are kept here.

For one connection all are read, so removed ones are known; for a workspace only what
was mapped lately (services/sweep/bulk.py), which only adds.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, SQLModel, col, delete, or_, select

from dashboard.clients.recall.replies import Mapping, Stretch
from dashboard.db.statements import insert
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.ids import new_id
from dashboard.services.timeline import notes

MOST = 500
"""How many of one connection are kept, newest first."""

_TABLE = SQLModel.metadata.tables[str(MeetingMapping.__tablename__)]
_AT_ONCE = 500
_READ_WITHIN = timedelta(minutes=5)  # later ones are of a clock that was ahead


def keep(
    session: Session, row: Connection, found: Stretch[Mapping], *, now: datetime
) -> None:
    """Make what is kept of one connection what Recall has; the caller commits.

    What Recall lists no longer is forgotten, as far as the list was read: of a part
    that may lack the newest, nothing is.
    """
    newest = found.results[:MOST]
    meetings = {one.meeting_id for one in newest}
    if found.has_newest:
        query = select(MeetingMapping.meeting_id)
        mine = col(MeetingMapping.connection_id) == row.id
        gone = set(session.exec(query.where(mine)).all()) - meetings
    else:
        gone = set()
    if gone:
        session.exec(
            delete(MeetingMapping).where(
                col(MeetingMapping.connection_id) == row.id,
                col(MeetingMapping.meeting_id).in_(gone),
            )
        )
        unlisted = gone - {one.meeting_id for one in found.results}
        if found.is_whole and unlisted:  # of a part, the others may only be older
            notes.unmapped(session, row.id, unlisted, at=now)
    _put(session, {(row.id, one.meeting_id): one for one in newest}, now)
    if not found.has_newest:
        trim(session, row.id)


def add(session: Session, found: Sequence[Mapping], *, now: datetime) -> set[UUID]:
    """Keep mappings of many connections; return whose. The caller commits.

    Those of credentials that are not known here are passed over, and those of
    connections whose own list was read since: it no longer has what it lacks.

    Args:
        session: Writing.
        found: What Recall has.
        now: When it was asked.
    """
    credentials = sorted({one.credential for one in found})
    read_at = col(Connection.mappings_seen_at)
    is_newest = or_(read_at.is_(None), read_at <= now, read_at > now + _READ_WITHIN)
    owners: dict[UUID | None, UUID] = {}
    for begin in range(0, len(credentials), _AT_ONCE):
        some = col(Connection.recall_credential_id).in_(
            credentials[begin : begin + _AT_ONCE]
        )
        query = select(Connection.recall_credential_id, Connection.id)
        owners.update(session.exec(query.where(some, is_newest)).all())
    mine = {
        (owners[one.credential], one.meeting_id): one
        for one in sorted(found, key=lambda each: each.synced_at)
        if one.credential in owners
    }
    _put(session, mine, now)
    return {connection_id for connection_id, _ in mine}


def trim(session: Session, connection_id: UUID) -> None:
    """Forget all but the newest 500 of a connection; the caller commits."""
    mine = col(MeetingMapping.connection_id) == connection_id
    newest = select(MeetingMapping.synced_at).where(mine)
    newest = newest.order_by(col(MeetingMapping.synced_at).desc())
    oldest_kept = session.exec(newest.offset(MOST - 1).limit(1)).first()
    if oldest_kept is not None:
        older = col(MeetingMapping.synced_at) < oldest_kept
        session.exec(delete(MeetingMapping).where(mine, older))


def known(session: Session, connection_id: UUID, *, limit: int) -> list[int]:
    """Return the meetings that are mapped to a connection, newest first."""
    query = (
        select(MeetingMapping.meeting_id)
        .where(col(MeetingMapping.connection_id) == connection_id)
        .order_by(col(MeetingMapping.synced_at).desc(), col(MeetingMapping.meeting_id))
    )
    return list(session.exec(query.limit(limit)).all())


def _put(
    session: Session, found: dict[tuple[UUID, int], Mapping], now: datetime
) -> None:
    new = insert(session, _TABLE)
    statement = new.on_conflict_do_update(
        index_elements=["connection_id", "meeting_id"],
        set_={
            "synced_at": new.excluded.synced_at,
            "seen_at": new.excluded.seen_at,
        },
    )
    rows = [
        {
            "id": new_id(now),
            "connection_id": connection_id,
            "meeting_id": meeting_id,
            "synced_at": one.synced_at,
            "seen_at": now,
        }
        for (connection_id, meeting_id), one in found.items()
    ]
    if rows:
        came = _news(session, found)
        session.connection().execute(statement, rows)
        notes.mapped(session, came, at=now)


def _news(
    session: Session, found: Collection[tuple[UUID, int]]
) -> dict[UUID, list[int]]:
    """Return which of them are not kept yet, by connection."""
    meetings = sorted({meeting_id for _, meeting_id in found})
    known: set[tuple[UUID, int]] = set()
    for begin in range(0, len(meetings), _AT_ONCE):
        some = col(MeetingMapping.meeting_id).in_(meetings[begin : begin + _AT_ONCE])
        query = select(MeetingMapping.connection_id, MeetingMapping.meeting_id)
        known.update(session.exec(query.where(some)).all())
    came: dict[UUID, list[int]] = defaultdict(list)
    for connection_id, meeting_id in found:
        if (connection_id, meeting_id) not in known:
            came[connection_id].append(meeting_id)
    return came
