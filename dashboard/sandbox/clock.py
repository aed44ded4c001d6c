"""The simulators' clock, which tests and the demo can set."""

import threading
from datetime import UTC, datetime, timedelta


class SimClock:
    """Real time plus a shift, or stopped; one clock serves both simulators."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shift = timedelta(0)
        self._stopped_at: datetime | None = None

    def now(self) -> datetime:
        """Return the simulated instant, aware, UTC."""
        with self._lock:
            return (self._stopped_at or _real_now()) + self._shift

    def set(self, instant: datetime | None) -> None:
        """Set the clock to `instant`; None for real time, which always runs."""
        with self._lock:
            if instant is None:
                self._stopped_at = None
                self._shift = timedelta(0)
            else:
                self._shift = instant - (self._stopped_at or _real_now())

    def stop(self) -> None:
        """Let no time pass but by `set` and `advance`, however long a test takes."""
        with self._lock:
            self._stopped_at = self._stopped_at or _real_now()

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds`."""
        with self._lock:
            self._shift += timedelta(seconds=seconds)


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the only place that reads real time
