"""Rate budgets: never over, shared by all processes, with room for people."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from dashboard.clients.recall.operations import Operation
from dashboard.db import Database
from dashboard.errors import UpstreamError
from dashboard.services.recall import rate_limit_counts
from dashboard.services.recall.rate_limit_words import NAMES, full
from dashboard.services.recall.rate_limits import (
    RateLimiter,
    Sweeper,
    background_limit,
    scope_of,
)
from dashboard.services.runtime import Runtime
from tests.makers import NOON, FakeClock

SCOPE = scope_of("us-east-1", "0a1b2c3d")
LIST = Operation.APPS_LIST
PEOPLE, BACKGROUND = False, True


def counting(database: Database, clock: FakeClock) -> RateLimiter:
    clock_: Any = clock
    return RateLimiter(database, clock_)


@pytest.fixture
def budgets(database: Database, clock: FakeClock) -> RateLimiter:
    return counting(database, clock)


def may(
    budgets: RateLimiter,
    operation: Operation = LIST,
    *,
    yields: bool = PEOPLE,
    scope: str = SCOPE,
) -> bool:
    try:
        budgets.take(scope, operation, yields=yields)
    except UpstreamError:
        return False
    return True


def refusal(budgets: RateLimiter, *, yields: bool = PEOPLE) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        budgets.take(SCOPE, LIST, yields=yields)
    return caught.value


def at_once(tries: list[Callable[[], bool]]) -> int:
    """Try everything from many threads; return how much was let through."""
    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(lambda one: one(), tries))


@pytest.mark.parametrize("operation", [LIST, Operation.LOGS_CREDENTIALS])
def test_each_operation_has_its_budget(
    budgets: RateLimiter, operation: Operation
) -> None:
    let_through = sum(may(budgets, operation) for _ in range(operation.a_minute + 5))

    assert let_through == operation.a_minute


def test_another_operation_and_another_workspace_have_their_own(
    budgets: RateLimiter,
) -> None:
    for _ in range(60):
        may(budgets)

    assert not may(budgets)
    assert may(budgets, Operation.LOGS_APPS)
    assert may(budgets, scope=scope_of("eu-central-1", "0a1b2c3d"))


def test_many_threads_and_two_processes_connections_are_never_let_through_too_often(
    postgresql: Database, clock: FakeClock
) -> None:
    other = Database(postgresql.url.render_as_string(hide_password=False))
    both = [counting(postgresql, clock), counting(other, clock)]

    let_through = at_once([lambda one=one: may(one) for one in both * 60])  # type: ignore[misc]  # a default binds
    other.close()

    assert let_through == 60


def test_many_threads_are_never_let_through_too_often(budgets: RateLimiter) -> None:
    assert at_once([lambda: may(budgets)] * 100) == 60


def test_background_work_stops_early_and_people_find_room(budgets: RateLimiter) -> None:
    quiet = sum(may(budgets, yields=BACKGROUND) for _ in range(60))
    people = sum(may(budgets) for _ in range(60))

    assert (quiet, people) == (36, 24)
    assert background_limit(LIST) == 36


def test_what_people_ask_is_not_left_to_background_work(budgets: RateLimiter) -> None:
    for _ in range(36):
        may(budgets)

    assert not may(budgets, yields=BACKGROUND)
    assert may(budgets)


def test_people_are_told_how_often_and_when_next(
    budgets: RateLimiter, clock: FakeClock
) -> None:
    for _ in range(60):
        may(budgets)
    clock.advance(seconds=58)

    error = refusal(budgets)

    assert str(error) == (
        "Recall allows this workspace 60 requests a minute to list apps, and all are "
        "used. Try again in 12 s. Nothing was changed."
    )
    assert (error.status, error.retry_after_s, error.retryable) == (429, 12, True)
    assert not error.may_have_happened


def test_background_work_is_told_where_it_stops(budgets: RateLimiter) -> None:
    for _ in range(36):
        may(budgets)

    assert str(refusal(budgets, yields=BACKGROUND)) == (
        "Background jobs pause at 36 of the 60 requests a minute that Recall allows "
        "this workspace to list apps. Try again in 70 s. Nothing was changed."
    )


def test_there_is_room_when_it_was_promised_and_not_before(
    budgets: RateLimiter, clock: FakeClock
) -> None:
    clock.advance(seconds=3.5)
    for _ in range(60):
        may(budgets)
        clock.advance(seconds=0.5)
    wait_s = refusal(budgets).retry_after_s
    assert wait_s is not None

    clock.advance(seconds=wait_s - 0.001)
    before = may(budgets)
    clock.advance(seconds=0.001)

    assert (before, may(budgets)) == (False, True)


def test_a_refused_call_is_not_counted(
    budgets: RateLimiter, database: Database
) -> None:
    for _ in range(70):
        may(budgets)

    with database.reading() as session:
        (use,) = rate_limit_counts.uses(session, now=NOON)[SCOPE]
    assert use.used == 60


@pytest.mark.parametrize(("asked_s", "waits_s"), [(12.5, 12.5), (None, 60)])
@pytest.mark.parametrize("yields", [PEOPLE, BACKGROUND])
def test_after_a_429_of_recalls_own_nobody_asks_before_it_said(
    budgets: RateLimiter,
    clock: FakeClock,
    asked_s: float | None,
    waits_s: float,
    yields: bool,  # noqa: FBT001 - a column of the table
) -> None:
    budgets.pause(SCOPE, LIST, asked_s)
    clock.advance(seconds=waits_s - 0.5)

    error = refusal(budgets, yields=yields)
    clock.advance(seconds=0.5)

    assert str(error) == (
        "Recall rejected a request to list apps at 12:00:00 UTC: too many requests. "
        "Try again in 1 s. Nothing was changed."
    )
    assert (error.status, error.retry_after_s) == (429, 0.5)
    assert may(budgets, yields=yields)


def test_an_answer_that_comes_late_does_not_shorten_the_pause(
    budgets: RateLimiter, clock: FakeClock
) -> None:
    budgets.pause(SCOPE, LIST, 60)
    clock.advance(seconds=10)
    budgets.pause(SCOPE, LIST, 5)
    clock.advance(seconds=20)

    assert not may(budgets)
    assert may(budgets, Operation.APPS_RETRIEVE)


def test_the_chore_forgets_once_a_minute_what_is_over(
    runtime: Runtime, clock: FakeClock
) -> None:
    budgets = counting(runtime.database, clock)
    chore = Sweeper(runtime.database, runtime.clock)
    may(budgets)

    swept = [chore()]
    clock.advance(minutes=20)
    swept.append(chore())
    may(budgets)
    clock.advance(seconds=59)
    swept.append(chore())

    assert swept == [0, 1, 0]


def test_without_a_database_calls_go_on_uncounted_and_that_is_logged_once(
    clock: FakeClock,
) -> None:
    gone = Database("sqlite:////nowhere/at/all/dashboard.db")
    budgets = counting(gone, clock)

    with capture_logs() as logs:
        let_through = sum(may(budgets) for _ in range(70))
        budgets.pause(SCOPE, LIST, 5)
    gone.close()

    assert let_through == 70
    assert [one["event"] for one in logs] == [
        "database.unavailable",
        "calls to Recall go on uncounted",
    ]


@pytest.mark.parametrize("operation", list(Operation))
def test_each_operation_has_words(operation: Operation) -> None:
    assert NAMES[operation]
    assert "nothing was" in full(operation, stops_at=1, wait_s=3.0).lower()
