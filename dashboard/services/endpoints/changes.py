"""Notices what changes for a connection as it is written, and records the event of it.

Whoever writes the row, the event is in the same transaction. How a connection stands is
decided by `facts`; the row keeps what was last said, so nothing is said twice.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Session

from dashboard.models.connection import Connection, TokenState
from dashboard.services import events
from dashboard.services.facts import connections
from dashboard.services.facts.acting import Who

_WORKS = {TokenState.HEALTHY, TokenState.EXPIRING}


def watch() -> None:
    """Notice what any session is about to write; once for the process."""
    if not event.contains(Session, "before_flush", _notice):
        event.listen(Session, "before_flush", _notice)


def _notice(session: Session, _context: UOWTransaction, _instances: object) -> None:
    new = [each for each in session.new if isinstance(each, Connection)]
    for row in new:
        said = events.ConnectionCreated(
            connection_id=row.id, zoom_app_id=row.zoom_app_id
        )
        _record(session, row, said, at=row.connected_at)
        _note_standing(session, row)
    for row in session.dirty:
        if isinstance(row, Connection):
            if _changed(row, "token_state") or _changed(row, "token_cause"):
                _note_standing(session, row)
            at = row.pmi_changed_at
            if _changed(row, "pmi") and at is not None and at == row.pmi_seen_at:
                changed = events.ConnectionPmiChanged(
                    connection_id=row.id, zoom_app_id=row.zoom_app_id
                )
                _record(session, row, changed, at=at)


def _note_standing(session: Session, row: Connection) -> None:
    at = row.token_since or row.granted_at
    found = connections.standing(row, now=at)
    if found.who is Who.USER and row.reconnect_said_at is None:
        row.reconnect_said_at = at
        needs = events.ConnectionNeedsReconnect(
            connection_id=row.id,
            zoom_app_id=row.zoom_app_id,
            state=found.shown.value,
            reason=found.reason,
            next_step=found.next_step,
        )
        _record(session, row, needs, at=at)
    elif row.reconnect_said_at is not None and row.token_state in _WORKS:
        row.reconnect_said_at = None
        works = events.ConnectionRecovered(
            connection_id=row.id, zoom_app_id=row.zoom_app_id
        )
        _record(session, row, works, at=at)


def _record(
    session: Session, row: Connection, said: events.Data, *, at: datetime
) -> None:
    events.record(session, said, at=at, references=events.references_of(row))


def _changed(row: Connection, name: str) -> bool:
    state: Any = inspect(row)
    return bool(state.attrs[name].history.has_changes())
