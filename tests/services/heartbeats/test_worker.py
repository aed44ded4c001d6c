"""A worker stores its heartbeat while it gets on, and takes it back when it stops."""

import time
from collections.abc import Callable

import pytest
from sqlmodel import select

from dashboard import worker as workers
from dashboard.db import Database
from dashboard.models.worker import WorkerHeartbeat
from dashboard.services.heartbeats import heartbeats
from dashboard.services.runtime import Runtime
from dashboard.worker import Worker


def names(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.exec(select(WorkerHeartbeat.name)))


def wait_for(holds: Callable[[], object]) -> None:
    ends_at = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends_at, "it did not happen in half a minute"
        time.sleep(0.02)


def test_a_worker_reports_at_once_and_takes_it_back_when_it_stops(
    runtime: Runtime,
) -> None:
    worker = Worker(runtime)

    worker.start()
    wait_for(lambda: names(runtime.database) == [worker.name])
    worker.stop()

    assert names(runtime.database) == []


@pytest.mark.parametrize("limit", ["_DELIVERY_STUCK_AFTER_S", "_CHORES_STUCK_AFTER_S"])
def test_a_worker_whose_thread_hangs_does_not_say_that_it_works(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(workers, limit, -1.0)
    monkeypatch.setattr(heartbeats, "EVERY_S", 0.01)
    turns: list[int] = []

    def chore() -> int:
        turns.append(1)
        return 0

    worker = Worker(runtime, chores=[chore])

    worker.start()
    wait_for(lambda: turns)
    seen = names(runtime.database)
    worker.stop()

    assert seen == []
