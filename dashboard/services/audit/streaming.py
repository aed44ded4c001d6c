"""Streams the entries out as JSON lines: to a file, or to syslog.

Each at least once and in the order of the chain: the position is stored after the
entries were written. From the worker, so no page waits for it.
"""

import json
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog
from sqlmodel import Session, col, select

from dashboard.clock import Clock
from dashboard.db import Database, leases
from dashboard.db.statements import insert
from dashboard.logs import Outage
from dashboard.models.audit import AuditEntry, AuditStream
from dashboard.services.audit.changes import unpacked
from dashboard.settings import AUDIT_STREAMS

_AT_ONCE = 200
_AGAIN_AFTER = timedelta(seconds=30)
_TIMEOUT_S = 5.0
_LEASE = timedelta(minutes=1)
_SYSLOG_PORT = 514
# Of RFC 5424: "log audit" and "informational" (13 * 8 + 6), version 1.
_SYSLOG_HEAD = "<110>1"

_log = structlog.get_logger(__name__)

Write = Callable[[Sequence[AuditEntry]], None]


def line(entry: AuditEntry) -> str:
    """Return an entry as one line of JSON."""
    return json.dumps(
        {
            "number": entry.seq,
            "at": _time(entry),
            "who": entry.actor,
            "act": entry.act,
            "subject": entry.subject,
            "address": entry.address,
            "times": entry.times,
            "changes": {
                name: list(pair) for name, pair in unpacked(entry.changes).items()
            },
            "hash": entry.hash,
        }
    )


class Streamer:
    """The worker's chore: writes what is new; one process at a time does."""

    def __init__(self, database: Database, clock: Clock, target: str | None) -> None:
        self._database, self._clock = database, clock
        self._write = _writer(target) if target else None
        self._failed_at: datetime | None = None
        self._failing = Outage(
            _log,
            "audit.stream_failed",
            "audit.stream_still_fails",
            "audit.stream_recovered",
        )

    def __call__(self) -> int:
        """Write the next entries; return how many. Commits their position."""
        if self._write is None:
            return 0
        now = self._clock.now()
        with self._database.reading() as session:
            at = session.get(AuditStream, 1) or AuditStream()
            if not _next(session, at.seq, limit=1):
                return 0
        if self._failed_at and abs(now - self._failed_at) < _AGAIN_AFTER:
            return 0
        claimed = self._claim(now)
        if claimed is None:
            return 0
        with self._database.reading() as session:
            entries = _next(session, claimed.seq, limit=_AT_ONCE)
        try:
            self._write(entries)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._failing.record(reason=reason)
            self._failed_at = now
            self._end(claimed, claimed.seq, problem=reason)
            return 0
        self._failing.end()
        self._failed_at = None
        self._end(claimed, entries[-1].seq or 0 if entries else claimed.seq)
        return len(entries)

    def _claim(self, now: datetime) -> AuditStream | None:
        with self._database.writing() as session:
            new = insert(session, AuditStream).on_conflict_do_nothing()
            session.connection().execute(new.values(id=1, seq=0, problem="", claim=0))
            ours = col(AuditStream.id) == 1
            if not leases.claim(
                session, AuditStream, ours, until=now + _LEASE, now=now
            ):
                return None
            return session.get_one(AuditStream, 1, populate_existing=True)

    def _end(self, claimed: AuditStream, seq: int, *, problem: str = "") -> None:
        now = self._clock.now()
        with self._database.writing() as session:
            row = leases.held(
                session, AuditStream, col(AuditStream.id) == 1, claim=claimed.claim
            )
            if row is None:
                return
            row.seq, row.problem, row.lease_until = seq, problem[:300], None
            row.failed_at = (row.failed_at or now) if problem else None
            session.add(row)


def problem(session: Session) -> AuditStream | None:
    """Return what is known of the stream while it fails, or None."""
    row = session.get(AuditStream, 1)
    return row if row is not None and row.problem else None


def _next(session: Session, after: int, *, limit: int) -> Sequence[AuditEntry]:
    query = select(AuditEntry).where(col(AuditEntry.seq) > after)
    return session.exec(query.order_by(col(AuditEntry.seq)).limit(limit)).all()


def _writer(target: str) -> Write:
    parts = urlsplit(target)
    assert parts.scheme in AUDIT_STREAMS  # noqa: S101 - the settings checked it
    if parts.scheme == "file":
        return _to_file(Path(unquote(parts.path)))
    address = str(parts.hostname), parts.port or _SYSLOG_PORT
    return _to_syslog(address, is_tcp=parts.scheme == "syslog+tcp")


def _to_file(path: Path) -> Write:
    def write(entries: Sequence[AuditEntry]) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as file:
            file.writelines(f"{line(entry)}\n" for entry in entries)
            file.flush()
            os.fsync(file.fileno())

    return write


def _to_syslog(address: tuple[str, int], *, is_tcp: bool) -> Write:
    """Return what sends messages of RFC 5424; by TCP framed as RFC 6587 counts octets.

    A connection for each batch: what is sent into one that the server has closed is
    lost without an error. Whether all came is known when the server closes it, too.
    """

    def by_tcp(entries: Sequence[AuditEntry]) -> None:
        with socket.create_connection(address, timeout=_TIMEOUT_S) as connection:
            for entry in entries:
                message = _message(entry)
                connection.sendall(b"%d %s" % (len(message), message))
            connection.shutdown(socket.SHUT_WR)
            with suppress(TimeoutError):  # some servers leave it open: it was taken
                while connection.recv(1024):
                    pass

    def by_udp(entries: Sequence[AuditEntry]) -> None:
        [found, *_] = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)
        with socket.socket(found[0], found[1]) as connection:
            connection.connect(found[4])
            for entry in entries:
                connection.sendall(_message(entry))

    return by_tcp if is_tcp else by_udp


def _message(entry: AuditEntry) -> bytes:
    host = socket.gethostname() or "-"
    head = f"{_SYSLOG_HEAD} {_time(entry)} {host} dashboard - audit -"
    return f"{head} {line(entry)}".encode()


def _time(entry: AuditEntry) -> str:
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    return at.replace("+00:00", "Z")
