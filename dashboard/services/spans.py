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
