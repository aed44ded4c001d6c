"""Engines: how connections of either database are set up and pooled."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

_POOL_SIZE = 32
_POOL_OVERFLOW = 256
MOST_CONNECTIONS = 2 * (_POOL_SIZE + _POOL_OVERFLOW)
"""Of a process to PostgreSQL: those that read, and those that write."""

_WRITER_CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 4000
"""16 MB: a page that many webhooks change is copied back once for all of them."""


def sqlite(url: URL, *, for_writing: bool) -> Engine:
    """Make the engine of a SQLite file; for writing, of its one connection."""
    pool: dict[str, Any] = {"pool_size": _POOL_SIZE, "max_overflow": _POOL_OVERFLOW}
    if for_writing:
        pool = {"poolclass": StaticPool}
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # errors are logged, and the values are people's
        **pool,
    )

    def prepare(*_: object) -> None:
        _make_file(file_of(url))

    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA foreign_keys = ON")
        if for_writing:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        else:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    event.listen(engine, "do_connect", prepare)
    event.listen(engine, "connect", set_up)
    if for_writing:
        event.listen(
            engine,
            "begin",
            lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"),
        )
    return engine


def file_of(url: URL) -> Path | None:
    """Return the file of a SQLite URL, a URI's too; None when it has none.

    SQLite takes `sqlite:///file:/path?vfs=...&uri=true` as well as a plain path.
    """
    path = url.database or ""
    if url.get_backend_name() != "sqlite" or path in ("", ":memory:"):
        return None
    if path.startswith("file:") and url.query.get("uri") == "true":
        return Path(unquote(urlsplit(path).path))
    return Path(path)


def _make_file(file: Path | None) -> None:
    """Make an absent file and its folder, the file for its owner alone."""
    if file is None or file.exists():
        return
    with suppress(OSError):  # SQLite then says that it cannot open it
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)


def postgresql(url: URL, *, for_writing: bool) -> Engine:
    """Make the engine of a PostgreSQL database; a reader's cannot write."""
    options = "-c lock_timeout=5s -c statement_timeout=20s -c timezone=UTC"
    if not for_writing:
        options += " -c default_transaction_read_only=on"
    engine = create_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_pre_ping=True,
        hide_parameters=True,  # as above
        connect_args={"options": options, "connect_timeout": 5},
    )
    if for_writing:
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")
