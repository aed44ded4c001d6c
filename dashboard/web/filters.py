"""How times, numbers and ids are written on every page. app.js knows the same words."""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask, has_request_context
from flask_login import current_user

from dashboard.clock import SKEW, Clock
from dashboard.formatting import grouped, relative_words
from dashboard.services.explain.verdicts import parts
from dashboard.services.webhook_log.search import MARK_WORDS


class Dated(Protocol):
    """Anything with an instant."""

    @property
    def at(self) -> datetime:
        """When it was."""


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """Return the time zone of this name; UTC when this machine knows none."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def reader_zone() -> tzinfo:
    """Return the time zone of whoever reads the page."""
    if not has_request_context():
        return UTC
    return zone_of(getattr(current_user, "time_zone", ""))


def zone_name(at: datetime) -> str:
    """Name the reader's time zone as it is then: "UTC", "CET", "UTC+03"."""
    name = at.astimezone(reader_zone()).tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def absolute(at: datetime) -> str:
    """Write an aware instant in full, for its reader: "2026-11-23 22:04:31 CET"."""
    return f"{at.astimezone(reader_zone()):%Y-%m-%d %H:%M:%S} {zone_name(at)}"


def in_full(at: datetime) -> str:
    """Write it in full, and in UTC as well for a reader elsewhere."""
    here, there = absolute(at), f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return here if here == there else f"{here} ({there})"


def clock_time(at: datetime) -> str:
    """Write the time of day of an aware instant, for its reader: "22:04:31"."""
    return f"{at.astimezone(reader_zone()):%H:%M:%S}"


def day(at: datetime) -> str:
    """Write the day of an aware instant, for its reader: "2026-11-23"."""
    return f"{at.astimezone(reader_zone()):%Y-%m-%d}"


def by_day(lines: Iterable[Dated]) -> list[tuple[str, list[Dated]]]:
    """Group what is ordered by time by its reader's days."""
    groups = groupby(lines, key=lambda line: day(line.at))
    return [(of, list(group)) for of, group in groups]


def iso(at: datetime) -> str:
    """Write an aware instant for machines: "2026-11-23T21:04:31Z"."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def middle(text: str, length: int = 22) -> str:
    """Shorten to `length` characters by an ellipsis in the middle, both ends kept."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def thousands(number: int) -> str:
    """Write a count with commas: "1,204"."""
    return f"{number:,}"


def size(count_bytes: int) -> str:
    """Write a number of bytes for people: "512 B", "1.5 KB"; 1 KB is 1024 B."""
    if count_bytes < 1024:  # noqa: PLR2004 - the unit itself
        return f"{count_bytes} B"
    kilobytes = count_bytes / 1024
    if kilobytes < 1024:  # noqa: PLR2004 - the unit itself
        return f"{kilobytes:.1f} KB"
    return f"{kilobytes / 1024:.1f} MB"


def install(app: Flask, clock: Clock) -> None:
    """Give the templates these filters; two ask the clock when they are used."""

    def ago(at: datetime) -> str:
        return relative_words((clock.now() - at).total_seconds())

    def is_ahead(at: datetime) -> bool:
        return at - clock.now() > SKEW

    app.jinja_env.globals["zone_now"] = lambda: zone_name(clock.now())
    app.jinja_env.globals["zone_key"] = lambda: str(reader_zone())
    app.jinja_env.filters.update(
        by_day=by_day,
        in_full=in_full,
        zone=zone_name,
        ago=ago,
        is_ahead=is_ahead,
        absolute=absolute,
        clock=clock_time,
        iso=iso,
        middle=middle,
        thousands=thousands,
        meeting_number=grouped,
        size=size,
        mark_words=MARK_WORDS.get,
        parts=parts,
    )
