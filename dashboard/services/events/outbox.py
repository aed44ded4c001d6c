"""The outbox: events recorded with their change, then published in one order.

An event is a row of the transaction that changes what it tells of. After the commit a
worker gives it its place in the feed, so a reader who has seen one place never misses
an earlier one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, literal, text, update
from sqlmodel import Session, col, select

from dashboard.models.connection import Connection
from dashboard.models.event import UNPUBLISHED, Event
from dashboard.models.ids import first_id, new_id
from dashboard.models.invitation import Invitation
from dashboard.services.events.kinds import VERSION, Data, timestamp

_AT_ONCE = 200
_NOTHING: dict[str, object] = {
    "reference": None,
    "is_reference_verified": False,
    "tags": [],
}
_LOCK = 0x6576656E  # "even": of PostgreSQL's advisory locks, ours for the order


def record(
    session: Session,
    data: Data,
    *,
    at: datetime,
    references: Mapping[str, object] | None = None,
) -> int:
    """Record what happened, with the change itself: the caller commits both.

    Args:
        session: Writing; the one that the change is made in.
        data: What happened.
        at: When; aware.
        references: From `references_of` of the connection or invitation.

    Returns:
        The id of the event.
    """
    row = Event(
        id=new_id(at),
        kind=data.kind,
        zoom_app_id=getattr(data, "zoom_app_id", None),
        connection_id=getattr(data, "connection_id", None),
        invitation_id=getattr(data, "invitation_id", None),
        data=data.model_dump_json(),
        refs=orjson.dumps(references or {}).decode(),
        at=at,
    )
    session.add(row)
    return row.id


def references_of(row: Connection | Invitation) -> dict[str, object]:
    """Return the customer's own reference and tags of a connection or invitation."""
    if isinstance(row, Invitation):  # made for that user
        reference, is_verified = row.user_ref, True
    else:
        reference, is_verified = row.reference, row.is_reference_verified
    return {
        "reference": reference or None,
        "is_reference_verified": bool(reference) and is_verified,
        "tags": row.tags.split(),
    }


def forget(session: Session, connection_id: UUID) -> None:
    """Forget the customer's words for a user whose data is deleted; caller commits."""
    session.exec(
        update(Event)
        .where(col(Event.connection_id) == connection_id)
        .values(refs="{}")
        .execution_options(synchronize_session=False)
    )


def message(row: Event) -> bytes:
    """Return an event as it is sent: the same bytes at every attempt."""
    references = _NOTHING | orjson.loads(row.refs)
    return orjson.dumps(
        {
            "id": f"evt_{row.id}",
            "type": row.kind,
            "version": VERSION,
            "timestamp": timestamp(row.at),
            "data": orjson.loads(row.data) | references,
        }
    )


def publish(session: Session, *, now: datetime) -> Sequence[Event]:
    """Give the oldest events without one their place; the caller commits.

    One at a time does this, so that places are committed in their own order.

    Returns:
        Those that have a place now; none while another worker is at it.
    """
    if session.get_bind().dialect.name == "postgresql":
        lock = select(func.pg_try_advisory_xact_lock(literal(_LOCK)))
        if not session.exec(lock).one():
            return []
    query = select(Event).where(text(UNPUBLISHED)).order_by(col(Event.id))
    rows = session.exec(query.limit(_AT_ONCE)).all()
    if not rows:
        return []
    last = session.exec(select(func.max(col(Event.number)))).one() or 0
    # In time's own numbers, so that they rise though all before were deleted.
    number = max(last, first_id(now))
    for row in rows:
        number += 1
        row.number = number
        session.add(row)
    session.flush()
    return rows


def is_any_unpublished(session: Session) -> bool:
    """Whether something waits for its place; locks nothing."""
    query = select(Event.id).where(text(UNPUBLISHED)).limit(1)
    return session.exec(query).first() is not None


def page(
    session: Session,
    *,
    after: int = 0,
    limit: int = 100,
    kinds: Collection[str] = (),
    zoom_app_ids: Collection[UUID] | None = None,
) -> Sequence[Event]:
    """Return published events after a place, in the order of the feed.

    The cursor of the next page is the `number` of the last one; without any, it
    stays `after`.

    Args:
        session: Reading.
        after: A place, or 0 for the beginning of what is kept.
        limit: How many at most.
        kinds: Only these; all if empty.
        zoom_app_ids: Only events of these zoom apps; None for all.
    """
    number: Any = col(Event.number)
    query = select(Event).where(number > after)
    if kinds:
        query = query.where(col(Event.kind).in_(kinds))
    if zoom_app_ids is not None:
        query = query.where(col(Event.zoom_app_id).in_(zoom_app_ids))
    return session.exec(query.order_by(number).limit(limit)).all()
