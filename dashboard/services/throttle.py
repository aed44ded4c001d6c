"""Counts tries in the database, so that the limit holds across processes."""

import hashlib
import ipaddress
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from dashboard.errors import ConflictError
from dashboard.models.staff import Throttle

WINDOW = timedelta(minutes=15)
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN = timedelta(days=1)
"""After a day without a try, counting for the growing wait starts again."""

_IPV6_PREFIX = 64


def network(address: str) -> str:
    """Return what tries from an address are counted for: of IPv6 the /64 network.

    Anyone who has one IPv6 address has 2 to the power of 64 of them.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, _IPV6_PREFIX), strict=False))


class TooSoonError(ConflictError):
    """Too many tries went wrong; the next one may come later.

    Attributes:
        seconds: How long to wait.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(
            f"Too many attempts failed. Wait {seconds} "
            f"{'second' if seconds == 1 else 'seconds'}, then try again."
        )


def take_turn(session: Session, subjects: Mapping[str, int], *, now: datetime) -> None:
    """Count one try for each subject; the caller commits before it verifies.

    Each subject has so many tries without a wait. After those, each failure doubles
    the wait, from a second to a quarter of an hour. A try that comes too soon is
    refused and not counted, so nobody's hurry makes it longer. Of many tries at once
    each sees those before it.

    Raises:
        TooSoonError: One of them must wait; nothing was counted.
    """
    rows = [(_held(session, subject, now), subjects[subject]) for subject in subjects]
    left = max(_wait(row, free, now) for row, free in rows)
    if left > timedelta():
        raise TooSoonError(math.ceil(left.total_seconds()))
    for row, _free in rows:
        if row.window_at + FORGOTTEN <= now:
            row.tries = 0
        row.tries, row.window_at = row.tries + 1, now
        session.add(row)


def _wait(row: Throttle, free: int, now: datetime) -> timedelta:
    over = row.tries - free
    if over < 0 or row.window_at + FORGOTTEN <= now:
        return timedelta()
    grown = min(timedelta(seconds=2 ** min(over, 10)), LONGEST_WAIT)
    return min(row.window_at + grown - now, grown)  # whatever the clock was set to


def is_spent(session: Session, subject: str, *, limit: int, now: datetime) -> bool:
    """Whether `subject` has used up its tries of the running window.

    Until the caller commits, nobody else gets an answer about it: of many tries at
    once each sees those before it.
    """
    row = _held(session, subject, now)
    return row.window_at + WINDOW > now and row.tries >= limit


def count(session: Session, subject: str, *, now: datetime) -> None:
    """Count one try; the caller commits."""
    row = _held(session, subject, now)
    if row.window_at + WINDOW <= now:
        row.tries, row.window_at = 0, now
    row.tries += 1
    session.add(row)


def forget(session: Session, subject: str) -> None:
    """Start counting anew; the caller commits."""
    row = session.get(Throttle, _key(subject))
    if row is not None:
        row.tries = 0  # not deleted: others may be waiting for this row
        session.add(row)


def give_back(session: Session, subject: str) -> None:
    """Count one try less: it was no guess; the caller commits."""
    row = session.get(Throttle, _key(subject), with_for_update=True)
    if row is not None and row.tries > 0:
        row.tries -= 1
        session.add(row)


def _held(session: Session, subject: str, now: datetime) -> Throttle:
    """Return the row, locked until the caller commits; made when there is none."""
    key = _key(subject)
    row = session.get(Throttle, key, with_for_update=True)
    if row is not None:
        return row
    # On PostgreSQL somebody else may be making it: this waits for them.
    with suppress(IntegrityError), session.begin_nested():
        session.add(Throttle(key=key, window_at=now))
    return session.get_one(Throttle, key, with_for_update=True)


def _key(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
