"""Charts: what is drawn agrees with what is told."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.web.charts import Hour, Part, hour_bars, parts_bar

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


def a_day(counts: dict[int, int], trouble: dict[int, int] | None = None) -> list[Hour]:
    return [
        Hour(
            starts_at=MIDNIGHT + timedelta(hours=hour),
            count=counts.get(hour, 0),
            trouble=(trouble or {}).get(hour, 0),
        )
        for hour in range(24)
    ]


def test_the_busiest_hour_is_the_tallest_and_the_others_are_to_scale() -> None:
    chart = hour_bars(a_day({3: 50, 4: 100}))

    assert chart.bars[4].height == pytest.approx(2 * chart.bars[3].height)
    assert chart.bars[4].height == max(bar.height for bar in chart.bars)


def test_every_bar_stands_on_the_base_line() -> None:
    chart = hour_bars(a_day({3: 50, 4: 100, 5: 1}))

    assert all(bar.y + bar.height == chart.base for bar in chart.bars)


def test_one_webhook_among_thousands_can_be_seen() -> None:
    chart = hour_bars(a_day({3: 1, 4: 100_000}))

    assert chart.bars[3].height >= 1


def test_trouble_is_never_taller_than_its_bar() -> None:
    chart = hour_bars(a_day({3: 1, 4: 100_000}, trouble={3: 1}))

    assert 0 < chart.bars[3].trouble_height <= chart.bars[3].height


def test_the_hours_are_written_at_every_sixth_bar() -> None:
    chart = hour_bars(a_day({}))

    labels = [bar.label for bar in chart.bars if bar.label]
    assert labels == ["00:00", "06:00", "12:00", "18:00"]


def test_the_text_alternative_tells_total_peak_and_trouble() -> None:
    chart = hour_bars(a_day({14: 1200, 15: 5}, trouble={15: 2}))

    assert chart.summary == (
        "1,205 webhooks in 24 hours, most at 14:00 UTC with 1,200; 2 refused or failed"
    )
    assert chart.bars[14].sentence == "14:00 to 15:00 UTC: 1,200 webhooks"
    assert chart.bars[15].sentence == (
        "15:00 to 16:00 UTC: 5 webhooks, 2 refused or failed"
    )


def test_the_last_hour_of_the_day_ends_at_midnight() -> None:
    chart = hour_bars(a_day({23: 1}))

    assert chart.bars[23].sentence == "23:00 to 00:00 UTC: 1 webhook"


def test_a_silent_day_has_no_peak() -> None:
    assert hour_bars(a_day({})).summary == "0 webhooks in 24 hours"


def test_the_parts_fill_the_bar_without_overlap() -> None:
    chart = parts_bar(
        [
            Part(label="healthy", tone="good", count=3),
            Part(label="unknown", tone="off", count=1),
        ],
        "connections",
    )

    first, second = chart.parts
    assert (first.x, first.width) == (0, chart.width * 0.75)
    assert second.x + second.width == chart.width
    assert chart.summary == "4 connections: 3 healthy, 1 unknown"


def test_an_empty_part_is_not_drawn_and_nothing_is_said_so() -> None:
    chart = parts_bar([Part(label="healthy", tone="good", count=0)], "connections")

    assert list(chart.parts) == []
    assert chart.summary == "no connections"
