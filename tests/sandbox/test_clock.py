"""The simulators' clock: real time plus a shift, or stopped."""

from datetime import UTC, datetime, timedelta

from dashboard.sandbox.clock import SimClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_stopped_clock_moves_only_when_it_is_moved() -> None:
    clock = SimClock()
    clock.stop()
    stopped_at = clock.now()

    same = {clock.now() for _ in range(1000)}
    clock.stop()  # again changes nothing
    clock.advance(90)
    advanced = clock.now()
    clock.set(NOON)

    assert same == {stopped_at}
    assert advanced == stopped_at + timedelta(seconds=90)
    assert {clock.now() for _ in range(1000)} == {NOON}


def test_real_time_runs_again_once_it_is_set() -> None:
    clock = SimClock()
    clock.stop()
    clock.set(NOON)

    clock.set(None)
    first = clock.now()

    assert first > NOON
    assert any(clock.now() > first for _ in range(100_000))
