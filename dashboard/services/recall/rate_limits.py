"""Recall's rate limits, applied per workspace and operation by all processes together.

Each call is counted in the database before it is sent (rate_limit_counts.py).
Background work stops at a share of each limit, so that people are served at once.
Limits: docs/contracts/recall.md 1.5, see `dashboard.clients.recall.operations`.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

import structlog
from pydantic import SecretStr
from sqlmodel import Session, select

from dashboard.clients.recall.operations import Operation
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.errors import StorageError, UpstreamError
from dashboard.models.workspace import Workspace
from dashboard.services.recall import rate_limit_counts, rate_limit_words
from dashboard.services.recall.rate_limit_counts import Use
from dashboard.services.recall.rate_limit_words import NAMES
from dashboard.vault import fingerprint

_BACKGROUND_SHARE = 0.6
# Recall's minute began before its answer, so it is over by then.
_UNASKED_PAUSE_S = 60.0
_SWEEP_EVERY = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


_PERCENT = 100


class RateLimiter:
    """Counts calls to Recall in one database; safe to use from many threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._mutex = threading.Lock()
        self._is_counting = True

    def gate(self, region: str, api_key: SecretStr, *, yields: bool) -> "RateLimitGate":
        """Return the gate for a client of one workspace.

        Args:
            region: Recall's.
            api_key: Of that region.
            yields: Whether its calls are background jobs, which leave room for people.
        """
        scope = scope_of(region, fingerprint(api_key))
        return RateLimitGate(self, scope, yields=yields)

    def take(self, scope: str, operation: Operation, *, yields: bool) -> None:
        """Count one call before it is sent; commits.

        While the database can't be used, calls go on uncounted and this is logged once,
        so that people can still act.

        Raises:
            UpstreamError: The limit is used up, or Recall asked us to wait; status 429.
        """
        limit = operation.a_minute
        stops_at = background_limit(operation) if yields else limit
        now = self._clock.now()
        try:
            with self._database.writing_fast() as connection:
                refused = rate_limit_counts.take(
                    connection, scope, operation, stops_at=stops_at, now=now
                )
        except StorageError as error:
            self._note(is_counting=False, why=error.reason)
            return
        self._note(is_counting=True)
        if refused is None:
            return
        wait_s, said_at = refused.wait_s, refused.said_at
        if said_at is None:
            said = rate_limit_words.full(operation, stops_at=stops_at, wait_s=wait_s)
        else:
            said = rate_limit_words.paused(operation, said_at=said_at, wait_s=wait_s)
        raise UpstreamError(
            said,
            service="Recall",
            status=HTTPStatus.TOO_MANY_REQUESTS,
            retryable=True,
            retry_after_s=wait_s,
        )

    def pause(
        self, scope: str, operation: Operation, retry_after_s: float | None
    ) -> None:
        """Store that Recall answered 429; commits, or logs that it couldn't.

        Args:
            scope: From `scope_of`.
            operation: The one that was called.
            retry_after_s: How long Recall asked us to wait; without it, one minute.
        """
        now = self._clock.now()
        wait_s = _UNASKED_PAUSE_S if retry_after_s is None else retry_after_s
        until = now + timedelta(seconds=wait_s)
        try:
            with self._database.writing_fast() as connection:
                rate_limit_counts.pause(
                    connection, scope, operation, said_at=now, until=until
                )
        except StorageError as error:
            self._note(is_counting=False, why=error.reason)

    def _note(self, *, is_counting: bool, why: str = "") -> None:
        with self._mutex:
            was_counting, self._is_counting = self._is_counting, is_counting
        if was_counting and not is_counting:
            _log.warning("calls to Recall go on uncounted", why=why)


class RateLimitGate:
    """Counts the requests of one workspace's client; a `Gate` of clients.recall."""

    def __init__(self, limiter: RateLimiter, scope: str, *, yields: bool) -> None:
        self._limiter = limiter
        self._scope = scope
        self._yields = yields

    def begin(self, operation: Operation) -> None:
        """Count one request.

        Raises:
            UpstreamError: As `RateLimiter.take`.
        """
        self._limiter.take(self._scope, operation, yields=self._yields)

    def limited(self, operation: Operation, retry_after_s: float | None) -> None:
        """Pause this operation until Recall accepts it again."""
        self._limiter.pause(self._scope, operation, retry_after_s)


class Sweeper:
    """The worker's chore: deletes old counts once a minute."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._swept_at: datetime | None = None

    def __call__(self) -> int:
        """Delete old slots and pauses; return how many. Commits."""
        now = self._clock.now()
        if self._swept_at and abs(now - self._swept_at) < _SWEEP_EVERY:
            return 0
        self._swept_at = now
        with self._database.writing_fast() as connection:
            return rate_limit_counts.sweep(connection, now=now)


@dataclass(frozen=True, kw_only=True)
class UsageRow:
    """One operation that a workspace called in the last minute.

    Attributes:
        name: The operation as a title.
        limit: Calls a minute that Recall allows.
        background: Calls a minute at which background jobs pause.
        percent: Used share of the limit, 0 to 100.
        tone: good; waiting when background jobs wait; trouble when people wait too.
        said_at: When Recall answered 429, while we wait; aware.
        until: When the wait ends.
    """

    name: str
    used: int
    limit: int
    background: int
    percent: int
    tone: str
    said_at: datetime | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class WorkspaceUsage:
    """A workspace's calls, the most used operation first; no calls are no rows."""

    workspace: Workspace
    rows: Sequence[UsageRow]


def scope_of(region: str, key_print: str) -> str:
    """Return the workspace that a rate limit is for: region and key fingerprint."""
    return f"{region}:{key_print}"


def background_limit(operation: Operation) -> int:
    """Return at how many calls a minute background jobs pause."""
    return int(operation.a_minute * _BACKGROUND_SHARE)


def is_full(use: Use) -> bool:
    """Whether background jobs may not call this operation now."""
    return use.until is not None or use.used >= background_limit(use.operation)


def without_room(
    session: Session, operations: Collection[Operation], *, now: datetime
) -> list[UUID]:
    """Return the workspaces that background jobs must leave alone now.

    Args:
        session: Reading.
        operations: Those needed; one that is used up is enough.
        now: Aware.
    """
    full = {
        scope
        for scope, uses in rate_limit_counts.uses(session, now=now).items()
        if any(use.operation in operations and is_full(use) for use in uses)
    }
    if not full:
        return []
    rows = session.exec(
        select(Workspace.id, Workspace.region, Workspace.api_key_print)
    ).all()
    return [
        workspace_id
        for workspace_id, region, key_print in rows
        if scope_of(region, key_print) in full
    ]


def usage_of(
    session: Session, workspaces: Sequence[Workspace], *, now: datetime
) -> list[WorkspaceUsage]:
    """Return what each workspace called in the last minute.

    Args:
        session: Reading.
        workspaces: In the order to show them.
        now: Aware.
    """
    scopes = {one.id: scope_of(one.region, one.api_key_print) for one in workspaces}
    found = rate_limit_counts.uses(session, now=now, scopes=list(scopes.values()))
    return [
        WorkspaceUsage(
            workspace=one, rows=[_row(use) for use in found.get(scopes[one.id], [])]
        )
        for one in workspaces
    ]


def _row(use: Use) -> UsageRow:
    limit = use.operation.a_minute
    return UsageRow(
        name=NAMES[use.operation],
        used=use.used,
        limit=limit,
        background=background_limit(use.operation),
        percent=min(_PERCENT, round(_PERCENT * use.used / limit)),
        tone=_tone(use),
        said_at=use.said_at,
        until=use.until,
    )


def _tone(use: Use) -> str:
    if use.until is not None or use.used >= use.operation.a_minute:
        return "trouble"
    return "waiting" if is_full(use) else "good"
