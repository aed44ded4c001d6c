"""When a connection is checked again: as its state and the number of them allow."""

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from dashboard.models.connection import TokenState
from dashboard.services.token_states.pace import FEW, Pace, for_numbers, next_check
from tests.makers import NOON

MINUTE = timedelta(minutes=1)


def due(*, now: datetime, ends_at: datetime, spread: float, pace: Pace) -> datetime:
    return next_check(
        TokenState.HEALTHY,
        now=now,
        wait_s=None,
        spread=spread,
        pace=pace,
        expires_at=ends_at,
    )


@pytest.mark.parametrize("spread", [0.0, 0.37, 1.0])
def test_a_token_is_checked_minutes_after_it_was_seen_to_end(spread: float) -> None:
    ends_at = NOON + 59 * MINUTE

    at = due(now=NOON, ends_at=ends_at, spread=spread, pace=FEW)

    assert ends_at < at <= ends_at + 6 * MINUTE


def test_a_token_that_lasts_for_long_does_not_put_a_check_off() -> None:
    at = due(now=NOON, ends_at=NOON + timedelta(days=30), spread=0.5, pace=FEW)

    assert at == NOON + timedelta(hours=6)


@pytest.mark.parametrize("number", [1, 300, 3000])
def test_tokens_that_end_at_once_are_checked_60_a_minute_at_most(number: int) -> None:
    pace = for_numbers(healthy=number, failing=0, unknown=0)
    ends_at = NOON + 59 * MINUTE

    found = Counter(
        (due(now=NOON, ends_at=ends_at, spread=i / number, pace=pace) - NOON) // MINUTE
        for i in range(number)
    )

    assert max(found.values()) <= 61


@pytest.mark.parametrize("number", [3600, 10_000, 50_000])
def test_days_of_checks_stay_below_what_background_work_may_ask(number: int) -> None:
    pace = for_numbers(healthy=number, failing=0, unknown=0)
    draw = random.Random(number)  # noqa: S311 - no secret
    asked: Counter[int] = Counter()
    for i in range(number):
        now = NOON + pace.healthy * (i / number)
        while now < NOON + timedelta(days=2):
            asked[(now - NOON) // MINUTE] += 1
            ends_at = now + timedelta(hours=1)
            now = due(now=now, ends_at=ends_at, spread=draw.random(), pace=pace)

    assert max(asked.values()) <= 120
