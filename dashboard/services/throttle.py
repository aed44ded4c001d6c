"""Counts tries in the database, so that the limit holds across processes."""

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session

from dashboard.models.staff import Throttle

WINDOW = timedelta(minutes=15)
SIGN_IN_TRIES = 10


def is_spent(session: Session, subject: str, *, limit: int, now: datetime) -> bool:
    """Whether `subject` has used up its tries of the running window."""
    row = session.get(Throttle, _key(subject))
    return row is not None and row.window_at + WINDOW > now and row.tries >= limit


def count(session: Session, subject: str, *, now: datetime) -> None:
    """Count one try; the caller commits."""
    row = session.get(Throttle, _key(subject), with_for_update=True)
    if row is None:
        row = Throttle(key=_key(subject), window_at=now)
    if row.window_at + WINDOW <= now:
        row.tries, row.window_at = 0, now
    row.tries += 1
    session.add(row)


def forget(session: Session, subject: str) -> None:
    """Start counting anew; the caller commits."""
    row = session.get(Throttle, _key(subject))
    if row is not None:
        session.delete(row)


def _key(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
