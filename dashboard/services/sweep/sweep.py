"""The sweep: every connection is looked at within a day, inside Recall's budgets.

What fails or was never seen comes first, then what is due the longest. A few looks at
once, so that slow answers stop neither the others nor the chores behind this one.
Many workers share the work: each look is a lease
(services/connections/connections.py). How soon one comes again:
services/token_states/pace.py; who is left alone: services/sweep/backoff.py.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall.operations import Operation
from dashboard.db.columns import Unindexed
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import checking
from dashboard.services.connections.asking import Look
from dashboard.services.recall import budgets
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import bulk
from dashboard.services.sweep.backoff import Backoff
from dashboard.services.sweep.bulk import MappingsReader
from dashboard.services.sweep.following import mark_due
from dashboard.services.token_states import pace, who_acts
from dashboard.services.token_states.pace import Pace
from dashboard.services.token_states.rules import blocking_error, judge
from dashboard.threads import WorkerThreads

_AT_ONCE = 8
_PATIENCE_S = 0.5
_PACE_KEPT = timedelta(minutes=1)
_BACKLOG = 200
_THROTTLED = 429
_ASKED = (Operation.CREDENTIALS_ACCESS_TOKEN, Operation.CREDENTIALS_RETRIEVE)
_MAPPINGS, _UNHEALTHY = "mappings", "unhealthy"
_URGENT = [state for state in TokenState if state is not TokenState.HEALTHY]


@dataclass(frozen=True, kw_only=True)
class Due:
    """A connection that is due."""

    id: UUID
    zoom_app_id: UUID


class Sweep:
    """The worker's chore: begins what is due, and does not wait long for its end.

    Args:
        runtime: Its calls to Recall yield to people.
        patience_s: How long a call waits for the looks it began, in seconds.
    """

    def __init__(self, runtime: Runtime, *, patience_s: float = _PATIENCE_S) -> None:
        self._runtime = runtime.in_background()
        self._patience_s = patience_s
        self._threads = WorkerThreads[UUID]("sweep", at_once=_AT_ONCE)
        self._errands = WorkerThreads[str]("bulk", at_once=2)
        self._mappings = MappingsReader()
        self._backoff = Backoff()
        self._pace: Pace = pace.FEW
        self._paced_at: datetime | None = None

    def __call__(self) -> int:
        """Begin what is due and there is room for; return how many looks. Commits."""
        _tidy(self._runtime)
        self._begin_errands()
        room = self._threads.room
        taken = self._choose(room) if room else []
        for each in taken:
            self._threads.begin(each.zoom_app_id, partial(self._look, each))
        self._threads.wait(self._patience_s)
        self._errands.wait(0 if taken else self._patience_s)
        return len(taken)

    def close(self) -> None:
        """Begin no more; what is under way writes nothing down any more."""
        self._threads.close()
        self._errands.close()

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
                    self._threads.busy(app_id) and self._backoff.is_doubtful(app_id)
                )
            ]
            found = due(session, apps, now=now, limit=_BACKLOG)
        begun: Counter[UUID] = Counter()
        chosen: list[Due] = []
        for each in found:
            app_id = each.zoom_app_id
            if len(chosen) == room:
                break
            if begun[app_id] and self._backoff.is_doubtful(app_id):
                continue
            begun[app_id] += 1
            chosen.append(each)
        return chosen

    def _look(self, each: Due) -> None:
        found = checking.look(
            self._runtime, each.id, pace=self._pace, is_over=self._threads.is_over
        )
        if found is not None:
            self._learn(each.zoom_app_id, found)

    def _learn(self, zoom_app_id: UUID, found: Look) -> None:
        now = self._runtime.clock.now()
        refusal = blocking_error(found.seen, now=now)
        if refusal is None:
            cause = who_acts.cause_of(judge(found.seen, now=now).reason)
            if cause is None or not cause.is_shared:
                self._backoff.worked(zoom_app_id)
            else:
                self._backoff.failed(
                    zoom_app_id, now=now, wait_s=None, is_answered=True
                )
        elif refusal.service != "Recall" or refusal.status != _THROTTLED:
            # Recall's 429 is in the budgets, which every process knows of.
            self._backoff.failed(zoom_app_id, now=now, wait_s=refusal.retry_after_s)

    def _begin_errands(self) -> None:
        runtime = self._runtime
        if not self._errands.busy(_MAPPINGS) and self._errands.room:
            claimed = self._mappings.claim(runtime)
            if claimed is not None:
                self._errands.begin(
                    _MAPPINGS, partial(self._mappings.read, runtime, claimed)
                )
        if not self._errands.busy(_UNHEALTHY) and self._errands.room:
            app = bulk.claim_unhealthy(runtime)
            if app is not None:
                self._errands.begin(
                    _UNHEALTHY, partial(bulk.read_unhealthy, runtime, app)
                )


def check_due(runtime: Runtime, *, limit: int = 20) -> int:
    """Look at those due one after the other, to the end; return how many. Commits.

    For stories and tests; the worker's chore is `Sweep`. Leaves a workspace alone whose
    budget has no room, and stops early when nothing is heard.
    """
    _tidy(runtime)
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        found = due(session, with_room(session, now=now), now=now, limit=limit)
    looked_at = 0
    for each in found:
        seen = checking.look(runtime, each.id)
        looked_at += seen is not None
        if seen is not None and blocking_error(seen.seen, now=now) is not None:
            break
    return looked_at


def with_room(session: Session, *, now: datetime) -> Sequence[UUID]:
    """Return the zoom apps in Recall whose workspace background work may ask."""
    spent = budgets.without_room(session, _ASKED, now=now)
    query = select(ZoomApp.id).where(
        col(ZoomApp.recall_app_id).is_not(None),
        col(ZoomApp.workspace_id).not_in(spent),
    )
    return session.exec(query).all()


def due(
    session: Session, zoom_app_ids: Sequence[UUID], *, now: datetime, limit: int
) -> list[Due]:
    """Return who is due and free: what is not healthy first, then the longest due.

    Costs one look into an index when nobody is.
    """
    if not zoom_app_ids:
        return []
    query = (
        select(Connection.id, Connection.zoom_app_id, Connection.token_state)
        .where(
            Unindexed(col(Connection.zoom_app_id)).in_(zoom_app_ids),
            checking.is_free(now),
        )
        .limit(limit)
    )
    is_due = col(Connection.due_at) <= now
    rows = list(session.exec(query.where(is_due).order_by(col(Connection.due_at))))
    if len(rows) == limit:
        # There may be urgent ones behind them, found by their state. In order, or the
        # same few would be asked about again and others never.
        urgent = col(Connection.token_state).in_(_URGENT)
        late = Unindexed(col(Connection.due_at)) <= now
        found = query.where(urgent, late).order_by(col(Connection.due_at))
        rows = [*session.exec(found), *rows]
    rows.sort(key=lambda row: row[2] is TokenState.HEALTHY)  # stable
    unique = dict.fromkeys((row[0], row[1]) for row in rows)
    return [
        Due(id=connection_id, zoom_app_id=app_id) for connection_id, app_id in unique
    ][:limit]


def _tidy(runtime: Runtime) -> None:
    """Make those due about whom webhooks came."""
    now = runtime.clock.now()
    mark_due(runtime.database, now=now)
