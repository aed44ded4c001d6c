"""What strangers may cause without end: listed once a minute each, then counted.

The first of a minute is an entry at once; the others of the same minute become one
more, with their number. Addresses beyond a bound are counted together, and beyond
another bound a process writes nothing more in that minute and adds up in memory.

What is frequent and wanted is counted for a whole hour instead (`add_to_hour`).
"""

import hashlib
import json
import threading
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlmodel import Session, col, delete, func, select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import insert
from dashboard.models.audit import AuditTally
from dashboard.services import throttle
from dashboard.services.audit.entries import Actor, record

_WINDOW = timedelta(minutes=1)
MOST_LISTED = 50
"""Different ones of an act that a minute lists; more are "many addresses"."""

MOST_WRITTEN = 300
"""How often a process writes in a minute: each is a commit that webhooks wait for."""

_MANY = "many addresses"
_FLUSHED_AT_ONCE = 200


class _Valve:
    """Lets so many through in a minute; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute: datetime | None = None
        self._passed = 0
        self._left: Counter[str] = Counter()

    def times(self, act: str, minute: datetime) -> int:
        """Return how many to write now, with those left out before; 0: none now."""
        with self._lock:
            if minute != self._minute:
                self._minute, self._passed = minute, 0
            if self._passed >= MOST_WRITTEN:
                self._left[act] += 1
                return 0
            self._passed += 1
            return 1 + self._left.pop(act, 0)


_valves: WeakKeyDictionary[Database, _Valve] = WeakKeyDictionary()
_made = threading.Lock()


def count(
    database: Database, actor: Actor, act: str, *, subject: str, now: datetime
) -> None:
    """Count one; commits.

    Raises:
        StorageError: It can't be stored.
    """
    with _made:
        valve = _valves.setdefault(database, _Valve())
    times = valve.times(act, _minute(now))
    if times:
        with database.writing() as session:
            add(session, actor, act, subject=subject, now=now, times=times)


def add(  # noqa: PLR0913 - as `record`
    session: Session,
    actor: Actor,
    act: str,
    *,
    subject: str,
    now: datetime,
    times: int = 1,
) -> None:
    """Count one, the first of its minute as an entry; the caller commits."""
    minute = _minute(now)
    actor = replace(actor, address=throttle.network(actor.address)[:64])
    key = _key(minute, actor, act, subject)
    if session.get(AuditTally, key) is None and _listed(session, act, minute):
        actor, subject = replace(actor, address=_MANY), ""
        key = _key(minute, actor, act, subject)
    new = insert(session, AuditTally).values(
        key=key,
        at=minute,
        staff_id=actor.staff_id,
        actor=actor.name,
        act=act,
        subject=subject[:300],
        address=actor.address,
        times=times,
        listed=0,
    )
    so_far = session.connection().execute(
        new.on_conflict_do_update(
            index_elements=["key"], set_={"times": AuditTally.times + times}
        ).returning(AuditTally.times)
    )
    if so_far.scalar_one() == times:
        record(session, actor, act, subject=subject, now=now, times=times)
        _first_is_listed(session, key, times)


def add_to_hour(  # noqa: PLR0913 - as `record`
    session: Session,
    actor: Actor,
    act: str,
    *,
    subject: str,
    at: datetime,
    times: int,
) -> None:
    """Count so many of an hour: one entry when it is over; the caller commits."""
    last_minute = at.replace(minute=59, second=0, microsecond=0)
    new = insert(session, AuditTally).values(
        key=_key(last_minute, actor, act, subject),
        at=last_minute,
        staff_id=actor.staff_id,
        actor=actor.name,
        act=act,
        subject=subject[:300],
        address=actor.address,
        times=times,
        listed=0,
    )
    session.exec(
        new.on_conflict_do_update(
            index_elements=["key"], set_={"times": AuditTally.times + times}
        )
    )


def _first_is_listed(session: Session, key: str, times: int) -> None:
    """Leave what was listed out of what is still to be added up."""
    row = session.get_one(AuditTally, key, populate_existing=True)
    row.listed = times
    session.add(row)


def _listed(session: Session, act: str, minute: datetime) -> bool:
    query = select(func.count()).where(
        col(AuditTally.at) == minute, col(AuditTally.act) == act
    )
    return session.exec(query).one() >= MOST_LISTED


def record_counted(database: Database, clock: Clock) -> int:
    """Make entries of what was counted in minutes that are over; commits.

    Returns:
        How many tallies were ended.
    """
    now = clock.now()
    over = select(AuditTally).where(col(AuditTally.at) <= now - _WINDOW)
    with database.reading() as session:
        if session.exec(over.limit(1)).first() is None:
            return 0
    with database.writing() as session:
        rows = session.exec(
            over.order_by(col(AuditTally.at))
            .limit(_FLUSHED_AT_ONCE)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            left = row.times - row.listed
            if left:
                who = Actor(name=row.actor, staff_id=row.staff_id, address=row.address)
                record(session, who, row.act, subject=row.subject, now=now, times=left)
        keys = [row.key for row in rows]
        session.exec(delete(AuditTally).where(col(AuditTally.key).in_(keys)))
    return len(rows)


def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _key(minute: datetime, actor: Actor, act: str, subject: str) -> str:
    parts = [minute.isoformat(), actor.name, str(actor.staff_id or ""), act]
    text = json.dumps([*parts, subject, actor.address])
    return hashlib.sha256(text.encode()).hexdigest()
