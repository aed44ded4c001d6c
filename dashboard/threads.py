"""A few threads that do a chore's work side by side: no slow answer stops it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

import structlog

from dashboard.errors import DashboardError
from dashboard.logs import Level, Outages

K = TypeVar("K", bound=Hashable)

_log = structlog.get_logger(__name__)

_CALM_S = 60.0


class WorkerThreads(Generic[K]):
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
        self._busy: Counter[K] = Counter()
        self._begun: list[threading.Thread] = []
        events = f"{name}.waits", f"{name}.still_waits", f"{name}.goes_on"
        self._waiting = Outages(_log, *events, calm_s=_CALM_S)
        events = f"{name}.failed", f"{name}.still_failing", f"{name}.recovered"
        self._failing = Outages(_log, *events, level=Level.ERROR, calm_s=_CALM_S)

    @property
    def room(self) -> int:
        """How much more may be begun now."""
        if self.is_over.is_set():
            return 0
        with self._lock:
            return max(self._at_once - self._busy.total(), 0)

    def busy(self, key: K) -> int:
        """Return how much is under way under a key."""
        with self._lock:
            return self._busy[key]

    def counts(self) -> Counter[K]:
        """Return how much is under way, by key."""
        with self._lock:
            return Counter(self._busy)

    def begin(
        self, key: K, work: Callable[[], object], *, about: object = None
    ) -> threading.Thread:
        """Do it in a thread, which is returned; what it raises is logged by its kind.

        Args:
            key: Under which it is counted.
            work: Is done once.
            about: What the log says it was about; the key when left out.
        """
        with self._lock:
            self._busy[key] += 1
            self._begun = [thread for thread in self._begun if thread.is_alive()]
        # A daemon: a vendor's time-outs must not hold up the end of the process.
        thread = threading.Thread(
            target=self._run,
            args=(key, work, str(key if about is None else about)),
            name=self._name,
            daemon=True,
        )
        self._begun.append(thread)
        thread.start()
        return thread

    def wait(
        self, patience_s: float, threads: Iterable[threading.Thread] | None = None
    ) -> None:
        """Return when all that was begun has ended, or after so many seconds.

        Args:
            patience_s: How many.
            threads: Wait for these alone: one that hangs then holds nobody up later.
        """
        ends_at_s = time.monotonic() + patience_s
        for thread in self._begun if threads is None else threads:
            thread.join(max(ends_at_s - time.monotonic(), 0))

    def close(self) -> None:
        """Begin no more; what is under way writes nothing down any more."""
        self.is_over.set()

    def _run(self, key: K, work: Callable[[], object], about: str) -> None:
        try:
            work()
            self._waiting.end()
            self._failing.end()
        except DashboardError as error:  # its claim ends by itself, then it is due
            if not error.is_logged:
                self._waiting.record(
                    type(error).__name__, about=about, reason=str(error)
                )
        except Exception as error:  # noqa: BLE001 - no one joins it: logged with its trace
            self._failing.record(type(error).__name__, about=about, exc_info=True)
        finally:
            with self._lock:
                self._busy[key] -= 1


_AT_ONCE = 32


class SingleFlight:
    """Runs one piece of work a key at a time, in threads of its own.

    Whoever waits may give up; the work goes on to its end. Thread-safe.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="flight")
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[None]] = {}

    def join(self, key: Hashable, work: Callable[[], None]) -> Future[None]:
        """Begin `work`, unless some is under way for `key`: then that is returned."""
        with self._lock:
            found = self._under_way.get(key)
            if found is None:
                found = self._under_way[key] = self._pool.submit(work)
                is_new = True
            else:
                is_new = False
        if is_new:  # outside the lock: it is called at once when the work has ended
            found.add_done_callback(lambda ended: self._landed(key, ended))
        return found

    def room(self) -> int:
        """Return how many more would begin at once."""
        with self._lock:
            return max(0, _AT_ONCE - len(self._under_way))

    def wait(self, timeout_s: float | None = None) -> None:
        """Return when all that is under way now has ended, however it ended."""
        with self._lock:
            under_way = list(self._under_way.values())
        wait(under_way, timeout_s)

    def close(self) -> None:
        """Let what is under way end; nothing begins any more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _landed(self, key: Hashable, ended: Future[None]) -> None:
        with self._lock:
            if self._under_way.get(key) is ended:
                del self._under_way[key]
