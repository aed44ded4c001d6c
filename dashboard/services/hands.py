"""A few threads that do a chore's work side by side: no slow answer stops it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable

import structlog

from dashboard.errors import DashboardError

_log = structlog.get_logger(__name__)


class Hands:
    """Does what it is given, so much at once at most.

    Args:
        name: Of its threads and of its lines in the log.
        at_once: How many.

    Attributes:
        is_over: Set when nothing may be begun or written any more.
    """

    def __init__(self, name: str, *, at_once: int) -> None:
        self.is_over = threading.Event()
        self._name = name
        self._at_once = at_once
        self._lock = threading.Lock()
        self._busy: Counter[Hashable] = Counter()
        self._begun: list[threading.Thread] = []

    @property
    def room(self) -> int:
        """How much more may be begun now."""
        if self.is_over.is_set():
            return 0
        with self._lock:
            return max(self._at_once - self._busy.total(), 0)

    def busy(self, key: Hashable) -> int:
        """Return how much is under way under a key."""
        with self._lock:
            return self._busy[key]

    def begin(self, key: Hashable, work: Callable[[], object]) -> None:
        """Do it in a thread; what it raises is logged."""
        with self._lock:
            self._busy[key] += 1
            self._begun = [thread for thread in self._begun if thread.is_alive()]
        # A daemon: a vendor's time-outs must not hold up the end of the process.
        thread = threading.Thread(
            target=self._run, args=(key, work), name=self._name, daemon=True
        )
        self._begun.append(thread)
        thread.start()

    def wait(self, patience_s: float) -> None:
        """Return when all that was begun has ended, or after so many seconds."""
        ends_at_s = time.monotonic() + patience_s
        for thread in self._begun:
            thread.join(max(ends_at_s - time.monotonic(), 0))

    def close(self) -> None:
        """Begin no more; what is under way writes nothing down any more."""
        self.is_over.set()

    def _run(self, key: Hashable, work: Callable[[], object]) -> None:
        try:
            work()
        except DashboardError as error:  # its claim ends by itself, then it is due
            _log.warning(f"{self._name}.waits", about=str(key), reason=str(error))
        except Exception:  # noqa: BLE001 - the outermost of its thread
            _log.exception(f"{self._name}.failed", about=str(key))
        finally:
            with self._lock:
                self._busy[key] -= 1
