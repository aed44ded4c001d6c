"""Whole numbers that sort by time and are known before the row is written."""

import random
import threading
from datetime import UTC, datetime, timedelta

_RANDOM_BITS = 22
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_lock = threading.Lock()
_last = 0


def new_id(now: datetime) -> int:
    """Return a 63-bit id: milliseconds since the epoch, then 22 random bits.

    Rising within a process; unique across processes but for a collision of the random
    bits within one millisecond, which the primary key refuses.
    """
    global _last  # noqa: PLW0603 - the one counter that keeps ids of a process rising
    # They tell rows apart and keep no secret, so a quick generator will do.
    candidate = first_id(now) | random.getrandbits(_RANDOM_BITS)
    with _lock:
        if _last >> _RANDOM_BITS == candidate >> _RANDOM_BITS and candidate <= _last:
            candidate = _last + 1 + random.getrandbits(6)
        _last = candidate
        return candidate


def first_id(instant: datetime) -> int:
    """Return the smallest id of that millisecond: a time bound for the primary key."""
    return ((instant - _EPOCH) // timedelta(milliseconds=1)) << _RANDOM_BITS


def time_of(row_id: int) -> datetime:
    """Return the instant an id was made at, to the millisecond; aware, UTC."""
    return _EPOCH + timedelta(milliseconds=row_id >> _RANDOM_BITS)
