"""Slow down addresses that keep asking for unknown keys: one call at a time.

They are not blocked. Behind an untrusted proxy all callers share one address, and
Recall itself may keep asking for connections that were deleted. In memory, per process.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

_WINDOW = timedelta(minutes=1)
_MISSES = 20
_MOST_ADDRESSES = 4096


class UnknownCallers:
    """Counts misses by address; thread-safe. Keeps the last few thousand addresses."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._misses: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    @contextmanager
    def turn(self, address: str, *, now: datetime) -> Iterator[bool]:
        """Tell whether this call may be looked at now.

        False while a call of another one that missed too often is looked at.
        """
        if not self._is_spent(address, now):
            yield True
        elif self._one_at_a_time.acquire(blocking=False):
            try:
                yield True
            finally:
                self._one_at_a_time.release()
        else:
            yield False

    def note(self, address: str, *, now: datetime) -> int:
        """Count a miss; return how many there were in the running minute."""
        with self._mutex:
            since, misses = self._misses.pop(address, (now, 0))
            if now >= since + _WINDOW:
                since, misses = now, 0
            self._misses[address] = since, misses + 1
            if len(self._misses) > _MOST_ADDRESSES:
                self._misses.popitem(last=False)
            return misses + 1

    def _is_spent(self, address: str, now: datetime) -> bool:
        with self._mutex:
            since, misses = self._misses.get(address, (now, 0))
        return misses >= _MISSES and now < since + _WINDOW
