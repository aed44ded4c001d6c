"""Sessions of the people who are signed in: begin, find, end.

The browser has the secret, the database its hash. What ends a session deletes its row,
so a copy of the cookie is worth nothing from then on.
"""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, select, update

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import StorageError
from dashboard.models.staff import Staff, StaffSession

LASTS = timedelta(hours=12)
"""After this the person signs in again, however busy they were."""

IDLE = timedelta(hours=1)
"""After so long without anything that the person did, too."""

_NOTED_EVERY = timedelta(minutes=1)


def begin(
    session: Session, staff_id: UUID, *, address: str, user_agent: str, now: datetime
) -> str:
    """Begin a session and return its secret, for the cookie; the caller commits."""
    secret = secrets.token_urlsafe(32)
    session.add(
        StaffSession(
            id=hashed(secret),
            staff_id=staff_id,
            created_at=now,
            last_used_at=now,
            address=address[:64],
            user_agent=user_agent[:200],
        )
    )
    return secret


def find(
    session: Session, secret: str, *, now: datetime
) -> tuple[StaffSession, Staff] | None:
    """Return the session with this secret and its person, while it lasts."""
    query = (
        select(StaffSession, Staff)
        .join(Staff, col(Staff.id) == col(StaffSession.staff_id))
        .where(col(StaffSession.id) == hashed(secret), *_lasts(now))
    )
    return session.exec(query).first()


def alive(session: Session, ids: Collection[str], *, now: datetime) -> set[str]:
    """Return those of these sessions that last; by the hashes of their secrets."""
    query = (
        select(StaffSession.id)
        .join(Staff, col(Staff.id) == col(StaffSession.staff_id))
        .where(col(StaffSession.id).in_(list(ids)), *_lasts(now))
    )
    return set(session.exec(query))


def disabled(session: Session, staff_ids: Collection[UUID]) -> set[UUID]:
    """Return those of these people whose account is disabled."""
    query = select(Staff.id).where(
        col(Staff.id).in_(list(staff_ids)), col(Staff.disabled_at).is_not(None)
    )
    return set(session.exec(query))


def note_use(
    database: Database, clock: Clock, session_id: str, *, last_used_at: datetime
) -> None:
    """Note that the person did something, once a minute at most; commits.

    A database that is busy or away fails no page for this.
    """
    now = clock.now()
    if now < last_used_at + _NOTED_EVERY:
        return
    with suppress(StorageError), database.writing() as session:
        session.exec(
            update(StaffSession)
            .where(col(StaffSession.id) == session_id)
            .values(last_used_at=now)
        )


def end(session: Session, session_id: str) -> None:
    """End one session; the caller commits."""
    session.exec(delete(StaffSession).where(col(StaffSession.id) == session_id))


def end_all(session: Session, staff_id: UUID) -> None:
    """End every session of a person; the caller commits."""
    session.exec(delete(StaffSession).where(col(StaffSession.staff_id) == staff_id))


def forget_ended(database: Database, clock: Clock) -> int:
    """Delete the sessions that ran out: the worker's chore; commits."""
    now = clock.now()
    is_over = (col(StaffSession.created_at) <= now - LASTS) | (
        col(StaffSession.last_used_at) <= now - IDLE
    )
    with database.reading() as session:
        if (
            session.exec(select(StaffSession.id).where(is_over).limit(1)).first()
            is None
        ):
            return 0
    with database.writing() as session:
        return rows_changed(session.exec(delete(StaffSession).where(is_over)))


def hashed(secret: str) -> str:
    """Return how a secret is stored: SHA-256, hex, of 32 random bytes."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def _lasts(now: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        col(StaffSession.created_at) > now - LASTS,
        col(StaffSession.last_used_at) > now - IDLE,
        col(Staff.disabled_at).is_(None),
    )
