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
class _Doubt:
    failures: int
    until: datetime


class Backoff:
    """What is known in this process; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doubts: dict[UUID, _Doubt] = {}

    def failed(
        self,
        zoom_app_id: UUID,
        *,
        now: datetime,
        wait_s: float | None,
        is_answered: bool = False,
    ) -> None:
        """Note that an answer was none, or the same for all.

        What was under way when the first of them came counts as one with it.

        Args:
            zoom_app_id: Of which zoom app.
            now: Aware.
            wait_s: What the answer asked to wait, in seconds.
            is_answered: Nothing is down: who refuses them all alike is not swamped, so
                that the waits do not grow and each has its turn within the day.
        """
        with self._lock:
            doubt = self._doubts.get(zoom_app_id)
            if doubt is not None and now < doubt.until:
                return
            failures = 1 if doubt is None or is_answered else doubt.failures + 1
            wait = min(_FIRST * (1 << min(failures - 1, 10)), _LONGEST)
            if wait_s is not None:
                wait = max(wait, min(timedelta(seconds=wait_s), _LONGEST))
            self._doubts[zoom_app_id] = _Doubt(failures=failures, until=now + wait)

    def worked(self, zoom_app_id: UUID) -> None:
        """Note that there was a proper answer."""
        with self._lock:
            self._doubts.pop(zoom_app_id, None)

    def is_waiting(self, zoom_app_id: UUID, *, now: datetime) -> bool:
        """Whether it is not to be asked now."""
        with self._lock:
            doubt = self._doubts.get(zoom_app_id)
            return doubt is not None and now < doubt.until

    def is_doubtful(self, zoom_app_id: UUID) -> bool:
        """Whether it may be asked once only, to see whether it is over."""
        with self._lock:
            return zoom_app_id in self._doubts
