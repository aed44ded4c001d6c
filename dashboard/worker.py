"""The worker: claims what is due, delivers it in parallel, stores the results.

One thread sends to Recall and another to the customer's endpoints, each with an event
loop of its own; others ask the database, so that no delivery waits for it. Nothing is
decided here: `services.relay` decides.
"""

import asyncio
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol, TypeVar, runtime_checkable
from uuid import UUID

import structlog
import uvloop
from sqlalchemy import Table

from dashboard.clients import delivery as wire
from dashboard.db import CHANNEL
from dashboard.errors import StorageError
from dashboard.logs import Level, Outage
from dashboard.services.heartbeats import heartbeats
from dashboard.services.relay import claims, outgoing, sending
from dashboard.services.relay import results as delivery_results
from dashboard.services.relay.outgoing import Outgoing
from dashboard.services.relay.queues import DELIVERY, REDELIVERY, WEBHOOK
from dashboard.services.relay.sending import Claimed, Delivery, Result
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


def run_chores(
    chores: Sequence[Callable[[], int]],
    stopping: threading.Event,
    *,
    take_turn: Callable[[], None] = lambda: None,
) -> None:
    """Run them about once a second until `stopping`, one after the other.

    An error is logged with its trace, and none stops the others.

    Args:
        chores: Each does a little.
        stopping: Ends it.
        take_turn: Called before each.
    """
    waits = "chore.waits", "chore.still_waits", "chore.goes_on"
    each_with = [(chore, _outage("chore"), _waiting(*waits)) for chore in chores]
    while not stopping.wait(_CHORES_EVERY_S):
        for chore, failing, waiting in each_with:
            take_turn()
            try:
                chore()
                failing.end()
                waiting.end()
            except StorageError as error:
                _note(waiting, error)
            except Exception:  # noqa: BLE001 - logged with its trace; one chore must not stop the others
                failing.record(exc_info=True)


D = TypeVar("D", bound=Claimed)
Send = Callable[[D], Awaitable[Result[D]]]


class _Lane(Protocol[D]):
    """Where deliveries go: how they are claimed, sent and stored."""

    @property
    def name(self) -> str:
        """Of its thread and its turn."""
        ...

    @property
    def queues(self) -> Sequence[Table]:
        """The rows that it claims."""
        ...

    @property
    def is_prompt(self) -> bool:
        """Whether it asks the database at once when a webhook was stored."""
        ...

    def exchange(
        self,
        results: Sequence[Result[D]],
        *,
        limit: int,
        in_flight: Mapping[UUID, int],
        now: datetime,
    ) -> list[D]:
        """Store results and claim the next, in one transaction."""
        ...

    def open(self) -> AbstractAsyncContextManager[Send[D]]:
        """Open connections in the running loop; gives what sends."""
        ...

    def where(self, each: D) -> UUID:
        """Return what has a bound of its own for what is in flight."""
        ...


class _ToRecall:
    """Webhooks and resends to Recall."""

    name = "delivery"
    queues = (WEBHOOK, REDELIVERY)
    is_prompt = True

    def __init__(self, runtime: Runtime, worker: str) -> None:
        self._runtime = runtime
        self._worker = worker
        self._retention = timedelta(days=runtime.settings.webhook_retention_days)

    def exchange(
        self,
        results: Sequence[Result[Delivery]],
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
                session, limit=limit, now=now, worker=self._worker, in_flight=in_flight
            )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Send[Delivery]]:
        """Open connections in the running loop; gives what sends."""
        async with wire.open_session(self._runtime.settings.recall_url) as http:
            tests = sending.SignedTests(self._runtime, http)
            yield partial(sending.send, self._runtime, http, tests=tests)

    def where(self, each: Delivery) -> UUID:
        """Return the workspace."""
        return each.workspace_id


class _ToEndpoints:
    """Events, and copies of webhooks, to the customer's endpoints."""

    name = "endpoints"
    queues = (DELIVERY,)
    is_prompt = False

    def __init__(self, runtime: Runtime, worker: str) -> None:
        self._runtime = runtime
        self._worker = worker
        self._retention = timedelta(days=runtime.settings.webhook_retention_days)

    def exchange(
        self,
        results: Sequence[Result[Outgoing]],
        *,
        limit: int,
        in_flight: Mapping[UUID, int],
        now: datetime,
    ) -> list[Outgoing]:
        """Store results, publish new events and claim the next, in one transaction."""
        database = self._runtime.database
        if not results:
            with database.reading() as session:
                if not limit or not outgoing.is_any_due(session, now=now):
                    return []
        with database.writing() as session:
            delivery_results.store(session, results, now=now, retention=self._retention)
            outgoing.publish(session, now=now)
            return outgoing.claim(
                session, limit=limit, now=now, worker=self._worker, in_flight=in_flight
            )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Send[Outgoing]]:
        """Open connections in the running loop; gives what sends."""
        allowed = self._runtime.settings.allow_private_endpoints
        async with wire.Endpoints(is_private_allowed=allowed) as endpoints:
            yield partial(outgoing.send, self._runtime, endpoints)

    def where(self, each: Outgoing) -> UUID:
        """Return the endpoint."""
        return each.target.id


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
        self._lanes = _ToRecall(runtime, self.name), _ToEndpoints(runtime, self.name)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._wakes: dict[str, Callable[[], None]] = {}
        names = (*(lane.name for lane in self._lanes), "chores")
        self._turns = dict.fromkeys(names, time.monotonic())

    def start(self) -> None:
        """Begin; returns at once."""
        targets: dict[str, Callable[[], None]] = {
            **{each.name: partial(self._deliver, each) for each in self._lanes},
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
        to_recall, to_endpoints = self._lanes
        return _run_once(to_recall, now) + _run_once(to_endpoints, now)

    def _deliver(self, lane: _Lane[Any]) -> None:
        failing = _outage("worker")
        while not self._stopping.is_set():
            try:
                self._take_over(lane)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self._run(lane, failing))
            except Exception:  # noqa: BLE001 - logged with its trace; delivery starts again, and its leases expire
                failing.record(exc_info=True)
                self._stopping.wait(_PAUSE_S)

    def _take_over(self, lane: _Lane[Any]) -> None:
        """Free the claims of a worker that died, where there can be only one worker."""
        if self._runtime.database.is_sqlite:
            with self._runtime.database.writing() as session:
                claims.release_all(
                    session, now=self._runtime.clock.now(), queues=lane.queues
                )

    async def _run(self, lane: _Lane[Any], failing: Outage) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(woken.set)

        self._wakes[lane.name] = wake
        stop_listening = (
            self._runtime.writer.listen(wake) if lane.is_prompt else _nothing
        )
        try:
            async with lane.open() as send:
                await self._pump(lane, send, woken, failing)
        finally:
            stop_listening()

    async def _pump(
        self, lane: _Lane[D], send: Send[D], woken: asyncio.Event, failing: Outage
    ) -> None:
        """Keep deliveries in flight; each end, and each stored webhook, wakes it."""
        in_flight: Counter[UUID] = Counter()
        sends: set[asyncio.Task[None]] = set()
        finished: list[Result[D]] = []
        failed: list[BaseException] = []
        waiting = _waiting(
            "worker.database_unusable",
            "worker.database_still_unusable",
            "worker.database_usable",
        )

        async def run(each: D) -> None:
            try:
                finished.append(await send(each))
            finally:
                in_flight[lane.where(each)] -= 1

        def end(task: asyncio.Task[None]) -> None:
            sends.discard(task)
            failed.extend(filter(None, [task.exception()]))
            woken.set()

        while True:
            began = self._turns[lane.name] = time.monotonic()
            woken.clear()
            is_stopping = self._stopping.is_set()
            if is_stopping and not sends and not finished:
                return
            if failed:
                raise failed[0]
            results, finished[:] = list(finished), []
            try:
                claimed = await asyncio.to_thread(
                    lane.exchange,
                    results,
                    limit=0 if is_stopping else _AT_ONCE,
                    in_flight=dict(in_flight),
                    now=self._runtime.clock.now(),
                )
            except StorageError as error:
                _note(waiting, error)
                if is_stopping:
                    return
                finished += results  # stored when the database is available again
                await asyncio.sleep(_PAUSE_S)
                continue
            failing.end()
            waiting.end()
            for each in claimed:
                in_flight[lane.where(each)] += 1
                task = asyncio.create_task(run(each))
                sends.add(task)
                task.add_done_callback(end)
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await woken.wait()
            least_s = _MIN_CYCLE_S if lane.is_prompt else _POLL_S / 2
            rest_s = began + least_s - time.monotonic()
            if rest_s > 0:
                await asyncio.sleep(rest_s)

    def _wake(self) -> None:
        for wake in list(self._wakes.values()):
            wake()

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
        def take_turn() -> None:
            self._turns["chores"] = time.monotonic()

        run_chores(self._chores, self._stopping, take_turn=take_turn)

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
        limits = dict.fromkeys(self._turns, _DELIVERY_STUCK_AFTER_S)
        limits["chores"] = _CHORES_STUCK_AFTER_S
        stuck = [name for name, s in limits.items() if now_s - self._turns[name] > s]
        for name in stuck:
            _log.warning("worker.stuck", thread=name)
        return not stuck


def _run_once(lane: _Lane[D], now: datetime) -> int:
    """Deliver everything due, and return how many attempts were made."""

    async def send_all(claimed: Sequence[D]) -> list[Result[D]]:
        async with lane.open() as send:
            return await asyncio.gather(*(send(each) for each in claimed))

    attempts = 0
    claimed = lane.exchange([], limit=_AT_ONCE, in_flight={}, now=now)
    while claimed:
        # Its own thread: the caller's may have a loop running already.
        with ThreadPoolExecutor(1) as thread:
            results = thread.submit(asyncio.run, send_all(claimed)).result()
        attempts += len(results)
        claimed = lane.exchange(results, limit=_AT_ONCE, in_flight={}, now=now)
    return attempts


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
