"""Events of the host: stored when noticed, read by what judges evidence."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ScalarSelect
from sqlmodel import Session, col, func, select

from dashboard.clock import SKEW
from dashboard.models.ids import new_id
from dashboard.models.worker import HostEvent

_CLOCK, _RESTORE = "clock", "restore"
SHOWN_FOR = timedelta(days=1)
_SAME_TIME = timedelta(minutes=1)


def record_jump(session: Session, *, seconds: float, now: datetime) -> None:
    """Store that the clock was set, by so much; the caller commits.

    Each process of a host notices it: what one of them stored a moment ago stays one.
    """
    near = [each for each in jumps(session, now=now) if now - each.at < _SAME_TIME]
    if any(abs(each.seconds - seconds) < SKEW.total_seconds() for each in near):
        return
    session.add(HostEvent(id=new_id(now), kind=_CLOCK, at=now, seconds=seconds))


def record_restore(
    session: Session, *, about_at: datetime | None, now: datetime
) -> None:
    """Store that an older copy took the database's place; the caller commits."""
    session.add(HostEvent(id=new_id(now), kind=_RESTORE, at=now, about_at=about_at))


def jumps(session: Session, *, now: datetime) -> Sequence[HostEvent]:
    """Return the jumps of the last day, newest first.

    By their times: after a jump back, those that came before it lie ahead.
    """
    at = col(HostEvent.at)
    query = select(HostEvent).where(
        col(HostEvent.kind) == _CLOCK, at > now - SHOWN_FOR, at <= now + SKEW
    )
    return session.exec(query.order_by(at.desc())).all()


def last_jump(session: Session, *, now: datetime) -> datetime | None:
    """Return when the clock was set last: what came before is of another clock."""
    at = col(HostEvent.at)
    query = select(func.max(at)).where(col(HostEvent.kind) == _CLOCK, at <= now)
    return session.exec(query).one()


def last_restore(session: Session) -> HostEvent | None:
    """Return the last restore; None when there was none."""
    query = select(HostEvent).where(col(HostEvent.kind) == _RESTORE)
    return session.exec(query.order_by(col(HostEvent.at).desc()).limit(1)).first()


def restored_at() -> ScalarSelect[datetime | None]:
    """Select when the database was last replaced by an older copy, with other things.

    So it costs no statement of its own.
    """
    query = select(func.max(HostEvent.at)).where(col(HostEvent.kind) == _RESTORE)
    return query.scalar_subquery()
