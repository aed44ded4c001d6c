"""Whether a background worker runs, by what it stores itself."""

from datetime import timedelta

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.worker import WorkerHeartbeat
from dashboard.services.heartbeats import heartbeats
from tests.makers import NOON

pytestmark = pytest.mark.usefixtures("real_heartbeats")


def beat(database: Database, *, name: str = "host:1", **ago: float) -> None:
    with database.writing() as session:
        heartbeats.beat(
            session,
            name,
            started_at=NOON - timedelta(days=3),
            version="0.3.0",
            now=NOON - timedelta(**ago),
        )


def found(database: Database) -> heartbeats.WorkerStatus:
    with database.reading() as session:
        return heartbeats.find(session, now=NOON)


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return sorted(session.exec(select(WorkerHeartbeat.name)))


def test_without_any_heartbeat_none_runs(database: Database) -> None:
    status = found(database)

    command = "dashboard serve" if database.is_sqlite else "dashboard worker"
    assert status.warning == (
        f"No background worker is running. An operator starts `{command}`."
    )


def test_one_that_reported_within_a_minute_is_alive(database: Database) -> None:
    beat(database, seconds=60)

    assert (found(database).is_alive, found(database).warning) == (True, "")


def test_one_that_is_silent_for_a_minute_is_said_with_its_last_time(
    database: Database,
) -> None:
    beat(database, seconds=61)

    status = found(database)

    assert not status.is_alive
    assert status.sentence == (
        "The background worker has not reported since 11:58 UTC."
    )


def test_the_day_is_named_unless_it_is_today(database: Database) -> None:
    beat(database, hours=14)

    assert "since 2026-11-22 22:00 UTC" in found(database).sentence


def test_one_of_several_is_enough(database: Database) -> None:
    beat(database, hours=3)
    beat(database, name="other:2", seconds=5)

    assert found(database).is_alive


def test_a_heartbeat_from_the_future_proves_nothing(database: Database) -> None:
    beat(database, minutes=10)
    beat(database, name="ahead:2", hours=-3)

    assert found(database).last_at == NOON - timedelta(minutes=10)


def test_two_hosts_may_differ_by_the_usual_skew(database: Database) -> None:
    beat(database, seconds=-50)

    assert found(database).is_alive


def test_a_worker_has_one_row_which_goes_after_a_day_or_when_it_stops(
    database: Database,
) -> None:
    beat(database, name="old:1", hours=25)
    beat(database, name="stopped:2", seconds=20)
    beat(database, name="here:3", seconds=20)
    beat(database, name="here:3", seconds=5)
    with database.writing() as session:
        heartbeats.end(session, "stopped:2")

    assert names(database) == ["here:3"]
