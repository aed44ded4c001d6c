"""How many webhooks of a zoom app came in each of the last 24 hours, and what waits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import BigInteger, Select, bindparam, literal, literal_column, true
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from dashboard.models.ids import first_id
from dashboard.models.webhook import (
    DEAD,
    WAITING,
    Attempt,
    RefusalCount,
    Webhook,
)
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts import webhooks

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
        waiting: Webhooks queued for Recall, however old; at most a thousand and one
            are counted.
    """

    hours: Sequence[HourOfTraffic]
    waiting: int

    @property
    def received(self) -> int:
        """Webhooks received in these hours."""
        return sum(hour.received for hour in self.hours)

    @property
    def waiting_words(self) -> str:
        """The waiting as written on pages: "37", "1,000+"."""
        return f"{COUNTED:,}+" if self.waiting > COUNTED else f"{self.waiting:,}"

    @property
    def dead(self) -> int:
        """How many of them were given up."""
        return sum(hour.dead for hour in self.hours)


def last_day(session: Session, zoom_app_id: UUID, *, now: datetime) -> Traffic:
    """Count one app's by the hour."""
    return last_days(session, [zoom_app_id], now=now)[zoom_app_id]


def last_days(
    session: Session, zoom_app_ids: Collection[UUID], *, now: datetime
) -> Mapping[UUID, Traffic]:
    """Count each app's by the hour, in as many statements as for one."""
    running = now.replace(minute=0, second=0, microsecond=0)
    starts = [running - _HOUR * back for back in reversed(range(_HOURS))]
    base = first_id(starts[0])
    values = {
        "apps": list(zoom_app_ids),
        "base": base,
        "width": first_id(starts[1]) - base,
    }
    found = session.connection().execute(_came_query(), values).all()
    came = {(app_id, starts[hour]): counts for app_id, hour, *counts in found}
    refused = _refused(session, zoom_app_ids, starts[0])
    waits = session.connection().execute(_waiting_query(), values).all()
    waiting = {row[0]: row[1] for row in waits}
    return {
        each: Traffic(
            hours=[
                HourOfTraffic(
                    starts_at=start,
                    received=came[each, start][0],
                    refused=refused.get((each, start), 0),
                    dead=came[each, start][1],
                )
                for start in starts
            ],
            waiting=waiting[each],
        )
        for each in zoom_app_ids
    }


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


@cache
def _came_query() -> Select[UUID, int, int, int]:
    """Select how many came and how many are dead of each app and hour.

    An id begins with the milliseconds, so an hour is a range of the index of app and
    id; counting a range is several times quicker than grouping a day by the hour.
    """
    hour = select_columns(literal(0).label("number")).cte("hour", recursive=True)
    following = select_columns(hour.c.number + 1).where(hour.c.number < _HOURS - 1)
    hour = hour.union_all(following)
    width = bindparam("width", type_=BigInteger)
    start = bindparam("base", type_=BigInteger) + hour.c.number * width
    came = select_columns(func.count()).where(
        col(Webhook.zoom_app_id) == col(ZoomApp.id),
        col(Webhook.id) >= start,
        col(Webhook.id) < start + width,
    )
    dead = came.where(literal_column(DEAD))
    return (
        select_columns(
            col(ZoomApp.id),
            hour.c.number,
            came.scalar_subquery(),
            dead.scalar_subquery(),
        )
        .join(hour, true())
        .where(col(ZoomApp.id).in_(bindparam("apps", expanding=True)))
    )


@cache
def _waiting_query() -> Select[UUID, int]:
    """Select how many of each app wait, counted as far as anything is written."""
    some = (
        select_columns(col(Webhook.id))
        .where(
            literal_column(WAITING),  # read along the index of what is due
            col(Webhook.zoom_app_id) == col(ZoomApp.id),
        )
        .order_by(col(Webhook.due_at))
        .limit(COUNTED + 1)
        .correlate(ZoomApp)
        .subquery()
    )
    waiting = select_columns(func.count()).select_from(some).scalar_subquery()
    return select_columns(col(ZoomApp.id), waiting).where(
        col(ZoomApp.id).in_(bindparam("apps", expanding=True))
    )


def _refused(
    session: Session, zoom_app_ids: Collection[UUID], since: datetime
) -> dict[tuple[UUID, datetime], int]:
    app_id, hour = col(RefusalCount.zoom_app_id), col(RefusalCount.hour_at)
    query = (
        select(app_id, hour, func.sum(RefusalCount.requests))
        .where(app_id.in_(zoom_app_ids), hour >= since)
        .group_by(app_id, hour)
    )
    return {(one, at): int(n) for one, at, n in session.exec(query).all()}
