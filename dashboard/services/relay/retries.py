"""When a webhook that Recall did not take is tried again: seconds, then out to a day.

The schedule lives in the row's `attempts` and `due_at`, so a restart forgets nothing.
"""

import zlib
from datetime import datetime, timedelta
from itertools import accumulate

WAITS_S = (1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, *[7200] * 11)
"""Seconds before the second, third, ... attempt; 24 h in all, then it is dead."""

LONGEST_ASKED_S = 3600.0
"""However long Recall asks us to wait, we ask again after this."""

_MENDABLE_WAITS_S = (5, 15, 30, *[60] * 57, 300)
"""Seconds while a person can mend it: an hour of minutes, then every five."""

_SPREAD = 0.2


def next_due(
    attempts: int,
    *,
    webhook_id: int,
    now: datetime,
    asked_s: float | None = None,
) -> datetime | None:
    """Return when to try again, or None when it has been tried for a day.

    Up to a fifth is added, different for each webhook and attempt, so that a backlog
    does not come back all at once.

    Args:
        attempts: Made since it was received or resent, at least 1.
        webhook_id: Decides what is added, so that it is the same on every worker.
        now: When the last attempt ended; aware.
        asked_s: `Retry-After` in seconds: the least to wait, at most an hour of it.
    """
    if attempts > len(WAITS_S):
        return None
    wait_s = max(float(WAITS_S[attempts - 1]), min(asked_s or 0.0, LONGEST_ASKED_S))
    share = zlib.crc32(f"{webhook_id}:{attempts}".encode()) / 2**32
    return now + timedelta(seconds=wait_s * (1 + _SPREAD * share))


def next_look(claims: int, *, now: datetime) -> datetime:
    """Return when to try again what a person can mend: soon, then every five minutes.

    Args:
        claims: Made of this webhook so far, at least 1.
        now: When the last attempt ended; aware.
    """
    wait_s = _MENDABLE_WAITS_S[min(claims, len(_MENDABLE_WAITS_S)) - 1]
    return now + timedelta(seconds=wait_s)


def in_words() -> str:
    """Say how long it is tried: "23 times within 24 hours"."""
    *_, total_s = accumulate(WAITS_S)
    return f"{len(WAITS_S) + 1} times within {round(total_s / 3600)} hours"
