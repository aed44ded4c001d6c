"""How long something took, in words."""

from datetime import timedelta


def age_words(span: timedelta) -> str:
    """Write a span: "84 ms", "1.2 s", "4 min", "3 h", "2 d"; never negative."""
    seconds = max(span.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - the unit
        return f"{seconds:.1f} s"
    for size, unit in ((60, "min"), (3600, "h"), (86400, "d")):
        if seconds < size * 100:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds // 86400:.0f} d"


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
