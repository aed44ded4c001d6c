"""When Recall was given a token, or asked for one unsigned: noted beside the answer."""

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from sqlmodel import col, update

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.held_grant import HeldGrant

Mark = Literal["served_at", "unsigned_at"]

_EVERY = timedelta(minutes=1)
_MOST_KEPT = 10_000

_log = structlog.get_logger(__name__)


class UsageRecorder:
    """Notes each at most once a minute, in a thread of its own; thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mutex = threading.Lock()
        self._noted: OrderedDict[tuple[UUID, Mark], datetime] = OrderedDict()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="token-marks")

    def note(self, connection_id: UUID, mark: Mark, *, now: datetime) -> None:
        """Note it soon; nobody waits for it, and a lost one does no harm."""
        with self._mutex:
            last = self._noted.get((connection_id, mark))
            if last is not None and now < last + _EVERY:
                return
            self._noted[connection_id, mark] = now
            if len(self._noted) > _MOST_KEPT:
                self._noted.popitem(last=False)
        with suppress(RuntimeError):  # we are stopping
            self._writer.submit(self._write, connection_id, mark, now)

    def close(self) -> None:
        """Write what is noted and let the thread go."""
        self._writer.shutdown()

    def _write(self, connection_id: UUID, mark: Mark, now: datetime) -> None:
        try:
            with self._database.writing() as session:
                session.exec(
                    update(HeldGrant)
                    .where(col(HeldGrant.connection_id) == connection_id)
                    .values({mark: now})
                )
        except StorageError as error:
            _log.warning("tokens.not_noted", mark=mark, reason=str(error))
