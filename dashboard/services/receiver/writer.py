"""Stores webhooks: one writer per process commits a batch, then answers its requests.

Every request waits for the commit of its own batch, so a webhook answered 200 is on
disk. Encrypting and hashing happen in the request's thread; the writer only writes.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dashboard.clock import Clock
from dashboard.db import Database, announce
from dashboard.errors import StorageError
from dashboard.logs import Outage, Outages
from dashboard.services.receiver import refusals
from dashboard.services.receiver.batches import (
    QueuedWebhook,
    VerifiedWebhook,
    Waiter,
    WebhookBatches,
    settle,
)
from dashboard.services.receiver.keyring import Keyring
from dashboard.services.receiver.refusals import RefusedRequest, Tally
from dashboard.settings import Settings
from dashboard.vault import Vault

_BATCH = 256
_QUEUE = 4096
_ANSWER_TIMEOUT_S = 8.0
_TOO_LONG = "Storing took too long."
_REFUSALS_EVERY_S = 0.25
_CALM_S = 10.0
_NO_REFUSAL_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What is committed.

    Attributes:
        webhook_id: The row; of the first arrival when this one is a repeat.
        is_repeat: Whether it was stored before: nothing is forwarded again.
    """

    webhook_id: int
    is_repeat: bool


def _give_up(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_exception(StorageError(_TOO_LONG))


def _accepted(pending: QueuedWebhook) -> Accepted:
    if pending.error is not None:
        raise pending.error
    return Accepted(webhook_id=pending.stored_id, is_repeat=pending.is_repeat)


class WebhookWriter:
    """The group-committing writer of one process; its thread starts when needed.

    Attributes:
        clock: The receiver's.
        keyring: The zoom apps and their secrets.
        tally: Refusals not yet written.
        not_stored: Webhooks answered 503, for the log.
    """

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, settings: Settings
    ) -> None:
        self.clock = clock
        self.keyring = Keyring(database, vault)
        self.tally = Tally()
        self.not_stored = Outage(
            _log,
            "webhook.not_stored",
            "webhook.still_not_stored",
            "webhook.stored_again",
            calm_s=_CALM_S,
        )
        self._interrupted = Outage(
            _log,
            "intake.interrupted",
            "intake.still_interrupted",
            "intake.recovered",
            calm_s=_CALM_S,
        )
        self._refused = Outages(
            _log,
            "webhook.refused",
            "webhook.still_refused",
            "webhook.no_longer_refused",
            calm_s=_NO_REFUSAL_S,
        )
        self.settings = settings
        self._database = database
        self._arrivals = WebhookBatches(database, vault)
        self._queue: queue.SimpleQueue[QueuedWebhook | threading.Event | None]
        self._queue = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._events_noted: dict[object, datetime] = {}
        self._refusals_due = 0.0

    def accept(self, received: VerifiedWebhook) -> Accepted:
        """Return when the webhook is on disk, in one batch with others.

        Raises:
            StorageError: It could not be stored, or too many are waiting already.
        """
        latch = threading.Lock()
        latch.acquire()
        pending = self._submit(received, latch.release)
        if not latch.acquire(timeout=_ANSWER_TIMEOUT_S):
            raise StorageError(_TOO_LONG)
        return _accepted(pending)

    async def accept_async(self, received: VerifiedWebhook) -> Accepted:
        """As `accept`, for an event loop.

        Raises:
            StorageError: As `accept`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        pending = self._submit(received, future)
        # `asyncio.timeout` costs several times as much, on the way of every webhook.
        timer = loop.call_later(_ANSWER_TIMEOUT_S, _give_up, future)
        try:
            await future
        finally:
            timer.cancel()
        return _accepted(pending)

    def _submit(self, received: VerifiedWebhook, waiter: Waiter) -> QueuedWebhook:
        if self._is_closed:
            raise StorageError("The dashboard is stopping.")
        if self._queue.qsize() >= _QUEUE:
            raise StorageError("Too many webhooks are waiting to be stored.")
        pending = self._arrivals.prepare(received, waiter)
        self._put(pending)
        return pending

    def refuse(self, refused: RefusedRequest) -> None:
        """Count a refusal; it is written within a second. Never blocks, never raises.

        Those of one zoom app with one cause are logged at first, each minute, and when
        there was none for a minute.
        """
        self._refused.record(
            (refused.zoom_app_id, refused.cause),
            zoom_app_id=str(refused.zoom_app_id),
            cause=refused.cause.value,
            reason=refused.detail,
            address=refused.address,
        )
        if self.tally.add(refused) and not self._is_closed:
            self._put(None)

    def flush(self) -> None:
        """Return when everything accepted or refused before is written."""
        done = threading.Event()
        self._put(done)
        done.wait(_ANSWER_TIMEOUT_S)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each commit, in the writer's thread.

        Returns:
            Stops the calls.
        """
        self._listeners = (*self._listeners, callback)

        def stop() -> None:
            self._listeners = tuple(one for one in self._listeners if one != callback)

        return stop

    def close(self) -> None:
        """Write what is queued and end the thread; accepts nothing afterwards."""
        self._is_closed = True
        with self._starting:
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _put(self, item: QueuedWebhook | threading.Event | None) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._starting:
                self._start()
        self._queue.put(item)

    def _start(self) -> None:
        if self._is_closed:
            raise StorageError("The dashboard is stopping.")
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._run, name="writer", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        is_closing = False
        while not is_closing or not self._queue.empty():
            batch, flushed = self._gather()
            self._write(batch)
            is_closing = self._is_closed
            try:
                if batch:
                    self._notify(batch)
                if flushed or is_closing or time.monotonic() >= self._refusals_due:
                    self._write_refusals()
                self._interrupted.end()
            except Exception as error:  # noqa: BLE001 - if this thread ended, every later webhook would time out
                self._interrupted.record(reason=type(error).__name__)
            for each in flushed:
                each.set()

    def _gather(self) -> tuple[list[QueuedWebhook], list[threading.Event]]:
        """Wait for work; return what is queued, at most a batch."""
        batch: list[QueuedWebhook] = []
        flushed: list[threading.Event] = []
        wait_s = self._refusals_due - time.monotonic()
        try:
            # While refusals wait to be written, sleep no longer than that.
            item = self._queue.get(timeout=wait_s if wait_s > 0 else None)
            while True:
                if isinstance(item, QueuedWebhook):
                    batch.append(item)
                elif item is not None:
                    flushed.append(item)
                if len(batch) >= _BATCH:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        return batch, flushed

    def _write(self, batch: list[QueuedWebhook]) -> None:
        if not batch:
            return
        error: StorageError | None = None
        try:
            self._write_twice(batch)
        except Exception as caught:  # noqa: BLE001 - each request of the batch waits, and is answered 503 then
            if not isinstance(caught, StorageError) and len(batch) > 1:
                # One that the database rejects must not fail the others.
                for pending in batch:
                    self._write([pending])
                return
            error = StorageError(f"Nothing was stored: {type(caught).__name__}.")
            if isinstance(caught, StorageError):
                error = caught
        for pending in batch:
            pending.error = error
        settle(pending.waiter for pending in batch)

    def _write_twice(self, batch: list[QueuedWebhook]) -> None:
        try:
            self._write_once(batch)
        except (SQLAlchemyError, LookupError):
            # Another process stored the same webhook first, and its row is found now;
            # or deleted the row that this one repeats.
            self._write_once(batch)

    def _write_once(self, batch: list[QueuedWebhook]) -> None:
        with self._database.writing_fast() as connection:
            self._arrivals.record(connection, batch, noted=self._events_noted)
            announce(connection)

    def _notify(self, batch: list[QueuedWebhook]) -> None:
        stored = [pending for pending in batch if pending.error is None]
        for pending in stored:
            if pending.is_challenge:
                self.tally.forget_mismatch(pending.received.app.id)
        if not stored:
            return
        self.not_stored.end()
        self._refused.end()
        for listener in self._listeners:
            listener()

    def _write_refusals(self) -> None:
        gathered = self.tally.take()
        if gathered is None:
            return
        self._refusals_due = time.monotonic() + _REFUSALS_EVERY_S
        limit = self.settings.refused_sample
        for _ in range(2):  # the second time another process's count is there
            try:
                with self._database.writing() as session:
                    refusals.store(session, gathered, sample_limit=limit)
            except SQLAlchemyError:
                continue
            except StorageError:
                return  # nobody waits for a refusal
            return
