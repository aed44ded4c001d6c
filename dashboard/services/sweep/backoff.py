"""Zoom apps that are not checked for a while, because the last calls failed.

An outage, a rejected API key or a blocked address affects every connection of a zoom
app. One check at growing intervals tests whether it is over. Nothing else is asked, so
the other connections keep their last state and no one is flooded afterwards.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

_FIRST = timedelta(seconds=15)
_LONGEST = timedelta(minutes=5)


@dataclass(kw_only=True)
class _Pause:
    failures: int
    until: datetime


class Backoff:
    """The paused zoom apps of this process; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pauses: dict[UUID, _Pause] = {}

    def failed(
        self,
        zoom_app_id: UUID,
        *,
        now: datetime,
        wait_s: float | None,
        is_answered: bool = False,
    ) -> None:
        """Record a failure that affects all connections of the zoom app.

        Checks that were already running at the first failure count as one with it.

        Args:
            zoom_app_id: The zoom app.
            now: Aware.
            wait_s: How long the answer asked us to wait, in seconds.
            is_answered: Nothing is down, but every request is rejected. The waits don't
                grow, so that each connection has its turn within the day.
        """
        with self._lock:
            pause = self._pauses.get(zoom_app_id)
            if pause is not None and now < pause.until <= now + _LONGEST:
                return
            failures = 1 if pause is None or is_answered else pause.failures + 1
            wait = min(_FIRST * (1 << min(failures - 1, 10)), _LONGEST)
            if wait_s is not None:
                wait = max(wait, min(timedelta(seconds=wait_s), _LONGEST))
            self._pauses[zoom_app_id] = _Pause(failures=failures, until=now + wait)

    def worked(self, zoom_app_id: UUID) -> None:
        """Record a proper answer."""
        with self._lock:
            self._pauses.pop(zoom_app_id, None)

    def is_waiting(self, zoom_app_id: UUID, *, now: datetime) -> bool:
        """Whether it must not be checked now."""
        with self._lock:
            pause = self._pauses.get(zoom_app_id)
            # One that ends later than any can was begun under a clock that was ahead.
            return pause is not None and now < pause.until <= now + _LONGEST

    def must_probe(self, zoom_app_id: UUID) -> bool:
        """Whether only one check may run, to test whether the problem is over."""
        with self._lock:
            return zoom_app_id in self._pauses
