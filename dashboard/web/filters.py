"""How times, numbers and ids are written on every page. app.js knows the same words."""

from datetime import UTC, datetime

from flask import Flask

from dashboard.clock import SKEW, Clock
from dashboard.formatting import grouped, relative_words
from dashboard.services.explain.verdicts import parts
from dashboard.services.webhook_log.search import MARK_WORDS


def absolute(at: datetime) -> str:
    """Write an aware instant in full: "2026-11-23 21:04:31 UTC"."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock_time(at: datetime) -> str:
    """Write the time of day of an aware instant in UTC: "21:04:31"."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


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

    app.jinja_env.filters.update(
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
