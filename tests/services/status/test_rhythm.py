"""The worker notes an app's rhythm from its webhooks: whole, once, and cheaply."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, delete, select

from dashboard.db import Database
from dashboard.models.watch import HeardHour
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.status import rhythm
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.makers import NOON, FakeClock, a_webhook, saved_app

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)


@dataclass
class ReceiverRuntime:
    """So much of the services as listening needs."""

    database: Database
    clock: FakeClock


@pytest.fixture
def listening(database: Database, clock: FakeClock) -> Any:
    return ReceiverRuntime(database, clock)


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    with database.writing() as session:
        return session.get_one(ZoomApp, saved_app(session, vault))


def came(
    database: Database, app: ZoomApp, *times: datetime, event: str = "user.updated"
) -> None:
    with database.writing() as session:
        for at in times:
            session.add(a_webhook(app, received_at=at, event=event))


def noted(database: Database) -> dict[tuple[UUID, datetime], int]:
    with database.reading() as session:
        rows = session.exec(select(HeardHour).order_by(col(HeardHour.hour))).all()
        return {(row.zoom_app_id, row.hour): row.events for row in rows}


def test_each_hour_that_is_over_is_counted_by_app(
    listening: Any, database: Database, vault: Vault, zoom_app: ZoomApp
) -> None:
    with database.writing() as session:
        other = session.get_one(ZoomApp, saved_app(session, vault))
    came(database, zoom_app, NOON - HOUR, NOON - MINUTE, NOON - 3 * HOUR + MINUTE)
    came(database, other, NOON - 2 * DAY)
    listening.clock.advance(minutes=6)

    rhythm.record_hours(listening)

    assert noted(database) == {
        (other.id, NOON - 2 * DAY): 1,
        (zoom_app.id, NOON - 3 * HOUR): 1,
        (zoom_app.id, NOON - HOUR): 2,
    }


def test_the_running_hour_and_what_may_still_be_on_its_way_wait(
    listening: Any, database: Database, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    came(database, zoom_app, NOON - MINUTE, NOON)

    early = rhythm.record_hours(listening)
    clock.advance(minutes=5)
    settled = rhythm.record_hours(listening)
    clock.advance(minutes=60)
    later = rhythm.record_hours(listening)

    assert (early, settled, later) == (0, 1, 1)
    assert set(noted(database).values()) == {1}


def test_challenges_are_no_events(
    listening: Any, database: Database, zoom_app: ZoomApp
) -> None:
    came(database, zoom_app, NOON - 30 * HOUR, event=evidence.CHALLENGE)
    came(database, zoom_app, NOON - 3 * HOUR, event=evidence.CHALLENGE)
    came(database, zoom_app, NOON - 3 * HOUR)

    rhythm.record_hours(listening)

    assert noted(database) == {(zoom_app.id, NOON - 3 * HOUR): 1}


def test_after_days_without_a_worker_everything_is_caught_up_once(
    listening: Any, database: Database, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    came(database, zoom_app, NOON - 2 * HOUR)
    rhythm.record_hours(listening)
    clock.advance(days=9)
    came(database, zoom_app, *(NOON + HOUR * hours for hours in (5, 6, 100, 101, 200)))

    caught_up = rhythm.record_hours(listening)
    again = rhythm.record_hours(listening)

    assert (caught_up, again) == (5, 0)
    assert len(noted(database)) == 6
    assert set(noted(database).values()) == {1}


def test_what_was_noted_outlives_its_webhooks(
    listening: Any, database: Database, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    came(database, zoom_app, NOON - 2 * HOUR)
    rhythm.record_hours(listening)
    with database.writing() as session:
        session.exec(delete(Webhook))
    clock.advance(days=3)

    rhythm.record_hours(listening)

    assert len(noted(database)) == 1


def test_hours_more_than_28_days_before_the_last_one_are_forgotten(
    listening: Any, database: Database, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    came(database, zoom_app, NOON - 20 * DAY, NOON - 2 * DAY)
    rhythm.record_hours(listening)
    clock.advance(days=40)
    untouched = rhythm.record_hours(listening)
    came(database, zoom_app, NOON + 9 * DAY)
    rhythm.record_hours(listening)

    assert untouched == 0
    assert [hour for _, hour in noted(database)] == [NOON - 2 * DAY, NOON + 9 * DAY]


def test_two_workers_at_once_count_nothing_twice(
    listening: Any, database: Database, zoom_app: ZoomApp
) -> None:
    came(database, zoom_app, *(NOON - HOUR * back for back in range(2, 200)))

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: rhythm.record_hours(listening), range(4)))

    assert len(noted(database)) == 198
    assert set(noted(database).values()) == {1}


@pytest.fixture
def listener(listening: Any) -> rhythm.RhythmRecorder:
    return rhythm.RhythmRecorder(listening)


def test_the_chore_looks_once_a_minute(
    listener: rhythm.RhythmRecorder,
    database: Database,
    clock: FakeClock,
    zoom_app: ZoomApp,
) -> None:
    first = listener()
    came(database, zoom_app, NOON - 3 * HOUR)
    at_once = listener()
    clock.advance(seconds=60)

    assert (first, at_once, listener()) == (0, 0, 1)
