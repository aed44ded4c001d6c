"""How lengths of time, numbers and addresses are written, on pages and in sentences."""

from datetime import timedelta

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_UNITS = ((_MINUTE_S, "min"), (_HOUR_S, "h"), (_DAY_S, "d"))


def age_words(span: timedelta) -> str:
    """Write a measured length: "84 ms", "1.2 s", "4 min", "3 h", "2 d"; never negative.

    A unit is used up to a hundred of it.
    """
    seconds = max(span.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    size, unit = next((each for each in _UNITS if seconds < each[0] * 100), _UNITS[-1])
    return f"{seconds // size:.0f} {unit}"


def time_left(seconds: float) -> str:
    """Write an estimate in whole units: "10 s", "4 min", "3 h", "2 d"."""
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    return age_words(timedelta(seconds=seconds))


def hours_words(span: timedelta) -> str:
    """Write a length in whole hours, from three days on in days: "30 h", "5 days"."""
    hours = span // timedelta(hours=1)
    return f"{hours} h" if span < timedelta(days=3) else f"{hours // 24} days"


def duration_words(seconds: float) -> str:
    """Write a length for a sentence: "1 second", "90 minutes", "2 hours", "3 days".

    In the largest unit of which there are two.
    """
    for size, unit in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}s"
    whole = max(round(seconds), 1)
    return "1 second" if whole == 1 else f"{whole} seconds"


def relative_words(seconds: float) -> str:
    """Say how long ago something was: "40 s ago", "4 min ago", and "in 52 h" if ahead.

    Counts whole units, rounded down; a unit is used a little beyond the next one.
    `app.js` says the same.

    Args:
        seconds: Since then; below 0 when it is still to come.
    """
    size = abs(seconds)
    # Zoom's 72 hours are counted down in hours.
    days_from_s = (2 if seconds > 0 else 3) * _DAY_S
    if size < 1:
        return "now"
    if size < 1.5 * _MINUTE_S:
        words = f"{int(size)} s"
    elif size < 1.5 * _HOUR_S:
        words = f"{int(size // _MINUTE_S)} min"
    elif size < days_from_s:
        words = f"{int(size // _HOUR_S)} h"
    else:
        words = f"{int(size // _DAY_S)} d"
    return f"{words} ago" if seconds > 0 else f"in {words}"


_PMI_DIGITS = 10


def grouped(number: int | str | None) -> str:
    """Group a PMI or meeting number as Zoom shows it: "555 123 4567", "912 3456 7890".

    Ten digits are grouped 3-3-4; nine and eleven 3-3-3 and 3-4-4. None gives "".
    """
    if number is None:
        return ""
    digits = str(number)
    second = 3 if len(digits) <= _PMI_DIGITS else 4
    parts = digits[:3], digits[3 : 3 + second], digits[3 + second :]
    return " ".join(part for part in parts if part)


def masked_email(email: str) -> str:
    """Return "a***@example.com" for "ana@example.com"; the domain stays."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}***{at}{domain}"


def masked_id(zoom_id: str) -> str:
    """Return the first three characters of a Zoom user or account id."""
    return f"{zoom_id[:3]}***"
