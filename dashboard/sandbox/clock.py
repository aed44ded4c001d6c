"""The simulators' clock, which tests and the demo can set."""

import threading
from datetime import UTC, datetime, timedelta


class SimClock:
    """Real time plus a shift; one clock serves both simulators."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shift = timedelta(0)

    def now(self) -> datetime:
        """Return the simulated instant, aware, UTC."""
        with self._lock:
            return _real_now() + self._shift

    def set(self, instant: datetime | None) -> None:
        """Set the clock to `instant`, from where it runs on; None for real time."""
        with self._lock:
            shift = timedelta(0) if instant is None else instant - _real_now()
            self._shift = shift

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds`."""
        with self._lock:
            self._shift += timedelta(seconds=seconds)


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the only place that reads real time
