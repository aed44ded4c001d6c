"""Slow down addresses that keep asking for unknown keys: one call at a time.

They are not blocked. Behind an untrusted proxy all callers share one address, and
Recall itself may keep asking for connections that were deleted. In memory, per process.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from dashboard.services.throttle import network

_WINDOW = timedelta(minutes=1)
_MISSES = 20
_MOST_ADDRESSES = 4096


class UnknownCallers:
    """Counts unknown keys by address; thread-safe. Keeps a few thousand addresses."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._misses: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    @contextmanager
    def turn(self, address: str, *, now: datetime) -> Iterator[bool]:
        """Yield whether this call may be handled now.

        False while a call from another address with too many misses is handled.
        """
        if not self._has_too_many(address, now):
            yield True
        elif self._one_at_a_time.acquire(blocking=False):
            try:
                yield True
            finally:
                self._one_at_a_time.release()
        else:
            yield False

    def record(self, address: str, *, now: datetime) -> int:
        """Count a miss; return how many there were in the current minute."""
        address = network(address)
        with self._mutex:
            since, misses = self._misses.pop(address, (now, 0))
            if now >= since + _WINDOW:
                since, misses = now, 0
            self._misses[address] = since, misses + 1
            if len(self._misses) > _MOST_ADDRESSES:
                self._misses.popitem(last=False)
            return misses + 1

    def _has_too_many(self, address: str, now: datetime) -> bool:
        address = network(address)
        with self._mutex:
            since, misses = self._misses.get(address, (now, 0))
        return misses >= _MISSES and now < since + _WINDOW
