"""The worker: claims what is due, delivers it in parallel, writes back, claims again.

A thread with an event loop of its own sends; the database is asked in another thread,
so that no delivery waits for it. Nothing is decided here: see services/forwarding.py.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import structlog
from aiohttp import ClientSession

from dashboard.clients import delivery as wire
from dashboard.errors import StorageError
from dashboard.services import forwarding, sending
from dashboard.services.bundle import Services
from dashboard.services.deliveries import Delivery, Result

_AT_ONCE = 256
_AT_ONCE_A_WORKSPACE = 128
_POLL_S = 0.5
_CHORES_EVERY_S = 1.0
_PAUSE_S = 1.0
_GRACE_S = 20.0
_log = structlog.get_logger(__name__)


class Worker:
    """Delivers webhooks and does the chores until stopped; many may share a database.

    Args:
        services: What it works with.
        chores: Periodic work, called about once a second, one after the other; each
            does a little and returns how much.
    """

    def __init__(
        self, services: Services, *, chores: Sequence[Callable[[], int]] = ()
    ) -> None:
        self._services = services
        self._chores = chores
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._wake: Callable[[], None] = _nothing

    def start(self) -> None:
        """Begin; returns at once."""
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("delivery", self._deliver), ("chores", self._keep))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is under way, write it back and end; may be called twice."""
        self._stopping.set()
        self._wake()
        for thread in self._threads:
            thread.join(_GRACE_S)

    def run_once(self, now: datetime) -> int:
        """Deliver everything due at `now` and return how many attempts were made.

        For tests and the demo's story, in simulated time; works beside `start` too.

        Raises:
            StorageError: The database cannot be used.
        """
        attempts = 0
        taken = self._exchange([], limit=_AT_ONCE, spared=(), now=now)
        while taken:
            # Its own thread: the caller's may have a loop running already.
            with ThreadPoolExecutor(1) as thread:
                results = thread.submit(asyncio.run, self._send_all(taken)).result()
            attempts += len(results)
            taken = self._exchange(results, limit=_AT_ONCE, spared=(), now=now)
        return attempts

    def _exchange(
        self,
        results: Sequence[Result],
        *,
        limit: int,
        spared: Collection[UUID],
        now: datetime,
    ) -> list[Delivery]:
        """Write results back and claim the next, in one transaction."""
        database = self._services.database
        if not results:
            with database.reading() as session:
                if not limit or not forwarding.is_any_due(session, now=now):
                    return []
        with database.writing() as session:
            forwarding.record(session, results, now=now)
            return forwarding.take(session, limit=limit, now=now, spared=spared)

    async def _send_all(self, taken: Sequence[Delivery]) -> list[Result]:
        async with wire.open_session(self._services.settings.recall_url) as http:
            sends = (sending.send(self._services, http, each) for each in taken)
            return await asyncio.gather(*sends)

    def _deliver(self) -> None:
        while not self._stopping.is_set():
            try:
                self._take_over()
                asyncio.run(self._run())
            except Exception:  # noqa: BLE001 - the outermost loop; leases end by themselves
                _log.exception("worker.failed")
                self._stopping.wait(_PAUSE_S)

    def _take_over(self) -> None:
        """Where there can be one worker only, take the dead one's claims at once."""
        if self._services.database.is_sqlite:
            with self._services.database.writing() as session:
                forwarding.release_all(session, now=self._services.clock.now())

    async def _run(self) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(woken.set)

        self._wake = wake
        stop_listening = self._services.intake.listen(wake)
        try:
            async with wire.open_session(self._services.settings.recall_url) as http:
                await self._pump(http, woken)
        finally:
            stop_listening()

    async def _pump(self, http: ClientSession, woken: asyncio.Event) -> None:
        """Keep deliveries under way; each end, and each commit of ours, wakes it."""
        under_way: dict[asyncio.Task[Result], UUID] = {}
        finished: list[Result] = []
        while True:
            woken.clear()
            is_stopping = self._stopping.is_set()
            for task in [task for task in under_way if task.done()]:
                del under_way[task]
                finished.append(task.result())
            if is_stopping and not under_way and not finished:
                return
            try:
                taken = await asyncio.to_thread(
                    self._exchange,
                    finished,
                    limit=0 if is_stopping else _AT_ONCE - len(under_way),
                    spared=_full(under_way.values()),
                    now=self._services.clock.now(),
                )
            except StorageError as error:
                _log.warning("worker.database_unusable", reason=str(error))
                if is_stopping:
                    return
                await asyncio.sleep(_PAUSE_S)
                continue  # what is finished is written back when the database is there
            finished = []
            for each in taken:
                task = asyncio.create_task(sending.send(self._services, http, each))
                task.add_done_callback(lambda _: woken.set())
                under_way[task] = each.workspace_id
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await woken.wait()

    def _keep(self) -> None:
        while not self._stopping.wait(_CHORES_EVERY_S):
            for chore in self._chores:
                try:
                    chore()
                except Exception:  # noqa: BLE001 - outermost too; the others go on
                    _log.exception("chore.failed")


def _full(workspaces: Collection[UUID]) -> list[UUID]:
    """Return those with enough under way: a slow one leaves room for the others."""
    counts = Counter(workspaces)
    return [each for each, count in counts.items() if count >= _AT_ONCE_A_WORKSPACE]


def _nothing() -> None:
    pass
