"""The only reader of the time."""

import threading
import time
from datetime import UTC, datetime, timedelta

from dashboard import transactions

SKEW = timedelta(minutes=1)
"""How far clocks may be apart: what is dated later than now and this proves nothing."""


class Clock:
    """Tells the instant, aware, UTC; the demo may move it, nobody else does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shift = timedelta(0)

    def now(self) -> datetime:
        """Return the present instant, aware, UTC."""
        with self._lock:
            return _real_now() + self._shift

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of real time."""
        transactions.require_none("a wait")
        time.sleep(seconds)

    def drift_s(self) -> float:
        """Return the host's wall clock less the time since its boot, in seconds.

        It changes when somebody sets the clock; not by sleep, nor by `set`.
        """
        elapsed = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return _real_now().timestamp() - time.clock_gettime(elapsed)

    def set(self, instant: datetime | None) -> None:
        """Make it `instant` now and let time run on from there; None is real time."""
        with self._lock:
            self._shift = timedelta(0) if instant is None else instant - _real_now()


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the house's only look at real time
