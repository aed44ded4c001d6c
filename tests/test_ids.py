"""Ids rise, also when very many are made in one millisecond, and tell their time."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.models.ids import first_id, new_id, new_ids, time_of
from tests.makers import NOON


def test_many_of_one_millisecond_rise_and_are_all_different() -> None:
    # Enough to leave the millisecond, wherever in it they begin.
    made = [new_id(NOON) for _ in range(150_000)]

    assert made == sorted(set(made))
    assert time_of(made[-1]) - NOON < timedelta(milliseconds=5)


def test_an_id_lies_in_the_millisecond_of_its_instant() -> None:
    instant = NOON + timedelta(microseconds=1_234_567)
    made = new_id(instant)

    assert first_id(instant) <= made < first_id(instant + timedelta(milliseconds=1))
    assert time_of(made) == NOON + timedelta(milliseconds=1234)


def test_ids_in_a_row_are_nobody_elses() -> None:
    first = new_ids(NOON, 1000)

    assert new_ids(NOON, 1) > first + 999


@pytest.mark.parametrize(
    ("instant", "found"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), 0),
        (datetime(9999, 12, 31, tzinfo=UTC), 2**63 - 1),
    ],
)
def test_the_bound_of_any_instant_fits_the_column(
    instant: datetime, found: int
) -> None:
    assert first_id(instant) == found
