"""Whole numbers that sort by time and are known before the row is written."""

import os
import random
import threading
from datetime import UTC, datetime, timedelta

_RANDOM_BITS = 22
_LARGEST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_lock = threading.Lock()
_last = _last_ms = 0
# Ids tell rows apart and keep no secret, so a quick generator will do. One of our own:
# whoever seeds the common one must not decide them.
_random = random.Random()  # noqa: S311 - as said
os.register_at_fork(after_in_child=_random.seed)


def new_id(now: datetime) -> int:
    """Return a 63-bit id: milliseconds since the epoch, then 22 random bits.

    Rising within a process while the clock does; unique across processes but for a
    collision of the random bits within one millisecond, which the primary key refuses.
    """
    global _last, _last_ms  # noqa: PLW0603 - what keeps ids of a process rising
    now_ms = first_id(now) >> _RANDOM_BITS
    with _lock:
        if now_ms == _last_ms:
            # In small steps, into the next millisecond if need be: there is room for
            # tens of thousands, where random ones would soon be the same.
            _last += 1 + _random.getrandbits(6)
        else:
            _last = now_ms << _RANDOM_BITS | _random.getrandbits(_RANDOM_BITS)
            _last_ms = now_ms
        return _last


def new_ids(now: datetime, number: int) -> int:
    """Return the first of so many ids in a row, for rows that the database makes."""
    global _last  # noqa: PLW0603 - as above
    first = new_id(now)
    with _lock:
        # Another thread may have had the next one: then all are after that.
        first = first if _last == first else _last + 1
        _last = first + number - 1
    return first


def first_id(instant: datetime) -> int:
    """Return the smallest id of that millisecond: a time bound for the primary key.

    Of an instant that no id can be of, the first or the last that the column takes.
    """
    found = ((instant - _EPOCH) // timedelta(milliseconds=1)) << _RANDOM_BITS
    return min(max(found, 0), _LARGEST)


def time_of(row_id: int) -> datetime:
    """Return the instant an id was made at, to the millisecond; aware, UTC."""
    return _EPOCH + timedelta(milliseconds=row_id >> _RANDOM_BITS)
