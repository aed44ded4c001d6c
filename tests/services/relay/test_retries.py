from datetime import timedelta
from itertools import pairwise

import pytest

from dashboard.services.relay import retries
from dashboard.services.relay.retries import WAITS_S
from tests.makers import NOON


def waited_s(attempts: int, **over: float) -> float:
    due = retries.next_due(attempts, row_id=7, now=NOON, **over)
    assert due is not None
    return (due - NOON).total_seconds()


def test_the_first_waits_are_seconds_and_all_make_a_day() -> None:
    assert waited_s(1) < 2
    assert all(shorter <= longer for shorter, longer in pairwise(WAITS_S))
    assert sum(WAITS_S) == pytest.approx(24 * 3600, rel=0.02)
    assert retries.in_words() == "23 attempts in 24 hours"


@pytest.mark.parametrize("attempts", range(1, len(WAITS_S) + 1))
def test_a_wait_is_stretched_by_at_most_a_fifth(attempts: int) -> None:
    assert WAITS_S[attempts - 1] <= waited_s(attempts) <= WAITS_S[attempts - 1] * 1.2


def test_a_backlog_does_not_come_back_at_once() -> None:
    dues = {retries.next_due(5, row_id=number, now=NOON) for number in range(50)}

    assert len(dues) == 50


def test_after_a_day_it_is_given_up() -> None:
    last = len(WAITS_S)

    assert retries.next_due(last, row_id=7, now=NOON) is not None
    assert retries.next_due(last + 1, row_id=7, now=NOON) is None


def test_what_recall_asks_is_the_least_and_an_hour_the_most() -> None:
    assert 40 <= waited_s(1, retry_after_s=40) <= 48
    assert waited_s(11, retry_after_s=40) >= 3600
    assert waited_s(1, retry_after_s=999_999) <= timedelta(hours=1.2).total_seconds()
