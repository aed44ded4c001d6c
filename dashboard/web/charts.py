"""Small charts as numbers for templates/macros/charts.html. No style, no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_WIDTH = 360
_BARS_TOP = 4
_BARS_BASE = 72
_BARS_HEIGHT = 88
_GAP = 3
_PARTS_HEIGHT = 10
_LABEL_EVERY_HOURS = 6
_LEAST = 1.5  # what is not nothing can be seen


@dataclass(frozen=True, kw_only=True)
class Hour:
    """What was received in one hour.

    Attributes:
        starts_at: First instant of the hour, aware.
        count: All webhooks of the hour.
        trouble: Those of them that were refused or failed.
    """

    starts_at: datetime
    count: int
    trouble: int = 0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One drawn hour; lengths in the units of the view box, y grows downwards.

    Attributes:
        label: Hour in UTC as "18:00" on every sixth hour, else empty.
        sentence: "14:00 to 15:00 UTC: 90 webhooks, 2 in trouble".
    """

    x: float
    y: float
    width: float
    height: float
    trouble_y: float
    trouble_height: float
    middle: float
    label: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class HourBars:
    """A chart of hours, oldest first, with its text alternative in `summary`."""

    bars: Sequence[Bar]
    summary: str
    width: int = _WIDTH
    height: int = _BARS_HEIGHT
    base: int = _BARS_BASE


@dataclass(frozen=True, kw_only=True)
class Part:
    """One share of a whole.

    Attributes:
        label: The word of the state ("healthy").
        tone: good, waiting, trouble or off.
    """

    label: str
    tone: str
    count: int


@dataclass(frozen=True, kw_only=True)
class DrawnPart:
    """A part with its place in the bar."""

    label: str
    tone: str
    count: int
    x: float
    width: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class PartsBar:
    """A stacked bar of the parts that are not empty, in the order given."""

    parts: Sequence[DrawnPart]
    total: int
    summary: str
    width: int = _WIDTH
    height: int = _PARTS_HEIGHT


def hour_bars(hours: Sequence[Hour]) -> HourBars:
    """Lay out one bar an hour, oldest first, scaled to the busiest."""
    most = max((hour.count for hour in hours), default=0)
    step = _WIDTH / max(len(hours), 1)
    bars = [_bar(hour, index * step, step, most) for index, hour in enumerate(hours)]
    total = sum(hour.count for hour in hours)
    summary = f"{total:,} webhooks in {len(hours)} hours"
    if most:
        busiest = max(hours, key=lambda hour: hour.count)
        summary += f", most at {_clock(busiest.starts_at)} UTC with {most:,}"
    trouble = sum(hour.trouble for hour in hours)
    if trouble:
        summary += f"; {trouble:,} refused or failed"
    return HourBars(bars=bars, summary=summary)


def parts_bar(parts: Sequence[Part], noun: str) -> PartsBar:
    """Lay out shares side by side; `noun` is the plural of what is counted."""
    present = [part for part in parts if part.count]
    total = sum(part.count for part in present)
    drawn, x = [], 0.0
    for part in present:
        width = _WIDTH * part.count / total
        sentence = f"{part.count:,} {part.label}"
        drawn.append(
            DrawnPart(
                label=part.label,
                tone=part.tone,
                count=part.count,
                x=round(x, 2),
                width=round(width, 2),
                sentence=sentence,
            )
        )
        x += width
    listed = ", ".join(part.sentence for part in drawn)
    summary = f"{total:,} {noun}: {listed}" if drawn else f"no {noun}"
    return PartsBar(parts=drawn, total=total, summary=summary)


def _bar(hour: Hour, left: float, step: float, most: int) -> Bar:
    height = _scaled(hour.count, most)
    trouble_height = min(_scaled(hour.trouble, most), height)
    starts = hour.starts_at.astimezone(UTC)
    sentence = f"{starts:%H}:00 to {(starts.hour + 1) % 24:02}:00 UTC: "
    sentence += f"{hour.count:,} webhook{'' if hour.count == 1 else 's'}"
    if hour.trouble:
        sentence += f", {hour.trouble:,} refused or failed"
    return Bar(
        x=round(left + _GAP / 2, 2),
        y=round(_BARS_BASE - height, 2),
        width=round(step - _GAP, 2),
        height=round(height, 2),
        trouble_y=round(_BARS_BASE - trouble_height, 2),
        trouble_height=round(trouble_height, 2),
        middle=round(left + step / 2, 2),
        label="" if starts.hour % _LABEL_EVERY_HOURS else f"{starts:%H}:00",
        sentence=sentence,
    )


def _scaled(count: int, most: int) -> float:
    if not count:
        return 0.0
    return max((_BARS_BASE - _BARS_TOP) * count / most, _LEAST)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:00}"
