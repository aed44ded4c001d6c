"""Answers Recall's calls for tokens of grants that are stored here.

A token that is still good is answered from the database at once. Calls that need Zoom
run in their own threads, so a slow Zoom delays no one else. Sources:
docs/contracts/recall.md 5 and 6, docs/contracts/zoom.md 4.2; checked 2026-11-25.
"""

import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from pydantic import SecretStr
from sqlmodel import Session, col, select, update

from dashboard.clients.http.error_words import SCOPES_MISSING
from dashboard.clients.zoom.api import ZoomApi
from dashboard.db import Database
from dashboard.errors import (
    GrantLostError,
    NotFoundError,
    StorageError,
    UpstreamError,
    VaultError,
)
from dashboard.logs import Level, Outage, Outages
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.audit import Actor, tallies
from dashboard.services.grants import grants, refreshing
from dashboard.services.grants.unknown_callers import UnknownCallers
from dashboard.services.recall import callback_signatures
from dashboard.services.recall.callback_signatures import Signed
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import hosts

ANSWER_WITHIN_S = 4.5
"""Recall waits 5 s (docs/contracts/recall.md 5); the rest is for the network."""

AT_LEAST_S = 125
"""Seconds a token must have left: Recall needs 120 s when it arrives."""

_ASKERS = 16
_SOON_S = 2
_LATER_S = 30
_LONGEST_WAIT_S = 3600
_MEETING = re.compile(r"[0-9]{1,18}", re.ASCII)
_FAILED_VALIDATION = "300"
_REFUSALS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
}

_log = structlog.get_logger(__name__)


_EVERY = timedelta(minutes=1)
_RECALL = Actor(name="Recall")
_DISCONNECTED = "connections deleted since"
_CALM_S = 60.0
_MOST_KEPT = 10_000


class Want(StrEnum):
    """Which of a user's tokens is requested."""

    ACCESS = ""
    ZAK = "zak"
    OBF = "obf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request for a token, from Recall or from an unknown caller.

    Attributes:
        key: The part of the path after `/tokens/`.
        meeting_id: For a token to join on behalf of the user; as received.
        headers: Names in lower case.
        address: The caller's.
    """

    key: str
    want: Want
    meeting_id: str
    headers: Mapping[str, str]
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answer.

    Attributes:
        token: With a 200; the body is the bare token.
        why: A sentence for a caller that knows the key; else "".
        retry_after_s: Whole seconds after which to ask again.
    """

    status: int
    token: SecretStr | None = None
    why: str = ""
    retry_after_s: int | None = None


UNKNOWN = Reply(status=HTTPStatus.NOT_FOUND)
UNSIGNED = Reply(status=HTTPStatus.UNAUTHORIZED)
TOO_MANY = Reply(status=HTTPStatus.TOO_MANY_REQUESTS, retry_after_s=_SOON_S)
NOT_YET = Reply(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    why="Zoom has not answered yet. Try again.",
    retry_after_s=_SOON_S,
)
LOST = Reply(
    status=HTTPStatus.GONE,
    why="Zoom ended this user's authorization: they must reconnect first.",
)
NO_MEETING = Reply(
    status=HTTPStatus.BAD_REQUEST,
    why="Zoom wants the meeting's number: ?meeting_id=<meeting number>.",
)
NOT_A_MEETING = Reply(
    status=HTTPStatus.BAD_REQUEST,
    why="meeting_id must be a meeting's number: digits only, 18 at most.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """The grant with the key, and its workspace."""

    grant: HeldGrant
    workspace: Workspace | None


class _MeetingWantedError(Exception):
    """Zoom gives no token on behalf of the user without a meeting's number."""


class TokenCalls:
    """Answers requests for tokens; thread-safe. Closed before the services are.

    Args:
        runtime: Its `zoom_grants` refreshes tokens.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._askers = ThreadPoolExecutor(_ASKERS, thread_name_prefix="tokens")
        self._usage = UsageRecorder(runtime.database)
        self._unknown_callers = UnknownCallers()
        self._refused = Outages(
            _log,
            "tokens.refused",
            "tokens.still_refused",
            "tokens.no_longer_refused",
            calm_s=_CALM_S,
        )
        self._unreadable = Outages(
            _log,
            "tokens.not_readable",
            "tokens.still_not_readable",
            "tokens.readable_again",
            level=Level.ERROR,
            calm_s=_CALM_S,
        )
        self._mutex = threading.Lock()
        self._running: dict[UUID, Future[Reply]] = {}
        runtime.stopping.append(self.close)

    def close(self) -> None:
        """Finish running requests, which use the database. May be called twice."""
        self._askers.shutdown(cancel_futures=True)
        self._usage.close()

    def begin(self, call: Call) -> Reply | Future[Reply]:
        """Answer at once if possible; else return a future with the answer.

        Wait `ANSWER_WITHIN_S` at most, then answer `NOT_YET`: the work goes on, and the
        next call gets its result. Never raises.
        """
        try:
            return self._begin(call)
        except (StorageError, VaultError) as error:
            return self._of_ours(error)
        except RuntimeError:  # we are stopping: no thread accepts it
            return NOT_YET

    def count(self, reply: Reply) -> None:
        """Count an answer by its status, for `/metrics`."""
        self._runtime.token_requests.labels(f"{reply.status:d}").inc()

    def _begin(self, call: Call) -> Reply | Future[Reply]:
        now = self._runtime.clock.now()
        with self._unknown_callers.turn(call.address, now=now) as may_ask:
            if not may_ask:
                return TOO_MANY
            known = self._find(call.key)
            if known is None:
                self._unknown_callers.record(call.address, now=now)
                return UNKNOWN
        signed = self._verify(known.workspace, call.headers, now=now)
        is_rejected = signed is Signed.WRONG or (
            signed is Signed.ABSENT and _requires_signature(known.workspace)
        )
        if signed is not Signed.RIGHT:
            usage = Usage(
                unsigned_at=now if signed is Signed.ABSENT else None,
                rejected=int(is_rejected),
            )
            self._usage.record(known.grant.connection_id, usage, now=now)
        if is_rejected:
            self._refused.record(
                (known.workspace and known.workspace.id, signed),
                connection=str(known.grant.connection_id),
                signature=signed.value,
                address=call.address,
            )
            return UNSIGNED
        self._refused.end()
        return self._serve(known.grant, call, now=now)

    def _serve(
        self, grant: HeldGrant, call: Call, *, now: datetime
    ) -> Reply | Future[Reply]:
        fetch: Callable[[UUID], SecretStr] = self._access
        if call.want is Want.ACCESS:
            if grant.expires_at < now + timedelta(seconds=AT_LEAST_S):
                return self._once(grant.connection_id)
            return self._fetched(fetch, grant.connection_id)  # asks no one
        if call.want is Want.ZAK:
            fetch = self._zak
        elif not call.meeting_id:
            fetch = self._obf
        elif _MEETING.fullmatch(call.meeting_id) is None:
            return NOT_A_MEETING
        else:
            fetch = partial(self._obf, meeting_id=int(call.meeting_id))
        return self._askers.submit(self._fetched, fetch, grant.connection_id)

    def _once(self, connection_id: UUID) -> Future[Reply]:
        """Refresh the token once for all who ask for it meanwhile."""
        with self._mutex:
            running = self._running.get(connection_id)
            if running is not None and not running.done():
                return running
            running = self._askers.submit(self._fetched, self._access, connection_id)
            self._running[connection_id] = running
        running.add_done_callback(partial(self._forget, connection_id))
        return running

    def _forget(self, connection_id: UUID, done: Future[Reply]) -> None:
        with self._mutex:
            if self._running.get(connection_id) is done:
                del self._running[connection_id]

    def _fetched(
        self, fetch: Callable[[UUID], SecretStr], connection_id: UUID
    ) -> Reply:
        try:
            token = fetch(connection_id)
        except GrantLostError:
            return LOST
        except NotFoundError:
            return UNKNOWN
        except _MeetingWantedError:
            return NO_MEETING
        except UpstreamError as error:
            return _of_zoom(error)
        except (StorageError, VaultError) as error:
            return self._of_ours(error)
        self._unreadable.end()
        now = self._runtime.clock.now()
        self._usage.record(connection_id, Usage(served_at=now, served=1), now=now)
        return Reply(status=HTTPStatus.OK, token=token)

    def _of_ours(self, error: StorageError | VaultError) -> Reply:
        if not error.is_logged:
            self._unreadable.record(type(error).__name__, reason=str(error))
        return Reply(status=HTTPStatus.SERVICE_UNAVAILABLE, retry_after_s=_LATER_S)

    def _access(self, connection_id: UUID) -> SecretStr:
        return refreshing.live_token(
            self._runtime, connection_id, at_least_s=AT_LEAST_S
        )

    def _zak(self, connection_id: UUID) -> SecretStr:
        token = self._access(connection_id)
        return self._zoom(connection_id).zak(token)

    def _zoom(self, connection_id: UUID) -> ZoomApi:
        with self._runtime.database.reading() as session:
            row = session.get_one(Connection, connection_id)
            return hosts.of_connection(session, self._runtime.zoom, row)

    def _obf(self, connection_id: UUID, meeting_id: int | None = None) -> SecretStr:
        token = self._access(connection_id)
        try:
            return self._zoom(connection_id).obf(token, meeting_id)
        except UpstreamError as error:
            # Whether Zoom wants the number is contradictory (docs/contracts/zoom.md
            # 4.2, checked 2026-11-29).
            if meeting_id is None and error.code == _FAILED_VALIDATION:
                raise _MeetingWantedError from error
            raise

    def _find(self, key: str) -> _Known | None:
        with self._runtime.database.reading() as session:
            grant = grants.find_by_key(session, key)
            if grant is None:
                return None
            return _Known(grant=grant, workspace=_workspace_of(session, grant))

    def _verify(
        self, workspace: Workspace | None, headers: Mapping[str, str], *, now: datetime
    ) -> Signed:
        if workspace is None:
            return Signed.ABSENT
        secret = callback_signatures.secret_of(self._runtime.vault, workspace)
        if secret is None:
            return Signed.ABSENT  # it can't be checked
        return callback_signatures.verify(secret, headers, b"", now=now)


@dataclass(kw_only=True, slots=True)
class Usage:
    """What one connection's token requests came to since it was last stored."""

    served_at: datetime | None = None
    unsigned_at: datetime | None = None
    served: int = 0
    rejected: int = 0

    def add(self, other: "Usage") -> None:
        """Add what came later."""
        self.served_at = other.served_at or self.served_at
        self.unsigned_at = other.unsigned_at or self.unsigned_at
        self.served += other.served
        self.rejected += other.rejected

    def kinds(self) -> list[str]:
        """Return the names of what it has."""
        return [name for name in self.__slots__ if getattr(self, name)]

    def changes(self) -> dict[str, Any]:
        """Return the columns that change; the database adds."""
        times = {"served_at": self.served_at, "unsigned_at": self.unsigned_at}
        return {
            **{name: at for name, at in times.items() if at is not None},
            "served_count": col(HeldGrant.served_count) + self.served,
            "rejected_count": col(HeldGrant.rejected_count) + self.rejected,
        }


class UsageRecorder:
    """Counts token requests, and records when they last came; thread-safe.

    A kind that did not come for a minute is stored at once, the others together within
    the minute, in a thread of their own.

    Args:
        database: Stores them.
        every: The minute.
    """

    def __init__(self, database: Database, *, every: timedelta = _EVERY) -> None:
        self._database = database
        self._every = every
        self._mutex = threading.Lock()
        self._recorded: OrderedDict[tuple[UUID, str], datetime] = OrderedDict()
        self._pending: dict[UUID, Usage] = {}
        self._later: threading.Timer | None = None
        self._is_closed = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="token-marks")
        self._waiting = Outage(
            _log,
            "tokens.not_noted",
            "tokens.still_not_noted",
            "tokens.noted_again",
            level=Level.WARNING,
        )

    def record(self, connection_id: UUID, usage: Usage, *, now: datetime) -> None:
        """Record it soon, without waiting; a lost record does no harm."""
        with self._mutex:
            self._pending.setdefault(connection_id, Usage()).add(usage)
            due = [
                self._is_due((connection_id, kind), now=now) for kind in usage.kinds()
            ]
            if not any(due):
                self._write_later()
                return
        self._submit([connection_id])

    def close(self) -> None:
        """Write what was recorded and end the threads. May be called twice."""
        with self._mutex:
            self._is_closed = True
            if self._later is not None:
                self._later.cancel()
        self._write_all()
        self._writer.shutdown()

    def _is_due(self, kind: tuple[UUID, str], *, now: datetime) -> bool:
        last = self._recorded.get(kind)
        if last is not None and now < last + self._every:
            return False
        self._recorded[kind] = now
        if len(self._recorded) > _MOST_KEPT:
            self._recorded.popitem(last=False)
        return True

    def _write_later(self) -> None:
        """Write all that is pending in a minute, once; with the mutex."""
        if self._later is None and not self._is_closed:
            self._later = threading.Timer(self._every.total_seconds(), self._write_all)
            self._later.daemon = True
            self._later.start()

    def _write_all(self) -> None:
        with self._mutex:
            self._later = None
            found = sorted(self._pending)
        if found:
            self._submit(found)

    def _submit(self, connection_ids: list[UUID]) -> None:
        with suppress(RuntimeError):  # we are stopping
            self._writer.submit(self._write, connection_ids)

    def _write(self, connection_ids: list[UUID]) -> None:
        with self._mutex:
            pending = self._pending
            taken = {
                each: pending.pop(each) for each in connection_ids if each in pending
            }
        if not taken:
            return
        try:
            with self._database.writing() as session:
                for connection_id, usage in taken.items():
                    session.exec(
                        update(HeldGrant)
                        .where(col(HeldGrant.connection_id) == connection_id)
                        .values(usage.changes())
                    )
                _audit(session, taken)
            self._waiting.end()
        except StorageError as error:
            with self._mutex:
                for connection_id, usage in taken.items():
                    usage.add(self._pending.get(connection_id, Usage()))
                    self._pending[connection_id] = usage
                self._write_later()
            if not error.is_logged:
                self._waiting.record(reason=error.reason)


def _audit(session: Session, taken: Mapping[UUID, Usage]) -> None:
    """Count the tokens of each zoom app for the audit log; the caller commits."""
    served = {key: usage for key, usage in taken.items() if usage.served}
    if not served:
        return
    query = select(Connection.id, ZoomApp.name, ZoomApp.environment).join(
        ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id)
    )
    found = session.exec(query.where(col(Connection.id).in_(list(served))))
    names = {key: f"{name} ({kind})" for key, name, kind in found}
    counted: Counter[tuple[str, datetime]] = Counter()
    for key, usage in served.items():
        if usage.served_at is not None:
            hour_at = usage.served_at.replace(minute=0, second=0, microsecond=0)
            counted[names.get(key, _DISCONNECTED), hour_at] += usage.served
    for (name, hour_at), times in sorted(counted.items()):
        tallies.add_to_hour(
            session,
            _RECALL,
            "token.served",
            subject=f"{name}, {hour_at:%Y-%m-%d %H:%M} UTC",
            at=hour_at,
            times=times,
        )


def _requires_signature(workspace: Workspace | None) -> bool:
    return workspace is not None and workspace.requires_signature


def _workspace_of(session: Session, grant: HeldGrant) -> Workspace | None:
    row = session.get(Connection, grant.connection_id)
    app = session.get(ZoomApp, row.zoom_app_id) if row is not None else None
    if app is None or app.workspace_id is None:
        return None
    return session.get(Workspace, app.workspace_id)


def _of_zoom(error: UpstreamError) -> Reply:
    """Return a 403 for what Zoom's API refuses for good, and a 503 for anything else.

    A 503 also for a token that Zoom rejects and for wrong app credentials: a health
    check decides whether the grant ended, and an admin can fix the credentials.
    """
    is_of_api = (error.code or "").isdecimal()  # the token endpoint uses words
    is_refusal = error.status in _REFUSALS and is_of_api and not error.retryable
    if is_refusal or error.code == SCOPES_MISSING:
        return Reply(status=HTTPStatus.FORBIDDEN, why=error.message())
    wait_s = math.ceil(min(error.retry_after_s or _LATER_S, _LONGEST_WAIT_S))
    return Reply(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        why="Zoom can't be asked for a token now.",
        retry_after_s=max(wait_s, 1),
    )
