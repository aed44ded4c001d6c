"""How many webhooks of a zoom app came in each of the last 24 hours, and what waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, col, func, select

from dashboard.models.ids import first_id
from dashboard.models.webhook import (
    DEAD,
    WAITING,
    Attempt,
    Outcome,
    RefusalCount,
    Webhook,
)
from dashboard.services.facts import webhooks
from dashboard.services.webhook_log.search import Criteria, Key, count_as_far

_HOURS = 24
COUNTED = 1000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class HourOfTraffic:
    """One hour: what was received and refused in it, and what of it is dead."""

    starts_at: datetime
    received: int
    refused: int
    dead: int


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """A day of one zoom app.

    Attributes:
        hours: Oldest first, the running hour last.
        waiting: Webhooks owed to Recall, however old: those seen, at most a thousand
            and one. In a long backlog of several zoom apps it may be fewer than are.
        is_more: Whether there may be more of them.
    """

    hours: Sequence[HourOfTraffic]
    waiting: int
    is_more: bool = False

    @property
    def received(self) -> int:
        """Webhooks received in these hours."""
        return sum(hour.received for hour in self.hours)

    @property
    def waiting_words(self) -> str:
        """The waiting as written on pages: "37", "1,000+"."""
        return f"{min(self.waiting, COUNTED):,}{'+' if self.is_more else ''}"

    @property
    def dead(self) -> int:
        """How many of them were given up."""
        return sum(hour.dead for hour in self.hours)


def last_day(session: Session, zoom_app_id: UUID, *, now: datetime) -> Traffic:
    """Count by the hour, from the index of the primary key's time."""
    running = now.replace(minute=0, second=0, microsecond=0)
    starts = [running - _HOUR * back for back in reversed(range(_HOURS))]
    received = _count(session, zoom_app_id, starts[0])
    dead = _count(session, zoom_app_id, starts[0], literal_column(DEAD))
    refused = _refused(session, zoom_app_id, starts[0])
    hours = [
        HourOfTraffic(
            starts_at=start,
            received=received.get(start, 0),
            refused=refused.get(start, 0),
            dead=dead.get(start, 0),
        )
        for start in starts
    ]
    keys = (
        Key(column="outcome", value=Outcome.WAITING),
        Key(column="zoom_app_id", value=zoom_app_id),
    )
    waiting = count_as_far(session, Criteria(keys=keys), most=COUNTED + 1)
    return Traffic(hours=hours, waiting=waiting.number, is_more=not waiting.is_whole)


def last_try(session: Session, zoom_app_id: UUID) -> datetime | None:
    """Return when one of the webhooks that wait was tried last; None when none was."""
    waiting = (
        select(Webhook.id)
        .where(
            literal_column(WAITING),  # read along the index of what is due
            col(Webhook.zoom_app_id) == zoom_app_id,
        )
        .order_by(col(Webhook.due_at))
        .limit(COUNTED)
    )
    return session.exec(
        select(func.max(Attempt.started_at)).where(col(Attempt.webhook_id).in_(waiting))
    ).one()


def count_failed(session: Session, zoom_app_id: UUID, *, at_most: int) -> int:
    """Count the webhooks that were given up and that no resend delivered.

    Args:
        session: Reading.
        zoom_app_id: Theirs.
        at_most: So many are counted.
    """
    query = (
        select(Webhook.id)
        .where(
            webhooks.is_failed(),
            col(Webhook.zoom_app_id) == zoom_app_id,
        )
        .limit(at_most)
    )
    return session.exec(select(func.count()).select_from(query.subquery())).one()


def _count(
    session: Session,
    zoom_app_id: UUID,
    since: datetime,
    *conditions: ColumnElement[bool],
) -> dict[datetime, int]:
    # An id begins with the milliseconds, so dividing it gives the hour since `since`.
    base, width = first_id(since), first_id(since + _HOUR) - first_id(since)
    hour = (col(Webhook.id) - base) // width
    query = (
        select(hour, func.count())
        .where(col(Webhook.zoom_app_id) == zoom_app_id, col(Webhook.id) >= base)
        .where(*conditions)
        .group_by(hour)
    )
    return {since + _HOUR * int(index): n for index, n in session.exec(query).all()}


def _refused(
    session: Session, zoom_app_id: UUID, since: datetime
) -> dict[datetime, int]:
    query = (
        select(RefusalCount.hour_at, func.sum(RefusalCount.requests))
        .where(
            col(RefusalCount.zoom_app_id) == zoom_app_id,
            col(RefusalCount.hour_at) >= since,
        )
        .group_by(col(RefusalCount.hour_at))
    )
    return {hour: int(n) for hour, n in session.exec(query).all()}
