"""How times, numbers and ids are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dashboard.formatting import grouped
from dashboard.web import filters

NOW = datetime(2026, 11, 23, 21, 4, 31, tzinfo=UTC)
WARSAW = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (0.4, "now"),
        (1, "1 s ago"),
        (89, "89 s ago"),
        (90, "1 min ago"),
        (4 * 60 + 59, "4 min ago"),
        (5399, "89 min ago"),
        (5400, "1 h ago"),
        (20 * 3600, "20 h ago"),
        (48 * 3600 - 1, "47 h ago"),
        (48 * 3600, "2 d ago"),
        (400 * 86400, "400 d ago"),
        (-1, "in 1 s"),
        (-600, "in 10 min"),
        (-52 * 3600, "in 52 h"),
        (-72 * 3600, "in 3 d"),
    ],
)
def test_times_are_told_as_people_count(seconds: float, words: str) -> None:
    assert filters.relative(NOW - timedelta(seconds=seconds), now=NOW) == words


def test_an_absolute_time_is_in_utc_with_seconds() -> None:
    assert filters.absolute(NOW.astimezone(WARSAW)) == "2026-11-23 21:04:31 UTC"


def test_a_time_of_day_is_in_utc_with_seconds() -> None:
    assert filters.clock_time(NOW.astimezone(WARSAW)) == "21:04:31"


def test_a_time_for_machines_names_its_zone() -> None:
    assert filters.iso(NOW.astimezone(WARSAW)) == "2026-11-23T21:04:31Z"


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("short", 22, "short"),
        ("a" * 22, 22, "a" * 22),
        ("32721c6e-3acf-4511-8a0c-34b7", 14, "32721c6e-…34b7"),
        ("abcdef", 2, "a…"),
        ("", 22, ""),
    ],
)
def test_a_long_id_is_shortened_in_its_middle(
    text: str, length: int, shown: str
) -> None:
    assert filters.middle(text, length) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (1204, "1,204"), (10**6, "1,000,000")]
)
def test_a_count_has_commas(number: int, shown: str) -> None:
    assert filters.thousands(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (5551234567, "555 123 4567"),
        ("91234567890", "912 3456 7890"),
        (123456789, "123 456 789"),
        (12, "12"),
        (None, ""),
    ],
)
def test_a_meeting_number_is_grouped_as_zoom_shows_it(
    number: int | str | None, shown: str
) -> None:
    assert grouped(number) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (2 * 1024**2, "2.0 MB")],
)
def test_a_size_is_written_for_people(count: int, shown: str) -> None:
    assert filters.size(count) == shown
