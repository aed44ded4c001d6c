"""Sessions of the people who are signed in: begin, find, end.

The browser has the secret, the database its hash. What ends a session deletes its row,
so a copy of the cookie is worth nothing from then on.
"""

import hashlib
import secrets
import string
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, select, update

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import StorageError
from dashboard.models.staff import Staff, StaffSession
from dashboard.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """How long sessions last.

    Attributes:
        idle: After so long without anything that the person did, they sign in again.
        longest: After so long they do, however busy they were.
    """

    idle: timedelta
    longest: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(
            idle=timedelta(minutes=settings.session_idle_minutes),
            longest=timedelta(hours=settings.session_hours),
        )


_HANDLE = 16
_NOTED_EVERY = timedelta(minutes=1)


def begin(  # noqa: PLR0913 - the facts of one session, all named
    session: Session,
    staff_id: UUID,
    *,
    address: str,
    user_agent: str,
    now: datetime,
    second_factor: str = "",
    proven_at: datetime | None = None,
) -> str:
    """Begin a session and return its secret, for the cookie; the caller commits.

    The person has just proved who they are, or did at `proven_at`.
    """
    secret = secrets.token_urlsafe(32)
    session.add(
        StaffSession(
            id=hashed(secret),
            staff_id=staff_id,
            created_at=now,
            last_used_at=now,
            address=address[:64],
            user_agent=user_agent[:200],
            second_factor=second_factor,
            proven_at=min(now, proven_at or now),
        )
    )
    person = session.get(Staff, staff_id)
    if person is not None:
        person.last_sign_in_at = now
        session.add(person)
    return secret


def note_proof(
    session: Session, session_id: str, *, second_factor: str = "", now: datetime
) -> None:
    """Note that the person proved again who they are; the caller commits."""
    values: dict[str, object] = {"proven_at": now}
    if second_factor:
        values["second_factor"] = second_factor
    session.exec(
        update(StaffSession).where(col(StaffSession.id) == session_id).values(values)
    )


def forget_second_factor(session: Session, session_id: str, named: str) -> None:
    """Let a session with this second factor count as without; the caller commits."""
    session.exec(
        update(StaffSession)
        .where(
            col(StaffSession.id) == session_id,
            col(StaffSession.second_factor) == named,
        )
        .values(second_factor="")
    )


def find(
    session: Session, secret: str, *, lifetime: Lifetime, now: datetime
) -> tuple[StaffSession, Staff] | None:
    """Return the session with this secret and its person, while it lasts."""
    query = (
        select(StaffSession, Staff)
        .join(Staff, col(Staff.id) == col(StaffSession.staff_id))
        .where(col(StaffSession.id) == hashed(secret), *_lasts(lifetime, now))
    )
    return session.exec(query).first()


def alive(
    session: Session, ids: Collection[str], *, lifetime: Lifetime, now: datetime
) -> set[str]:
    """Return those of these sessions that last; by the hashes of their secrets."""
    query = (
        select(StaffSession.id)
        .join(Staff, col(Staff.id) == col(StaffSession.staff_id))
        .where(col(StaffSession.id).in_(list(ids)), *_lasts(lifetime, now))
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


def of_person(
    session: Session, staff_id: UUID, *, lifetime: Lifetime, now: datetime
) -> Sequence[StaffSession]:
    """Return the sessions of a person that last, the one used last first."""
    query = (
        select(StaffSession)
        .join(Staff, col(Staff.id) == col(StaffSession.staff_id))
        .where(col(StaffSession.staff_id) == staff_id, *_lasts(lifetime, now))
        .order_by(col(StaffSession.last_used_at).desc(), col(StaffSession.id))
    )
    return session.exec(query).all()


def end_one_of(session: Session, staff_id: UUID, handle: str) -> bool:
    """End the session of a person that a page names; the caller commits.

    Args:
        session: Writing.
        staff_id: Whose it must be.
        handle: As `handle_of` gave it.
    """
    if len(handle) != _HANDLE or not set(handle) <= set(string.hexdigits):
        return False
    gone = delete(StaffSession).where(
        col(StaffSession.staff_id) == staff_id,
        col(StaffSession.id).startswith(handle, autoescape=True),
    )
    return rows_changed(session.exec(gone)) > 0


def handle_of(row: StaffSession) -> str:
    """Return how a page names a session: the beginning of the stored hash."""
    return row.id[:_HANDLE]


def end(session: Session, session_id: str) -> None:
    """End one session; the caller commits."""
    session.exec(delete(StaffSession).where(col(StaffSession.id) == session_id))


def end_others(session: Session, staff_id: UUID, session_id: str) -> None:
    """End every session of a person but this one; the caller commits."""
    session.exec(
        delete(StaffSession).where(
            col(StaffSession.staff_id) == staff_id, col(StaffSession.id) != session_id
        )
    )


def end_all(session: Session, staff_id: UUID) -> None:
    """End every session of a person; the caller commits."""
    session.exec(delete(StaffSession).where(col(StaffSession.staff_id) == staff_id))


def forget_ended(database: Database, lifetime: Lifetime, clock: Clock) -> int:
    """Delete the sessions that ran out: the worker's chore; commits."""
    now = clock.now()
    is_over = (col(StaffSession.created_at) <= now - lifetime.longest) | (
        col(StaffSession.last_used_at) <= now - lifetime.idle
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


def _lasts(lifetime: Lifetime, now: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        col(StaffSession.created_at) > now - lifetime.longest,
        col(StaffSession.last_used_at) > now - lifetime.idle,
        col(Staff.disabled_at).is_(None),
    )
