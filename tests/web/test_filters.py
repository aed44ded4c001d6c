"""How times, numbers and ids are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dashboard.formatting import (
    age_words,
    duration_words,
    grouped,
    hours_words,
    relative_words,
    time_left,
)
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
def test_times_are_written_as_people_count(seconds: float, words: str) -> None:
    assert relative_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 second"),
        (1.4, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (90 * 60, "90 minutes"),
        (7200, "2 hours"),
        (36 * 3600, "36 hours"),
        (72 * 3600, "3 days"),
    ],
)
def test_a_length_in_a_sentence_has_two_of_its_unit(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_lengths_are_short_where_space_is() -> None:
    assert [age_words(timedelta(seconds=each)) for each in (-1, 0.084, 1.25, 300)] == [
        "0 ms",
        "84 ms",
        "1.2 s",
        "5 min",
    ]
    assert (time_left(10), time_left(7200)) == ("10 s", "2 h")
    assert (hours_words(timedelta(hours=71)), hours_words(timedelta(days=5))) == (
        "71 h",
        "5 days",
    )


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
