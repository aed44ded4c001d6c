"""The retry schedule: seconds at first, then up to a day.

The schedule lives in the row's `attempts` and `due_at`, so a restart forgets nothing.
"""

import zlib
from datetime import datetime, timedelta
from itertools import accumulate

WAITS_S = (1, 3, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, *[7200] * 11)
"""Seconds before the second, third, ... attempt; 24 h in all, then it has failed."""

LONGEST_ASKED_S = 3600.0
"""The longest that a `Retry-After` of Recall is followed."""

_FIXABLE_WAITS_S = (5, 15, 30, *[60] * 57, 300)
"""Seconds while a person can fix it: every minute for an hour, then every five."""

REFUSED_AGAIN_AFTER = timedelta(hours=1)
"""A webhook that Recall rejects alone is tried once more after this, then failed."""

_SPREAD = 0.2


def next_due(
    attempts: int,
    *,
    row_id: int,
    now: datetime,
    retry_after_s: float | None = None,
) -> datetime | None:
    """Return when to try again, or None when it has been tried for a day.

    Up to a fifth is added, different for each row and attempt, so that a backlog
    does not come back all at once.

    Args:
        attempts: Made since it was received or resent, at least 1.
        row_id: Decides what is added, so that it is the same on every worker.
        now: When the last attempt ended; aware.
        retry_after_s: `Retry-After`: the least to wait, up to an hour.
    """
    if attempts > len(WAITS_S):
        return None
    wait_s = max(
        float(WAITS_S[attempts - 1]), min(retry_after_s or 0.0, LONGEST_ASKED_S)
    )
    share = zlib.crc32(f"{row_id}:{attempts}".encode()) / 2**32
    return now + timedelta(seconds=wait_s * (1 + _SPREAD * share))


def next_due_when_fixable(claims: int, *, now: datetime) -> datetime:
    """Return when to try again what a person can fix: soon, then every five minutes.

    Args:
        claims: Made of this webhook so far, at least 1.
        now: When the last attempt ended; aware.
    """
    wait_s = _FIXABLE_WAITS_S[min(claims, len(_FIXABLE_WAITS_S)) - 1]
    return now + timedelta(seconds=wait_s)


def in_words() -> str:
    """Return how often it is tried: "23 attempts in 24 hours"."""
    *_, total_s = accumulate(WAITS_S)
    return f"{len(WAITS_S) + 1} attempts in {round(total_s / 3600)} hours"
