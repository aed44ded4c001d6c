"""The worker's chore that sends a queue: each message in a thread, none waits for all.

A place that hangs (a lane) has its own bound, so it delays no other.
"""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any

import structlog
from sqlmodel import SQLModel

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.logs import Outage
from dashboard.services.outbox import queue

_THREADS = 64
_AT_ONCE = 20

_log = structlog.get_logger(__name__)


class Sender:
    """Sends what is due in one table; many workers may run it.

    Args:
        database: Where the queue is.
        clock: For due times.
        model: Its table, with the columns of `queue.Queued`.
        send: Sends a claimed row and stores what came of it; commits.
        lane: The column whose value says which messages wait for one another.
        width: How many of one lane are sent at once.
        takes_over: Whether claims found at the start are of a worker that died, where
            there can be only one.
    """

    def __init__(  # noqa: PLR0913 - what a queue is, all named
        self,
        database: Database,
        clock: Clock,
        *,
        model: type[SQLModel],
        send: Callable[[Any], None],
        lane: str,
        width: int = 1,
        takes_over: bool = True,
    ) -> None:
        self._database = database
        self._clock = clock
        self._model = model
        self._send = send
        self._lane = lane
        self._width = width
        self._lock = threading.Lock()
        self._running: dict[Future[None], object] = {}
        self._pool = ThreadPoolExecutor(
            _THREADS, thread_name_prefix=f"{model.__tablename__} sender"
        )
        self._is_first = takes_over
        self._failing = Outage(
            _log,
            "message.failed",
            "message.still_failing",
            "message.recovered",
            calm_s=60.0,
        )

    def __call__(self) -> int:
        """Begin to send what is due; return how many messages that is. Commits."""
        return len(self._begin(self._clock.now()))

    def close(self) -> None:
        """Begin nothing more; what is being sent has its lease, and ends or is lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, now: datetime) -> list[Future[None]]:
        if self._is_first and self._database.is_sqlite:
            with self._database.writing() as session:
                queue.release_all(session, self._model)
        self._is_first = False
        with self._database.reading() as session:
            if not queue.is_any_due(session, self._model, now=now):
                return []
        with self._lock:
            lanes = Counter(self._running.values())
            room = min(_AT_ONCE, _THREADS - len(self._running))
        if room <= 0:
            return []
        with self._database.writing() as session:
            rows = queue.claim(
                session,
                self._model,
                lane=self._lane,
                running=lanes,
                width=self._width,
                limit=room,
                now=now,
            )
        return [self._submit(row) for row in rows]

    def _submit(self, row: SQLModel) -> Future[None]:
        future = self._pool.submit(self._run, row)
        with self._lock:
            self._running[future] = getattr(row, self._lane)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[None]) -> None:
        with self._lock:
            self._running.pop(future, None)

    def _run(self, row: SQLModel) -> None:
        try:
            self._send(row)
            self._failing.end()
        except StorageError:
            pass  # its lease ends, and it is sent again with the same id
        except Exception:  # noqa: BLE001 - logged with its trace; the lease ends, and it is tried again
            self._failing.record(exc_info=True)
