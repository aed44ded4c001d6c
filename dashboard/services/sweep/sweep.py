"""The sweep checks every connection within a day, inside Recall's rate limits.

Failing and unchecked connections come first, then those due the longest. A few checks
run at once, so slow answers block neither the others nor other chores. Workers share
the work: each check is a lease (services/connections/check.py).
services/token_states/pace.py says how soon a connection is checked again,
services/sweep/backoff.py which zoom apps are left alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, or_, select

from dashboard.clients.recall.operations import Operation
from dashboard.db.columns import Unindexed
from dashboard.models.connection import Connection, TokenState
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import actions, check
from dashboard.services.facts.connections import CAUSES
from dashboard.services.recall import rate_limit_counts, rate_limits
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import bulk
from dashboard.services.sweep.backoff import Backoff
from dashboard.services.sweep.bulk import MappingsReader
from dashboard.services.sweep.events import mark_due
from dashboard.services.token_states import pace
from dashboard.services.token_states.pace import Pace
from dashboard.services.token_states.rules import CheckResult, blocking_error, judge
from dashboard.threads import WorkerThreads

_AT_ONCE = 8
_PATIENCE_S = 0.5
_PACE_KEPT = timedelta(minutes=1)
_BACKLOG = 200
_ASKED = (Operation.CREDENTIALS_ACCESS_TOKEN, Operation.CREDENTIALS_RETRIEVE)
_RATE_LIMITED = ("Recall", HTTPStatus.TOO_MANY_REQUESTS)
_MAPPINGS, _UNHEALTHY = "mappings", "unhealthy"
_URGENT = [state for state in TokenState if state is not TokenState.HEALTHY]


DAY = timedelta(days=1)
MOST_WAITING = 1000
_WINDOW = timedelta(seconds=rate_limit_counts.SLOT_S * rate_limit_counts.SLOTS)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A connection whose check is due."""

    id: UUID
    zoom_app_id: UUID


class Sweep:
    """The worker's chore: starts the checks that are due and waits briefly for them.

    Args:
        runtime: Its calls to Recall leave room for people.
        patience_s: How long a call waits for the checks it started, in seconds.
    """

    def __init__(self, runtime: Runtime, *, patience_s: float = _PATIENCE_S) -> None:
        self._runtime = runtime.in_background()
        self._patience_s = patience_s
        self._threads = WorkerThreads[UUID]("sweep", at_once=_AT_ONCE)
        self._bulk_reads = WorkerThreads[str]("bulk", at_once=2)
        self._mappings = MappingsReader()
        self._backoff = Backoff()
        self._pace: Pace = pace.FEW
        self._paced_at: datetime | None = None

    def __call__(self) -> int:
        """Start due checks that fit; return how many. Commits."""
        mark_due(self._runtime.database, now=self._runtime.clock.now())
        self._start_bulk_reads()
        room = self._threads.room
        taken = self._choose(room) if room else []
        for each in taken:
            self._threads.begin(each.zoom_app_id, partial(self._look, each))
        self._threads.wait(self._patience_s)
        self._bulk_reads.wait(0 if taken else self._patience_s)
        return len(taken)

    def close(self) -> None:
        """Start no more checks; running ones store nothing."""
        self._threads.close()
        self._bulk_reads.close()

    def _choose(self, room: int) -> list[Due]:
        now = self._runtime.clock.now()
        with self._runtime.database.reading() as session:
            if self._paced_at is None or abs(now - self._paced_at) >= _PACE_KEPT:
                self._pace, self._paced_at = pace.current(session), now
            apps = [
                app_id
                for app_id in with_room(session, now=now)
                if not self._backoff.is_waiting(app_id, now=now)
                and not (
                    self._threads.busy(app_id) and self._backoff.must_probe(app_id)
                )
            ]
            found = due(session, apps, now=now, limit=_BACKLOG)
        begun: Counter[UUID] = Counter()
        chosen: list[Due] = []
        for each in found:
            app_id = each.zoom_app_id
            if len(chosen) == room:
                break
            if begun[app_id] and self._backoff.must_probe(app_id):
                continue
            begun[app_id] += 1
            chosen.append(each)
        return chosen

    def _look(self, each: Due) -> None:
        found = check.run(
            self._runtime, each.id, pace=self._pace, is_over=self._threads.is_over
        )
        if found is None:
            return
        self._learn(each.zoom_app_id, found)
        if self._threads.is_over.is_set():
            return
        if actions.try_unhealthy(self._runtime, each.id):
            check.run(
                self._runtime, each.id, pace=self._pace, is_over=self._threads.is_over
            )

    def _learn(self, zoom_app_id: UUID, found: CheckResult) -> None:
        now = self._runtime.clock.now()
        refusal = blocking_error(found, now=now)
        if refusal is None:
            cause = CAUSES.get(judge(found, now=now).cause)
            if cause is None or not cause.is_shared:
                self._backoff.worked(zoom_app_id)
            else:
                self._backoff.failed(
                    zoom_app_id, now=now, wait_s=None, is_answered=True
                )
        elif (refusal.service, refusal.status) != _RATE_LIMITED:
            # Recall's 429 is stored with the rate limits, which all processes share.
            self._backoff.failed(zoom_app_id, now=now, wait_s=refusal.retry_after_s)

    def _start_bulk_reads(self) -> None:
        runtime = self._runtime
        if not self._bulk_reads.busy(_MAPPINGS) and self._bulk_reads.room:
            claimed = self._mappings.claim(runtime)
            if claimed is not None:
                self._bulk_reads.begin(
                    _MAPPINGS, partial(self._mappings.read, runtime, claimed)
                )
        if not self._bulk_reads.busy(_UNHEALTHY) and self._bulk_reads.room:
            app = bulk.claim_unhealthy(runtime)
            if app is not None:
                self._bulk_reads.begin(
                    _UNHEALTHY, partial(bulk.read_unhealthy, runtime, app)
                )


@dataclass(frozen=True, kw_only=True)
class SweepProgress:
    """Progress over the connections of Zoom apps in Recall; others can't be checked.

    Attributes:
        total: Number of connections.
        checked: How many were checked within a day.
        oldest_at: Time of the oldest check.
        unseen: How many were never checked.
        waiting: How many are due and wait for Recall's rate limit; at most 1,001.
        waits_until: When the limit allows them again, at the latest.
    """

    total: int
    checked: int
    oldest_at: datetime | None
    unseen: int
    waiting: int = 0
    waits_until: datetime | None = None


def check_due(runtime: Runtime, *, limit: int = 20) -> int:
    """Check due connections one after the other; return how many. Commits.

    For the demo and tests; the worker uses `Sweep`. Skips workspaces whose rate limit
    is used up, and stops when a vendor gives no answer.
    """
    now = runtime.clock.now()
    mark_due(runtime.database, now=now)
    with runtime.database.reading() as session:
        found = due(session, with_room(session, now=now), now=now, limit=limit)
    looked_at = 0
    for each in found:
        seen = check.run(runtime, each.id)
        if actions.try_unhealthy(runtime, each.id):
            check.run(runtime, each.id)
        looked_at += seen is not None
        if seen is not None and blocking_error(seen, now=now) is not None:
            break
    return looked_at


def with_room(session: Session, *, now: datetime) -> Sequence[UUID]:
    """Return the Zoom apps in Recall whose rate limits allow background checks."""
    spent = rate_limits.without_room(session, _ASKED, now=now)
    query = select(ZoomApp.id).where(
        col(ZoomApp.recall_app_id).is_not(None),
        col(ZoomApp.workspace_id).not_in(spent),
        # Each check would be an error that Recall counts against the user.
        col(ZoomApp.pair_doubted_at).is_(None),
        col(ZoomApp.verdict) != Verdict.WRONG,
    )
    return session.exec(query).all()


def due(
    session: Session, zoom_app_ids: Sequence[UUID], *, now: datetime, limit: int
) -> list[Due]:
    """Return due connections that no one checks: unhealthy first, then longest due.

    Costs one index read when none is due.
    """
    if not zoom_app_ids:
        return []
    query = (
        select(Connection.id, Connection.zoom_app_id, Connection.token_state)
        .where(
            Unindexed(col(Connection.zoom_app_id)).in_(zoom_app_ids),
            check.is_free(now),
        )
        .limit(limit)
    )
    is_due = col(Connection.due_at) <= now
    rows = list(session.exec(query.where(is_due).order_by(col(Connection.due_at))))
    if len(rows) == limit:
        # Urgent ones may come after them; find those by state. Ordered, or the same few
        # would be checked again and again and others never.
        urgent = col(Connection.token_state).in_(_URGENT)
        late = Unindexed(col(Connection.due_at)) <= now
        found = query.where(urgent, late).order_by(col(Connection.due_at))
        rows = [*session.exec(found), *rows]
    rows.sort(key=lambda row: row[2] is TokenState.HEALTHY)  # stable
    unique = dict.fromkeys((row[0], row[1]) for row in rows)
    return [
        Due(id=connection_id, zoom_app_id=app_id) for connection_id, app_id in unique
    ][:limit]


def progress(session: Session, *, now: datetime) -> SweepProgress:
    """Return the sweep's progress; a few milliseconds for 50,000 connections."""
    elsewhere = session.exec(
        select(ZoomApp.id).where(
            or_(
                col(ZoomApp.recall_app_id).is_(None),
                col(ZoomApp.workspace_id).is_(None),
            )
        )
    ).all()
    checked_at, due_at = col(Connection.token_checked_at), col(Connection.due_at)
    here = [Unindexed(col(Connection.zoom_app_id)).not_in(elsewhere)] * bool(elsewhere)
    every = select(func.count()).select_from(Connection)
    parts = (
        every,
        every.where(col(Connection.zoom_app_id).in_(elsewhere)),
        every.where(checked_at.is_(None), *here),
        every.where(checked_at < now - DAY, *here),
        select(checked_at)
        .where(checked_at.is_not(None), *here)
        .order_by(checked_at)
        .limit(1),
        select(due_at).order_by(due_at).limit(1),
    )
    query = select_columns(*(part.scalar_subquery() for part in parts))
    row = session.connection().execute(query).one()
    total, others, unseen, old, oldest_at, next_at = row
    waiting, until = 0, None
    if next_at is not None and next_at <= now:
        waiting, until = _waiting(session, now)
    return SweepProgress(
        total=total - others,
        checked=total - others - unseen - old,
        oldest_at=oldest_at,
        unseen=unseen,
        waiting=waiting,
        waits_until=until,
    )


def _waiting(session: Session, now: datetime) -> tuple[int, datetime | None]:
    """Return how many due connections wait for a rate limit, and until when."""
    asked = Operation.CREDENTIALS_ACCESS_TOKEN
    full = {
        scope: use.until or now + _WINDOW
        for scope, uses in rate_limit_counts.uses(session, now=now).items()
        for use in uses
        if use.operation is asked and rate_limits.is_full(use)
    }
    if not full:
        return 0, None
    rows = session.exec(
        select(ZoomApp.id, Workspace.region, Workspace.api_key_print).join(
            Workspace, col(Workspace.id) == col(ZoomApp.workspace_id)
        )
    ).all()
    until = {
        app_id: full[scope]
        for app_id, region, key_print in rows
        if (scope := rate_limits.scope_of(region, key_print)) in full
    }
    some = (
        select(Connection.id)
        .where(
            col(Connection.due_at) <= now,
            Unindexed(col(Connection.zoom_app_id)).in_(until),
        )
        .limit(MOST_WAITING + 1)
        .subquery()
    )
    number = session.exec(select(func.count()).select_from(some)).one()
    return (number, max(until.values())) if number else (0, None)
