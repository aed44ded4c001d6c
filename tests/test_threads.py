"""One does it, many wait; who gives up does not stop it."""

from collections.abc import Iterator
from threading import Event

import pytest
from structlog.testing import capture_logs

from dashboard import threads as threads_module
from dashboard.errors import (
    DatabaseUnavailableError,
    StorageError,
    VaultError,
)
from dashboard.threads import SingleFlight, WorkerThreads


@pytest.fixture
def flights() -> Iterator[SingleFlight]:
    made = SingleFlight()
    yield made
    made.close()


def test_what_is_under_way_is_joined_and_not_begun_again(flights: SingleFlight) -> None:
    go, begun = Event(), []

    def work() -> None:
        begun.append(1)
        go.wait()

    first, second = flights.join("ana", work), flights.join("ana", work)
    go.set()
    flights.wait()

    assert first is second
    assert begun == [1]


def test_who_gives_up_does_not_stop_it(flights: SingleFlight) -> None:
    go, done = Event(), Event()

    def work() -> None:
        go.wait()
        done.set()

    with pytest.raises(TimeoutError):
        flights.join("ana", work).result(0.01)
    go.set()

    assert done.wait(5)


def test_once_it_has_ended_it_can_begin_again(flights: SingleFlight) -> None:
    begun: list[int] = []
    room = flights.room()

    for number in range(3):
        flights.join("ana", lambda number=number: begun.append(number)).result()  # type: ignore[misc]
        flights.wait()
        while flights.room() < room:
            pass

    assert begun == [0, 1, 2]


def test_an_error_is_told_to_whoever_waits_and_to_nobody_later(
    flights: SingleFlight,
) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        flights.join("ana", fail).result()

    flights.wait()
    assert flights.join("ben", lambda: None).result() is None


@pytest.mark.parametrize(
    ("error", "events"),
    [
        (DatabaseUnavailableError("The database can't be reached."), []),
        (StorageError("The database is busy."), ["bulk.waits"]),
    ],
)
def test_an_outage_that_is_logged_is_not_logged_again_for_each_thread(
    error: StorageError, events: list[str]
) -> None:
    threads: WorkerThreads[str] = WorkerThreads("bulk", at_once=2)

    def work() -> None:
        raise error

    with capture_logs() as logs:
        threads.begin("ana", work).join()

    assert [each["event"] for each in logs] == events


def test_what_fails_again_and_again_is_logged_at_first_and_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads_module, "_CALM_S", 0.0)
    threads: WorkerThreads[str] = WorkerThreads("sweep", at_once=2)
    errors = [StorageError("busy"), VaultError("no key"), ValueError("a bug")]

    def work() -> None:
        raise errors[0]

    with capture_logs() as logs:
        while errors:
            for _ in range(3):
                threads.begin("ana", work).join()
            errors.pop(0)
        threads.begin("ana", lambda: None).join()

    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("sweep.waits", "warning"),
        ("sweep.waits", "warning"),
        ("sweep.failed", "error"),
        *[("sweep.goes_on", "warning")] * 2,
        ("sweep.recovered", "warning"),
    ]
    assert [each["failures"] for each in logs[3:]] == [3, 3, 3]
    assert "exc_info" in logs[2]
