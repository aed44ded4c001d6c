"""Carry out data deletions: first the credential in Recall, then everything here.

A step is a lease: claim, commit, ask Recall, delete in short transactions, record. A
credential that is still in Recall would bring the user back into our lists, so local
data waits for Recall, but for half the time to the deadline at most.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

import structlog
from sqlmodel import Session, col, select

from dashboard.clock import Clock
from dashboard.db import Database, leases
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.erasure import Erasure
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import THE_DASHBOARD
from dashboard.services.erasure import local_data
from dashboard.services.erasure.erasures import SEALED, cancel, person, subject
from dashboard.services.erasure.local_data import Erased
from dashboard.services.erasure.redaction import Person
from dashboard.services.recall import credentials, workspaces
from dashboard.services.runtime import Runtime

LEASE = timedelta(minutes=5)
_LAST_CALL = timedelta(days=1)
"""This long before the deadline, pending deliveries to Recall are given up."""

_AT_ONCE = 5
_LATE_WEBHOOK_CHECKS = timedelta(minutes=10)
_SKEW = timedelta(minutes=10)
_PENDING_DELIVERY_CHECKS = timedelta(minutes=1)
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)

_log = structlog.get_logger(__name__)


def run_due(runtime: Runtime) -> int:
    """Continue the data deletions that are due; return how many; commits.

    For the worker, about once a second; costs one index read when nothing is due. Each
    is claimed, so many workers may run this at once.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        due = session.exec(
            select(Erasure.id)
            .where(
                col(Erasure.ended_at).is_(None),
                col(Erasure.due_at) <= now,
                leases.is_free(Erasure.lease_until, now),
            )
            .order_by(col(Erasure.due_at))
            .limit(_AT_ONCE)
        ).all()
    return sum(go_on(runtime, erasure_id) for erasure_id in due)


@dataclass(frozen=True, kw_only=True)
class _StepResult:
    """What a step did; empty where it did nothing."""

    recall_done: bool
    trouble: str = ""
    erased: Erased | None = None


def go_on(runtime: Runtime, erasure_id: UUID) -> bool:
    """Claim, ask Recall, delete here, record; return whether it was ours; commits."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        row = _claim(session, erasure_id, now=now)
    if row is None:
        return False
    known = person(runtime.vault, row)
    if _has_returned(runtime.database, row, known):
        _cancel(runtime.database, runtime.clock, row)
        return True
    result = _StepResult(recall_done=row.recall_done_at is not None)
    if not result.recall_done:
        result = _delete_in_recall(runtime, row)
    if result.recall_done or now >= half_time(row):
        erased = local_data.erase(
            runtime.database,
            runtime.vault,
            known,
            removed_at=row.removed_at,
            is_first=row.here_done_at is None,
            is_last_call=now >= row.deadline_at - _LAST_CALL,
            now=now,
        )
        if erased is None:
            _cancel(runtime.database, runtime.clock, row)
            return True
        result = replace(result, erased=erased)
    _record(runtime, row, result)
    return True


def half_time(row: Erasure) -> datetime:
    """Return the instant halfway to the deadline."""
    return row.removed_at + (row.deadline_at - row.removed_at) / 2


def _claim(session: Session, erasure_id: UUID, *, now: datetime) -> Erasure | None:
    is_open = col(Erasure.id) == erasure_id, col(Erasure.ended_at).is_(None)
    if not leases.claim(session, Erasure, *is_open, until=now + LEASE, now=now):
        return None
    return session.get_one(Erasure, erasure_id, populate_existing=True)


def _delete_in_recall(runtime: Runtime, row: Erasure) -> _StepResult:
    """Delete the credential; one that is already deleted is fine."""
    if row.recall_credential_id is None:
        return _StepResult(recall_done=True)
    quiet = runtime.in_background()
    try:
        with runtime.database.reading() as session:
            app = session.get_one(ZoomApp, row.zoom_app_id)
            recall, _ = workspaces.recall_of(quiet, session, app)
        credentials.delete(recall, row.recall_credential_id)
    except ConflictError:
        pass  # Recall deleted its app, and its credentials with it
    except UpstreamError as error:
        if error.status == HTTPStatus.TOO_MANY_REQUESTS:  # the rate limit, no error
            return _StepResult(recall_done=False)
        said = f"Recall did not delete the credential: {error.message()}"
        return _StepResult(recall_done=False, trouble=said)
    return _StepResult(recall_done=True)


def _has_returned(database: Database, row: Erasure, known: Person) -> bool:
    """Whether the user connected again since, so that nothing must be deleted."""
    with database.reading() as session:
        found = local_data.find_connection(session, known)
    if found is None:
        return False
    return found.granted_at > row.removed_at


def _cancel(database: Database, clock: Clock, row: Erasure) -> None:
    """Commits."""
    now = clock.now()
    with database.writing() as session:
        mine = _mine(session, row)
        if mine is None:
            return
        cancel(session, mine, now=now)


def _record(runtime: Runtime, taken: Erasure, result: _StepResult) -> None:
    """Record what a step did; at the end the deletion forgets the person.

    Commits.
    """
    now = runtime.clock.now()
    nothing_comes_after = (
        taken.removed_at + timedelta(seconds=runtime.settings.event_age_limit_s) + _SKEW
    )
    with runtime.database.writing() as session:
        row = _mine(session, taken)
        if row is None:
            return
        app = session.get_one(ZoomApp, row.zoom_app_id)
        if result.recall_done and row.recall_done_at is None:
            row.recall_done_at = now
        erased = result.erased or Erased(left=1)
        row.webhooks += erased.webhooks
        row.meetings += erased.meetings
        row.invitations += erased.invitations
        if erased.left == 0 and row.here_done_at is None:
            row.here_done_at = now
            name = subject(row, app)
            audit.record(
                session, THE_DASHBOARD, "erasure.done_here", subject=name, now=now
            )
        row.trouble, row.lease_until = result.trouble[:300], None
        if not result.recall_done:
            row.due_at = now + _pause(row, now)
        elif erased.left:
            row.due_at = now + _PENDING_DELIVERY_CHECKS
        elif now < nothing_comes_after:
            row.due_at = min(now + _LATE_WEBHOOK_CHECKS, nothing_comes_after)
        else:
            for column in SEALED:
                setattr(row, column, None)
            row.recall_credential_id, row.ended_at = None, now
            audit.record(
                session,
                THE_DASHBOARD,
                "erasure.ended",
                subject=subject(row, app),
                now=now,
            )
        session.add(row)
    if result.trouble:
        _log.warning("erasure.waits", erasure=str(taken.id), why=result.trouble)


def _pause(row: Erasure, now: datetime) -> timedelta:
    return min(max((now - row.removed_at) / 8, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def _mine(session: Session, taken: Erasure) -> Erasure | None:
    """Return the row, locked, if no one has claimed it since."""
    is_it = col(Erasure.id) == taken.id
    return leases.held(session, Erasure, is_it, claim=taken.claim)
