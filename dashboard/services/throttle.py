"""Counts tries in the database, so that the limit holds across processes."""

import hashlib
import ipaddress
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from dashboard.models.staff import Throttle

WINDOW = timedelta(minutes=15)
SIGN_IN_TRIES = 10
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
