"""Records in which hours events of each zoom app came: its rhythm.

Counted from the log of webhooks, an hour at a time and only once it is over, so that
receiving costs nothing more and no hour is counted twice.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, delete, func, select

from dashboard.db.statements import insert, rows_changed
from dashboard.models.ids import first_id, time_of
from dashboard.models.watch import HeardHour
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts.silence import HOUR, REMEMBERED, hour_of
from dashboard.services.receiver.events import URL_VALIDATION
from dashboard.services.runtime import Runtime

_SETTLED = timedelta(minutes=5)  # until then a webhook may still be on its way to disk
_AT_ONCE = timedelta(days=1)
_EVERY = timedelta(minutes=1)


class RhythmRecorder:
    """Run by the worker: records the rhythm once a minute."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._recorded_at: datetime | None = None

    def __call__(self) -> int:
        """Record if it is time; return how many hours were stored or deleted."""
        now = self._runtime.clock.now()
        if self._recorded_at and abs(now - self._recorded_at) < _EVERY:
            return 0
        self._recorded_at = now
        return record_hours(self._runtime)


def record_hours(runtime: Runtime) -> int:
    """Store the hours that are not stored yet, however many; commits.

    Several workers may do it at once: they count the same.

    Returns:
        How many hours were stored or deleted.
    """
    end = hour_of(runtime.clock.now() - _SETTLED)
    with runtime.database.reading() as session:
        known = _known(session)
        apps = session.exec(
            select(ZoomApp.id).where(col(ZoomApp.retired_at).is_(None))
        ).all()
        news = [
            heard
            for app_id in apps
            for heard in _heard(session, app_id, _first(known, app_id, end), end)
        ]
        last = {app_id: newest for app_id, (_, newest) in known.items()}
        last |= {heard.zoom_app_id: heard.hour for heard in news}
        old = {
            app_id: last[app_id] - REMEMBERED
            for app_id, (oldest, _) in known.items()
            if oldest < last[app_id] - REMEMBERED
        }
    if not news and not old:
        return 0
    with runtime.database.writing() as session:
        return _store(session, news) + sum(
            _delete_old(session, app_id, before) for app_id, before in old.items()
        )


def _known(session: Session) -> dict[UUID, tuple[datetime, datetime]]:
    """Return the oldest and the newest hour of each zoom app that was ever heard."""
    query = select(
        HeardHour.zoom_app_id, func.min(HeardHour.hour), func.max(HeardHour.hour)
    ).group_by(col(HeardHour.zoom_app_id))
    return {app_id: (oldest, newest) for app_id, oldest, newest in session.exec(query)}


def _first(
    known: dict[UUID, tuple[datetime, datetime]], app_id: UUID, end: datetime
) -> datetime:
    return known[app_id][1] + HOUR if app_id in known else end - REMEMBERED


def _heard(
    session: Session, app_id: UUID, start: datetime, end: datetime
) -> Iterator[HeardHour]:
    """Count the hours from start to end, from one webhook to the next day's."""
    while start < end:
        query = (
            select(Webhook.id)
            .where(
                col(Webhook.zoom_app_id) == app_id, col(Webhook.id) >= first_id(start)
            )
            .order_by(col(Webhook.id))
            .limit(1)
        )
        webhook_id = session.exec(query).first()
        if webhook_id is None:
            return
        start = hour_of(time_of(webhook_id))
        until = min(start + _AT_ONCE, end)
        yield from _count(session, app_id, start, until)
        start = until


def _count(
    session: Session, app_id: UUID, start: datetime, until: datetime
) -> Iterator[HeardHour]:
    # An id begins with the milliseconds, so dividing it gives the hour since `start`.
    # All are counted from the index of ids alone; the challenges are few.
    base, width = first_id(start), first_id(start + HOUR) - first_id(start)
    hour = (col(Webhook.id) - base) // width
    query = (
        select(hour, func.count())
        .where(
            col(Webhook.zoom_app_id) == app_id,
            col(Webhook.id) >= base,
            col(Webhook.id) < first_id(until),
        )
        .group_by(hour)
        .order_by(hour)
    )
    every = session.exec(query).all()
    challenges = dict(
        session.exec(query.where(col(Webhook.event) == URL_VALIDATION)).all()
    )
    for index, number in every:
        events = number - challenges.get(index, 0)
        if events > 0:
            at = start + HOUR * int(index)
            yield HeardHour(zoom_app_id=app_id, hour=at, events=events)


def _store(session: Session, news: list[HeardHour]) -> int:
    if not news:
        return 0
    # In order of key, so that two workers cannot wait for each other.
    rows = sorted(news, key=lambda heard: (heard.zoom_app_id, heard.hour))
    session.connection().execute(
        insert(session, HeardHour).on_conflict_do_nothing(),
        [row.model_dump() for row in rows],
    )
    return len(rows)


def _delete_old(session: Session, app_id: UUID, before: datetime) -> int:
    gone = session.exec(
        delete(HeardHour).where(
            col(HeardHour.zoom_app_id) == app_id, col(HeardHour.hour) < before
        )
    )
    return rows_changed(gone)
