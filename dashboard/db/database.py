"""The database: one way to read, one way to write, on SQLite and on PostgreSQL.

Reading connections cannot write. On SQLite there is exactly one writing connection in
one process, taken in turn: versions before 3.51.3 can lose commits when two connections
write and checkpoint at once (docs/decisions/0002-one-writer.md).
"""

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from dashboard.db import engines
from dashboard.errors import DatabaseBusyError, StorageError

_TURN_TIMEOUT_S = 5.0


class Database:
    """Reads and writes; thread-safe.

    Args:
        url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self.url: URL = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._turns = _Turns()
        self._lock_file: int | None = None
        self._reader = self._make_engine(for_writing=False)
        self._writer = self._make_engine(for_writing=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that cannot write and holds no transaction open.

        Each statement sees the newest committed state.

        Raises:
            StorageError: The database cannot be reached.
        """
        with _storage_errors(), Session(self._reader, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open the session whose writes are committed together when the block ends.

        Nothing is written when the block raises. Never call Zoom or Recall inside.

        Raises:
            DatabaseBusyError: Another process writes to this SQLite file.
            StorageError: The database cannot be reached, or no turn came in 5 s.
        """
        with _storage_errors():
            if not self.is_sqlite:
                with self._session() as session:
                    yield session
                return
            self.lock()
            with self._turns.taken(_TURN_TIMEOUT_S), self._session() as session:
                yield session

    @contextmanager
    def writing_fast(self) -> Iterator[Connection]:
        """As `writing`, without a session's bookkeeping: for webhooks as they arrive.

        Raises:
            DatabaseBusyError: As `writing`.
            StorageError: As `writing`.
        """
        with _storage_errors():
            if not self.is_sqlite:
                with self._writer.begin() as connection:
                    yield connection
                return
            self.lock()
            with self._turns.taken(_TURN_TIMEOUT_S), self._writer.begin() as connection:
                yield connection

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._writer, expire_on_commit=False) as session:
            yield session
            session.commit()

    def lock(self) -> None:
        """Keep other processes from writing to this SQLite file; may be called again.

        Raises:
            DatabaseBusyError: One does already.
        """
        path = self.url.database
        if not self.is_sqlite or not path or path == ":memory:":
            return
        with self._turns.mutex:
            if self._lock_file is None and not _sqlite_is_safe():
                self._lock_file = _flock(Path(path + ".lock"))

    def notices(self, channel: str, *, timeout_s: float) -> Generator[bool, None, None]:
        """Listen to PostgreSQL's notices until closed; nothing on SQLite.

        Yields:
            True when notices came, False when none did for so many seconds.

        Raises:
            StorageError: The database cannot be reached, or went away.
        """
        if self.is_sqlite:
            return
        with _storage_errors(), self._reader.connect() as connection:
            listening: Any = connection.connection.driver_connection
            connection.detach()  # closed afterwards: it would go on listening
            try:
                listening.execute(f"LISTEN {channel}")
                while True:
                    yield any(
                        True
                        for _ in listening.notifies(timeout=timeout_s, stop_after=1)
                    )
            except psycopg.Error as error:
                raise StorageError(
                    f"Notices cannot be listened to: {type(error).__name__}."
                ) from None

    @property
    def writer(self) -> Engine:
        """The writing engine, for migrations and the vault's rotation."""
        return self._writer

    def close(self) -> None:
        """Close every connection and let other processes write."""
        self._reader.dispose()
        self._writer.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _make_engine(self, *, for_writing: bool) -> Engine:
        if self.is_sqlite:
            return engines.sqlite(self.url, for_writing=for_writing)
        return engines.postgresql(self.url, for_writing=for_writing)


class _Turns:
    """A lock that serves in the order of asking: ingest cannot starve a page."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    @contextmanager
    def taken(self, timeout_s: float) -> Iterator[None]:
        self._take(timeout_s)
        try:
            yield
        finally:
            self._give()

    def _take(self, timeout_s: float) -> None:
        with self.mutex:
            if not self._is_taken:
                self._is_taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(timeout_s):
            return
        with self.mutex:
            if mine.is_set():  # the turn came at the last instant
                return
            self._waiting.remove(mine)
        raise StorageError("The database is busy; nothing was stored. Try again.")

    def _give(self) -> None:
        with self.mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise StorageError(f"The database cannot be used: {_cause(error)}.") from None
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise StorageError(f"The database went away: {_cause(error)}.") from None


def _cause(error: DBAPIError) -> str:
    # The driver's first line; the statement and its values stay out of it.
    lines = str(error.orig).splitlines()
    return lines[0][:200].rstrip(".") if lines else "no reason given"


def _flock(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DatabaseBusyError(
            "The dashboard is running and is the only one that may write to "
            f"{path.with_suffix('').name}. Stop it first, or use its pages."
        ) from None
    return handle


def _sqlite_is_safe() -> bool:
    # https://www.sqlite.org/wal.html "the WAL-reset bug"; shared/design/stack.md.
    version = sqlite3.sqlite_version_info
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51)


CHANNEL = "dashboard_due"
"""On which PostgreSQL tells sleeping workers that something is due."""


def announce(connection: Connection) -> None:
    """Wake sleeping workers when this transaction commits; on SQLite they are here.

    For whoever makes something due: a webhook, a resend, a hold that is mended.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))
