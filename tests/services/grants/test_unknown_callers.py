"""Addresses that ask for unknown keys are slowed down, not blocked."""

from datetime import timedelta

from dashboard.services.grants.unknown_callers import UnknownCallers
from tests.makers import NOON


def test_of_an_address_that_guesses_one_call_is_looked_at_at_a_time() -> None:
    callers = UnknownCallers()
    for _ in range(20):
        with callers.turn("203.0.113.7", now=NOON) as first:
            assert first
        callers.record("203.0.113.7", now=NOON)

    with (
        callers.turn("203.0.113.7", now=NOON) as is_mine,
        callers.turn("203.0.113.7", now=NOON) as is_second,
        callers.turn("203.0.113.8", now=NOON) as is_other,
        callers.turn("203.0.113.7", now=NOON + timedelta(minutes=1)) as is_later,
    ):
        assert (is_mine, is_second, is_other, is_later) == (True, False, True, True)
    with callers.turn("203.0.113.7", now=NOON) as is_again:
        assert is_again


def test_only_the_last_addresses_are_kept() -> None:
    callers = UnknownCallers()
    for _ in range(20):
        callers.record("203.0.113.7", now=NOON)
    for number in range(4096):
        callers.record(f"2001:db8:0:{number:x}::1", now=NOON)

    with (
        callers.turn("203.0.113.7", now=NOON) as first,
        callers.turn("203.0.113.7", now=NOON) as second,
    ):
        assert (first, second) == (True, True)
