"""The worker: claims what is due, delivers it in parallel, stores the results.

One thread sends, with its own event loop; another asks the database, so that no
delivery waits for it. Nothing is decided here: `services.relay` decides.
"""

import asyncio
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Protocol, runtime_checkable
from uuid import UUID

import structlog
import uvloop
from aiohttp import ClientSession

from dashboard.clients import delivery as wire
from dashboard.db import CHANNEL
from dashboard.errors import StorageError
from dashboard.logs import Level, Outage
from dashboard.services.heartbeats import heartbeats
from dashboard.services.relay import claims, sending
from dashboard.services.relay import results as delivery_results
from dashboard.services.relay.sending import Delivery, Result
from dashboard.services.runtime import Runtime

_PACKAGE = "zoom-recall-dashboard"
_AT_ONCE = 512
"""Claimed in one transaction; each workspace has a bound of its own."""

_MIN_CYCLE_S = 0.04
"""The shortest time between two exchanges with the database, so that results gather.

After a pause there is no such wait: a webhook that comes alone is sent at once."""

_POLL_S = 0.5
_CHORES_EVERY_S = 1.0
_PAUSE_S = 1.0
_GRACE_S = 20.0
_CALM_S = 10.0
_DELIVERY_STUCK_AFTER_S = 45.0
_CHORES_STUCK_AFTER_S = 600.0
_log = structlog.get_logger(__name__)


@runtime_checkable
class _Closing(Protocol):
    """A chore that has running work of its own."""

    def close(self) -> None:
        """End it; it writes nothing afterwards."""
        ...


class Worker:
    """Delivers webhooks and runs the chores until stopped; many may share a database.

    Args:
        runtime: What it works with.
        chores: Periodic work, called about once a second, one after the other; each
            does a little and returns how much.

    Attributes:
        name: Its name in the rows of attempts, "host:process".
    """

    def __init__(
        self, runtime: Runtime, *, chores: Sequence[Callable[[], int]] = ()
    ) -> None:
        host = socket.gethostname().partition(".")[0]
        self.name = f"{host[:60]}:{os.getpid()}"
        self._runtime = runtime
        self._chores = chores
        self._retention = timedelta(days=runtime.settings.webhook_retention_days)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._wake: Callable[[], None] = _nothing
        self._failing = _outage("worker")
        self._waiting = _waiting(
            "worker.database_unusable",
            "worker.database_still_unusable",
            "worker.database_usable",
        )
        self._turns = {"delivery": time.monotonic(), "chores": time.monotonic()}

    def start(self) -> None:
        """Begin; returns at once."""
        targets = {
            "delivery": self._deliver,
            "chores": self._run_chores,
            "heartbeat": self._beat,
        }
        if not self._runtime.database.is_sqlite:
            targets["due notices"] = self._listen
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in targets.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish and store running deliveries, then end; may be called twice."""
        self._stopping.set()
        self._wake()
        for thread in self._threads:
            thread.join(_GRACE_S)
        for chore in self._chores:
            if isinstance(chore, _Closing):
                chore.close()

    def run_once(self, now: datetime) -> int:
        """Deliver everything due at `now` and return how many attempts were made.

        For tests and the demo's story, in simulated time; works beside `start` too.

        Raises:
            StorageError: The database cannot be used.
        """
        attempts = 0
        claimed = self._exchange([], limit=_AT_ONCE, in_flight={}, now=now)
        while claimed:
            # Its own thread: the caller's may have a loop running already.
            with ThreadPoolExecutor(1) as thread:
                results = thread.submit(asyncio.run, self._send_all(claimed)).result()
            attempts += len(results)
            claimed = self._exchange(results, limit=_AT_ONCE, in_flight={}, now=now)
        return attempts

    def _exchange(
        self,
        results: Sequence[Result],
        *,
        limit: int,
        in_flight: Mapping[UUID, int],
        now: datetime,
    ) -> list[Delivery]:
        """Store results and claim the next, in one transaction."""
        database = self._runtime.database
        if not results:
            with database.reading() as session:
                if not limit or not claims.is_any_due(session, now=now):
                    return []
        with database.writing() as session:
            delivery_results.store(session, results, now=now, retention=self._retention)
            return claims.claim(
                session, limit=limit, now=now, worker=self.name, in_flight=in_flight
            )

    async def _send_all(self, claimed: Sequence[Delivery]) -> list[Result]:
        async with wire.open_session(self._runtime.settings.recall_url) as http:
            tests = sending.SignedTests(self._runtime, http)
            sends = (
                sending.send(self._runtime, http, each, tests=tests) for each in claimed
            )
            return await asyncio.gather(*sends)

    def _deliver(self) -> None:
        while not self._stopping.is_set():
            try:
                self._take_over()
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self._run())
            except Exception:  # noqa: BLE001 - logged with its trace; delivery starts again, and its leases expire
                self._failing.record(exc_info=True)
                self._stopping.wait(_PAUSE_S)

    def _take_over(self) -> None:
        """Free the claims of a worker that died, where there can be only one worker."""
        if self._runtime.database.is_sqlite:
            with self._runtime.database.writing() as session:
                claims.release_all(session, now=self._runtime.clock.now())

    async def _run(self) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(woken.set)

        self._wake = wake
        stop_listening = self._runtime.writer.listen(wake)
        try:
            async with wire.open_session(self._runtime.settings.recall_url) as http:
                await self._pump(http, woken)
        finally:
            stop_listening()

    async def _pump(self, http: ClientSession, woken: asyncio.Event) -> None:
        """Keep deliveries in flight; each end, and each stored webhook, wakes it."""
        in_flight: Counter[UUID] = Counter()
        tests = sending.SignedTests(self._runtime, http)
        sends: set[asyncio.Task[None]] = set()
        finished: list[Result] = []
        failed: list[BaseException] = []

        async def send(each: Delivery) -> None:
            try:
                finished.append(
                    await sending.send(self._runtime, http, each, tests=tests)
                )
            finally:
                in_flight[each.workspace_id] -= 1

        def end(task: asyncio.Task[None]) -> None:
            sends.discard(task)
            failed.extend(filter(None, [task.exception()]))
            woken.set()

        while True:
            began = self._turns["delivery"] = time.monotonic()
            woken.clear()
            is_stopping = self._stopping.is_set()
            if is_stopping and not sends and not finished:
                return
            if failed:
                raise failed[0]
            results, finished[:] = list(finished), []
            try:
                claimed = await asyncio.to_thread(
                    self._exchange,
                    results,
                    limit=0 if is_stopping else _AT_ONCE,
                    in_flight=dict(in_flight),
                    now=self._runtime.clock.now(),
                )
            except StorageError as error:
                _note(self._waiting, error)
                if is_stopping:
                    return
                finished += results  # stored when the database is available again
                await asyncio.sleep(_PAUSE_S)
                continue
            self._failing.end()
            self._waiting.end()
            for each in claimed:
                in_flight[each.workspace_id] += 1
                task = asyncio.create_task(send(each))
                sends.add(task)
                task.add_done_callback(end)
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await woken.wait()
            rest_s = began + _MIN_CYCLE_S - time.monotonic()
            if rest_s > 0:
                await asyncio.sleep(rest_s)

    def _listen(self) -> None:
        """Wake at commits of other processes; polling goes on as well."""
        deaf = Outage(
            _log,
            "worker.not_listening",
            "worker.still_not_listening",
            "worker.listens_again",
            calm_s=_CALM_S,
        )
        while not self._stopping.is_set():
            try:
                for came in self._runtime.database.notices(CHANNEL, timeout_s=_POLL_S):
                    deaf.end()
                    if self._stopping.is_set():
                        return
                    if came:
                        self._wake()
            except StorageError as error:
                _note(deaf, error)
            except Exception:  # noqa: BLE001 - logged with its trace; polling goes on meanwhile
                deaf.record(exc_info=True)
            self._stopping.wait(_PAUSE_S)

    def _run_chores(self) -> None:
        waits = "chore.waits", "chore.still_waits", "chore.goes_on"
        chores = [(chore, _outage("chore"), _waiting(*waits)) for chore in self._chores]
        while not self._stopping.wait(_CHORES_EVERY_S):
            for chore, failing, waiting in chores:
                self._turns["chores"] = time.monotonic()
                try:
                    chore()
                    failing.end()
                    waiting.end()
                except StorageError as error:
                    _note(waiting, error)
                except Exception:  # noqa: BLE001 - logged with its trace; one chore must not stop the others
                    failing.record(exc_info=True)

    def _beat(self) -> None:
        """Say that this worker works, as long as its other threads get on."""
        database, clock = self._runtime.database, self._runtime.clock
        started_at, failing = clock.now(), _outage("heartbeat")
        waiting = _waiting(
            "heartbeat.waits", "heartbeat.still_waits", "heartbeat.goes_on"
        )
        while True:
            try:
                if self._is_getting_on():
                    with database.writing() as session:
                        heartbeats.beat(
                            session,
                            self.name,
                            started_at=started_at,
                            version=version(_PACKAGE),
                            now=clock.now(),
                        )
                failing.end()
                waiting.end()
            except StorageError as error:
                _note(waiting, error)
            except Exception:  # noqa: BLE001 - logged with its trace; the next one may succeed
                failing.record(exc_info=True)
            if self._stopping.wait(heartbeats.EVERY_S):
                break
        with suppress(StorageError), database.writing() as session:
            heartbeats.end(session, self.name)

    def _is_getting_on(self) -> bool:
        """Whether delivery and chores had a turn lately; a thread may hang or die."""
        now_s = time.monotonic()
        limits = {"delivery": _DELIVERY_STUCK_AFTER_S, "chores": _CHORES_STUCK_AFTER_S}
        stuck = [name for name, s in limits.items() if now_s - self._turns[name] > s]
        for name in stuck:
            _log.warning("worker.stuck", thread=name)
        return not stuck


def _outage(name: str) -> Outage:
    events = f"{name}.failed", f"{name}.still_failing", f"{name}.recovered"
    return Outage(_log, *events, calm_s=_CALM_S)


def _waiting(*events: str) -> Outage:
    """Make the log of what can't write for now and is done later."""
    first, still, over = events
    return Outage(_log, first, still, over, level=Level.WARNING, calm_s=_CALM_S)


def _note(waiting: Outage, error: StorageError) -> None:
    if not error.is_logged:
        waiting.record(reason=error.reason)


def _nothing() -> None:
    pass
