"""How calls are counted: no sixty seconds ever hold more than the limit."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine
from sqlmodel import SQLModel

from dashboard.clients.recall.operations import Operation
from dashboard.db import Database
from dashboard.models.workspace import RatePause, RateSlot
from dashboard.services.recall import rate_limit_counts
from dashboard.services.recall.rate_limit_counts import Use, sweep, take, uses
from tests.makers import NOON

LIST, LOOK = Operation.APPS_LIST, Operation.APPS_RETRIEVE
STOPS_AT = 5
TABLES = [SQLModel.metadata.tables[name] for name in ("rate_slot", "rate_pause")]


@pytest.fixture(scope="module")
def memory() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        SQLModel.metadata.create_all(connection, TABLES)
        yield connection
    engine.dispose()


@given(
    pauses_s=st.lists(
        st.floats(0, 20, allow_nan=False) | st.sampled_from([0.0, 4.999, 5.0, 59.9]),
        max_size=60,
    ),
    begins_s=st.floats(0, 5, exclude_max=True),
    on_its_way_s=st.lists(st.floats(0, 5, exclude_max=True), min_size=61, max_size=61),
)
@example(  # the end of one slot, all late; then the first instant with room again
    pauses_s=[0.0] * 4 + [60.001], begins_s=4.999, on_its_way_s=[4.9] * 5 + [0.0] * 56
)
def test_no_sixty_seconds_hold_more_wherever_they_begin_and_however_late_calls_arrive(
    memory: Connection,
    pauses_s: list[float],
    begins_s: float,
    on_its_way_s: list[float],
) -> None:
    now, arrived_s = NOON + timedelta(seconds=begins_s), []
    for pause_s, late_s in zip([0.0, *pauses_s], on_its_way_s, strict=False):
        now += timedelta(seconds=pause_s)
        if take(memory, "a scope", LIST, stops_at=STOPS_AT, now=now) is None:
            arrived_s.append(now.timestamp() + late_s)
    memory.rollback()

    arrived_s.sort()
    for first, one_too_many in zip(arrived_s, arrived_s[STOPS_AT:], strict=False):
        assert one_too_many - first > 60


def test_whoever_asks_evenly_is_hardly_held_up(memory: Connection) -> None:
    seconds = range(0, 3600, 2)

    refused = [
        second
        for second in seconds
        if take(memory, "a scope", LIST, stops_at=36, now=NOON + timedelta(0, second))
    ]
    memory.rollback()

    assert refused == []


def test_what_another_hosts_clock_counts_ahead_is_counted(memory: Connection) -> None:
    ahead = NOON + timedelta(seconds=30)
    for _ in range(STOPS_AT):
        take(memory, "a scope", LIST, stops_at=STOPS_AT, now=ahead)

    refused = take(memory, "a scope", LIST, stops_at=STOPS_AT, now=NOON)
    memory.rollback()

    assert refused is not None
    assert refused.wait_s == 100


def count(database: Database, operation: Operation, times: int, **ago: float) -> None:
    with database.writing_fast() as connection:
        for _ in range(times):
            at = NOON - timedelta(**ago)
            take(connection, "a scope", operation, stops_at=300, now=at)


def test_what_was_used_is_told_by_share_and_forgotten_after_a_minute(
    database: Database,
) -> None:
    count(database, LIST, 30, seconds=50)
    count(database, LOOK, 40)
    until = NOON + timedelta(seconds=30)
    with database.writing_fast() as connection:
        for operation in (LOOK, Operation.LOGS_APPS):
            rate_limit_counts.pause(
                connection, "a scope", operation, said_at=NOON, until=until
            )

    with database.reading() as session:
        now = uses(session, now=NOON, scopes=["a scope", "another"])
        later = uses(session, now=NOON + timedelta(seconds=25))
        elsewhere = uses(session, now=NOON, scopes=["another"])

    assert now == {
        "a scope": [
            Use(operation=LIST, used=30),
            Use(operation=LOOK, used=40, said_at=NOON, until=until),
            Use(operation=Operation.LOGS_APPS, said_at=NOON, until=until),
        ]
    }
    assert [use.operation for use in later["a scope"]] == [LOOK, Operation.LOGS_APPS]
    assert elsewhere == {}


def test_an_operation_of_another_version_is_passed_over(database: Database) -> None:
    slot = rate_limit_counts.slot_of(NOON)
    with database.writing() as session:
        session.add(RateSlot(scope="a scope", operation="new", slot=slot, used=1))
        session.add(
            RatePause(
                scope="a scope",
                operation="new",
                said_at=NOON,
                until=NOON + timedelta(minutes=1),
            )
        )

    with database.reading() as session:
        assert uses(session, now=NOON) == {}


def test_what_nobody_counts_any_more_is_deleted(database: Database) -> None:
    count(database, LIST, 2, minutes=20)
    count(database, LIST, 3, seconds=60)
    with database.writing_fast() as connection:
        for operation, ago in ((LIST, timedelta(hours=2)), (LOOK, timedelta())):
            rate_limit_counts.pause(
                connection, "a scope", operation, said_at=NOON - ago, until=NOON - ago
            )

    with database.writing_fast() as connection:
        swept = sweep(connection, now=NOON)

    with database.reading() as session:
        (use,) = uses(session, now=NOON)["a scope"]
    assert swept == 2
    assert use.used == 3
