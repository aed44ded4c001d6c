"""Work that many wait for and one does: single flight within a process."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait

_AT_ONCE = 32


class Flights:
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
