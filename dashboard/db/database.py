"""The database: one way to read, one way to write, on SQLite and on PostgreSQL.

Reading connections cannot write. On SQLite there is exactly one writing connection in
one process, taken in turn (docs/decisions/0002-one-writer.md).
"""

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import structlog
from sqlalchemy import Connection, Engine, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004 - of the pool of connections
)
from sqlmodel import Session

from dashboard import transactions
from dashboard.db import engines
from dashboard.errors import DatabaseBusyError, DatabaseUnavailableError, StorageError
from dashboard.logs import Outage

_TURN_TIMEOUT_S = 5.0
_UNAVAILABLE = (
    "The database can't be reached. Nothing was saved. Try again in a minute."
)
# After a failover PostgreSQL may be read-only, or the tables are still missing.
_OUTAGE_STATES = {"25006", "42P01", "42501"}

_log = structlog.get_logger(__name__)


class Database:
    """Reads and writes; thread-safe.

    Args:
        url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
        logs_outages: For what runs on; a command says itself why it ends.

    Attributes:
        file: Of a SQLite database; None in memory and on PostgreSQL.
    """

    def __init__(self, url: str, *, logs_outages: bool = True) -> None:
        self.url: URL = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = engines.file_of(self.url)
        self._turns = _Turns()
        self._lock_file: int | None = None
        self._outage = Outage(
            _log,
            "database.unavailable",
            "database.still_unavailable",
            "database.recovered",
            is_logged=logs_outages,
        )
        self._file: tuple[int, int] | None = None
        self._reader = self._make_engine(for_writing=False)
        self._writer = self._make_engine(for_writing=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that cannot write and holds no transaction open.

        Each statement sees the newest committed state.

        Raises:
            DatabaseUnavailableError: The database cannot be reached.
        """
        failures = self._outage.failures
        with self._storage_errors(), Session(self._reader, autoflush=False) as session:
            yield session
            # Its errors may have been raised past this block: `unavailable` counted.
            if session.in_transaction():
                self._outage.end(since=failures)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open the session whose writes are committed together when the block ends.

        Nothing is written when the block raises. Slow work inside is refused
        (dashboard/transactions.py).

        Raises:
            DatabaseBusyError: Another process writes to this SQLite file.
            DatabaseUnavailableError: The database cannot be reached.
            StorageError: No turn came in 5 s.
        """
        failures = self._outage.failures
        with self._storage_errors():
            if not self.is_sqlite:
                with self._session() as session:
                    yield session
            else:
                self.lock()
                with self._turns.taken(_TURN_TIMEOUT_S), self._session() as session:
                    yield session
        self._outage.end(since=failures)

    @contextmanager
    def writing_fast(self) -> Iterator[Connection]:
        """As `writing`, without a session's bookkeeping: for webhooks as they arrive.

        Raises:
            DatabaseBusyError: As `writing`.
            StorageError: As `writing`.
        """
        failures = self._outage.failures
        with self._storage_errors():
            if not self.is_sqlite:
                with self._writer.begin() as connection, transactions.open_here():
                    yield connection
            else:
                self.lock()
                with (
                    self._turns.taken(_TURN_TIMEOUT_S),
                    self._writer.begin() as connection,
                    transactions.open_here(),
                ):
                    yield connection
        self._outage.end(since=failures)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._writer, expire_on_commit=False) as session:
            with transactions.open_here():
                yield session
            session.commit()

    def lock(self) -> None:
        """Keep other processes from writing to this SQLite file; may be called again.

        Raises:
            DatabaseBusyError: One does already.
        """
        if self.file is None:
            return
        with self._turns.mutex:
            if self._lock_file is None:
                self._lock_file = _flock(self.file.with_name(f"{self.file.name}.lock"))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have this SQLite file alone: nothing else has it open, not even to read.

        For whoever replaces the file. What another process wrote to the old one
        afterwards would be lost.

        Raises:
            DatabaseBusyError: Something else has it open.
        """
        if self.file is None:
            raise DatabaseBusyError("This database has no file of its own.")
        self.lock()
        self._dispose()
        connection = sqlite3.connect(self.file, timeout=0, isolation_level=None)
        try:
            # Every connection in WAL mode holds a lock that leaving the mode needs.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            connection.close()
            raise DatabaseBusyError(
                f"Another program has {self.file.name} open. Stop "
                "the dashboard and close other programs that read the file. Nothing "
                "was changed."
            ) from None
        except sqlite3.DatabaseError:
            pass  # it is damaged, so nothing else uses it either
        try:
            yield
        finally:
            connection.close()

    def notices(self, channel: str, *, timeout_s: float) -> Generator[bool, None, None]:
        """Listen to PostgreSQL's notices until closed; nothing on SQLite.

        Yields:
            True when notices came, False when none did for so many seconds.

        Raises:
            StorageError: The database cannot be reached, or went away.
        """
        if self.is_sqlite:
            return
        with self._storage_errors(), self._reader.connect() as connection:
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
                listening.close()
                connection.invalidate()  # else the pool logs that it can't reset it
                raise self._failed(f"listening ended: {type(error).__name__}") from None

    @property
    def place(self) -> str:
        """Its kind and where it is, without user and password."""
        if self.is_sqlite:
            return f"SQLite {self.file or 'in memory'}"
        hosts = self.url.query.get("host", ())
        host = self.url.host or (hosts if isinstance(hosts, str) else ",".join(hosts))
        port = f":{self.url.port}" if self.url.port else ""
        return f"PostgreSQL {host or 'on this machine'}{port}/{self.url.database or ''}"

    @property
    def writer(self) -> Engine:
        """The writing engine, for migrations and the vault's rotation."""
        return self._writer

    def close(self) -> None:
        """Close every connection, once nobody writes; other processes may then."""
        self._dispose()
        self._file = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _dispose(self) -> None:
        # SQLite's one writing connection must not be closed under a thread that uses
        # it: that ends the process. One that does not finish in time keeps it.
        self._reader.dispose()
        with suppress(StorageError), self._turns.taken(_TURN_TIMEOUT_S):
            self._writer.dispose()

    def unavailable(self, error: SQLAlchemyError) -> DatabaseUnavailableError | None:
        """Return what to raise or show when the error is an outage, and log that.

        Returns:
            None for an error of ours: a constraint, a statement that is wrong.
        """
        if isinstance(error, TimeoutError):
            return self._failed("every connection is in use")
        if not isinstance(error, DBAPIError):
            return None
        if (
            isinstance(error, OperationalError)
            or error.connection_invalidated
            or type(error) is DatabaseError  # a file that is damaged, or no database
            or getattr(error.orig, "sqlstate", None) in _OUTAGE_STATES
        ):
            return self._failed(_cause(error))
        return None

    def _failed(self, cause: str) -> DatabaseUnavailableError:
        password = self.url.password
        if password:  # no driver is known to repeat it
            cause = cause.replace(str(password), "(removed)")
        self._outage.record(reason=cause)
        reason = f"The database ({self.place}) cannot be used: {cause}."
        return DatabaseUnavailableError(_UNAVAILABLE, reason=reason)

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        self._require_same_file()
        try:
            yield
        except SQLAlchemyError as error:
            found = self.unavailable(error)
            if found is None:
                raise
            raise found from None

    def _require_same_file(self) -> None:
        """Refuse a SQLite file that was removed or replaced since it was first used.

        Open connections go on with the removed file, so what they commit would be
        lost. Moved back, it is used again. Another file needs a new start: to close
        the connections of the former one may delete the journal of this one.
        """
        file = self.file
        if file is None:
            return
        try:
            found = file.stat()
        except FileNotFoundError:
            if self._file is not None:
                raise self._failed(
                    f"{file.name} was removed while in use; put it back"
                ) from None
            return
        except OSError as error:
            raise self._failed(str(error.strerror or error)) from None
        if self._file is None:
            self._file = (found.st_dev, found.st_ino)
        elif self._file != (found.st_dev, found.st_ino):
            raise self._failed(
                f"{file.name} was replaced while in use; restart the dashboard"
            )

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


def _cause(error: DBAPIError) -> str:
    # The driver's first line; the statement and its values stay out of it.
    lines = str(error.orig).splitlines()
    return lines[0][:200].rstrip(".") if lines else "no reason given"


def _flock(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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


CHANNEL = "dashboard_due"
"""On which PostgreSQL tells sleeping workers that something is due."""


def announce(connection: Connection) -> None:
    """Wake sleeping workers when this transaction commits; on SQLite they are here.

    For whoever makes something due: a webhook, a resend, a hold that is mended.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))
