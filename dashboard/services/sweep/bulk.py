"""Read new mappings and unhealthy credentials from Recall, many at a time.

Both lists share 60 calls a minute with everything else that lists in the workspace. So
a workspace's mappings are read by time, and only unhealthy credentials are listed.
Neither list decides a token state: new entries only make a connection due.
Sources: docs/contracts/recall.md 1.5, 3.5, 3.7 and 4; checked 2026-11-25.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, case, literal
from sqlmodel import Session, col, or_, select, update

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.operations import Operation
from dashboard.clients.recall.replies import CredentialStatus, RecallCredential, Stretch
from dashboard.db import Database
from dashboard.db.columns import UtcDateTime
from dashboard.db.statements import rows_changed
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.watch import ProbeSchedule
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import mappings
from dashboard.services.recall import rate_limits, workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist, first_seen
from dashboard.services.setup.steps import StepKey

MAPPINGS_EVERY = timedelta(minutes=5)
UNHEALTHY_EVERY = timedelta(minutes=5)

_LEASE = timedelta(minutes=3)
_AGAIN_AFTER = timedelta(minutes=1)
_BEGINS = timedelta(days=1)  # older ones are read with each connection
_OVERLAP = timedelta(minutes=2)  # for what Recall committed late
_SHORTEST = timedelta(seconds=2)
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A workspace whose mappings only this process reads, until `until` at most."""

    workspace: Workspace
    until: datetime


class MappingsReader:
    """Reads what was mapped since the last time, one workspace at a time.

    A span of time with more than ten pages is read in shorter spans. This process
    remembers how short.
    """

    def __init__(self) -> None:
        self._spans: dict[UUID, timedelta] = {}

    def claim(self, runtime: Runtime) -> Claimed | None:
        """Claim the workspace that is due the longest; None if none is. Commits."""
        now = runtime.clock.now()
        due = col(Workspace.mappings_due_at)
        is_due = or_(due.is_(None), due <= now)
        with runtime.database.reading() as session:
            full = rate_limits.without_room(session, [Operation.LOGS_MAPPINGS], now=now)
            in_use = select(ZoomApp.workspace_id).where(
                col(ZoomApp.recall_app_id).is_not(None)
            )
            wanted = session.exec(
                select(Workspace)
                .where(
                    is_due,
                    col(Workspace.id).in_(in_use),
                    col(Workspace.id).not_in(full),
                )
                .order_by(due.is_not(None), due)
                .limit(1)
            ).first()
        if wanted is None:
            return None
        until = now + _LEASE
        with runtime.database.writing() as session:
            done = session.exec(
                update(Workspace)
                .where(col(Workspace.id) == wanted.id, is_due)
                .values(mappings_due_at=until)
            )
            is_ours = rows_changed(done) == 1
        return Claimed(workspace=wanted, until=until) if is_ours else None

    def read(self, runtime: Runtime, claimed: Claimed) -> None:
        """Read a claimed workspace's mappings and set when it is due again; commits."""
        workspace, now = claimed.workspace, runtime.clock.now()
        seen_at = workspace.mappings_seen_at or now - _BEGINS
        span = self._spans.get(workspace.id)
        before = None if span is None else seen_at + span
        if before is not None and before >= now:
            before = None
        key = workspaces.api_key(runtime.vault, workspace)
        recall, read_at = runtime.recall(workspace.region, key), None
        try:
            found = recall.mappings_synced(after=seen_at - _OVERLAP, before=before)
        except UpstreamError as error:
            wait = timedelta(seconds=error.retry_after_s or 0)
            due_at, read_until = now + max(_AGAIN_AFTER, wait), None
        else:
            reach = (before or now) - seen_at
            is_done = found.is_whole or reach <= _SHORTEST
            self._spans[workspace.id] = reach * 4 if is_done else reach / 4
            read_until = before if is_done else None
            read_at = now if found.is_whole and before is None else None
            if is_done and before is None:
                self._spans.pop(workspace.id)
                synced = [one.synced_at for one in found.results]
                read_until = max(synced, default=None)
            due_at = now + MAPPINGS_EVERY if is_done and before is None else now
            with runtime.database.writing() as session:
                owners = mappings.add(session, found.results, now=now)
                _record_first(session, workspace.id, owners, now)
        _release(runtime.database, claimed, due_at, read_until, read_at=read_at)


def make_mappings_due(session: Session, workspace_id: UUID, *, at: datetime) -> None:
    """Have a workspace's mappings read at `at`, or sooner; the caller commits."""
    session.exec(
        update(Workspace)
        .where(col(Workspace.id) == workspace_id, col(Workspace.mappings_due_at) > at)
        .values(mappings_due_at=at)
    )


def claim_unhealthy(runtime: Runtime) -> ZoomApp | None:
    """Claim the zoom app whose unhealthy credentials are due; or None. Commits."""
    now = runtime.clock.now()
    due = col(ProbeSchedule.unhealthy_due_at)
    is_due = or_(due.is_(None), due <= now)
    with runtime.database.reading() as session:
        full = rate_limits.without_room(session, [Operation.CREDENTIALS_LIST], now=now)
        wanted = session.exec(
            select(ZoomApp)
            .join(ProbeSchedule, col(ProbeSchedule.zoom_app_id) == col(ZoomApp.id))
            .where(
                is_due,
                col(ZoomApp.recall_app_id).is_not(None),
                col(ZoomApp.workspace_id).not_in(full),
            )
            .order_by(due.is_not(None), due)
            .limit(1)
        ).first()
    if wanted is None:
        return None
    with runtime.database.writing() as session:
        done = session.exec(
            update(ProbeSchedule)
            .where(col(ProbeSchedule.zoom_app_id) == wanted.id, is_due)
            .values(unhealthy_due_at=now + _LEASE)
        )
        return wanted if rows_changed(done) == 1 else None


def read_unhealthy(runtime: Runtime, app: ZoomApp) -> None:
    """Read a claimed app's unhealthy credentials; commits.

    Connections that are new in the list, or left it, are made due.
    """
    if app.workspace_id is None or app.recall_app_id is None:
        return
    with runtime.database.reading() as session:
        workspace = workspaces.get(session, app.workspace_id)
    key = workspaces.api_key(runtime.vault, workspace)
    recall: Recall = runtime.recall(workspace.region, key)
    wait = UNHEALTHY_EVERY
    found: Stretch[RecallCredential] | None = None
    try:
        found = recall.unhealthy_credentials(app.recall_app_id)
    except UpstreamError as error:
        wait = max(_AGAIN_AFTER, timedelta(seconds=error.retry_after_s or 0))
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        if found is not None:
            ids = {one.id for one in found.results}
            _mark(session, ids, now)
            if found.is_whole:
                _make_recovered_due(session, app.id, ids, now)
        session.exec(
            update(ProbeSchedule)
            .where(col(ProbeSchedule.zoom_app_id) == app.id)
            .values(unhealthy_due_at=now + wait)
        )


def _mark(session: Session, credential_ids: Collection[UUID], now: datetime) -> None:
    ids = sorted(credential_ids)
    for begin in range(0, len(ids), _AT_ONCE):
        session.exec(
            update(Connection)
            .where(
                col(Connection.recall_credential_id).in_(ids[begin : begin + _AT_ONCE]),
                col(Connection.recall_status) != CredentialStatus.UNHEALTHY,
            )
            .values(recall_status=CredentialStatus.UNHEALTHY, due_at=_at_latest(now))
        )


def _make_recovered_due(
    session: Session, zoom_app_id: UUID, unhealthy: Collection[UUID], now: datetime
) -> None:
    query = select(Connection.id, Connection.recall_credential_id).where(
        col(Connection.token_state) == TokenState.UNHEALTHY_IN_RECALL,
        col(Connection.zoom_app_id) == zoom_app_id,
        col(Connection.due_at) > now,
    )
    recovered = [
        connection_id
        for connection_id, credential_id in session.exec(query).all()
        if credential_id not in unhealthy
    ]
    _make_due(session, recovered, now)


def _make_due(session: Session, connection_ids: list[UUID], now: datetime) -> None:
    for begin in range(0, len(connection_ids), _AT_ONCE):
        some = connection_ids[begin : begin + _AT_ONCE]
        session.exec(
            update(Connection)
            .where(col(Connection.id).in_(some))
            .values(due_at=_at_latest(now))
        )


def _record_first(
    session: Session, workspace_id: UUID, owners: Collection[UUID], now: datetime
) -> None:
    """Complete the set-up step if these are an app's first; make a scope check due."""
    if not owners:
        return
    mine = select(ZoomApp.id).where(col(ZoomApp.workspace_id) == workspace_id)
    for app_id in session.exec(mine).all():
        is_first = checklist.is_missing(session, app_id, StepKey.MAPPING)
        is_unproved = checklist.is_missing(session, app_id, StepKey.SCOPES)
        if not is_first and not is_unproved:
            continue
        some = sorted(owners)[:_AT_ONCE]
        query = select(Connection.id).where(
            col(Connection.zoom_app_id) == app_id, col(Connection.id).in_(some)
        )
        theirs = session.exec(query.limit(1)).first()
        if theirs is None:
            continue
        if is_first:
            first = first_seen.meeting_mapped(app_id, at=now, connection_id=theirs)
            checklist.store(session, [first])
        if is_unproved:
            _make_due(session, [theirs], now)


def _release(
    database: Database,
    claimed: Claimed,
    due_at: datetime,
    read_until: datetime | None,
    *,
    read_at: datetime | None,
) -> None:
    """Commits."""
    due, seen = col(Workspace.mappings_due_at), col(Workspace.mappings_seen_at)
    mine = col(Workspace.id) == claimed.workspace.id
    with database.writing() as session:
        session.exec(
            update(Workspace)
            .where(mine, due == claimed.until)  # a webhook may have made it due sooner
            .values(mappings_due_at=due_at)
        )
        if read_at is not None:
            session.exec(update(Workspace).where(mine).values(mappings_read_at=read_at))
        if read_until is not None:
            session.exec(
                update(Workspace)
                .where(mine, or_(seen.is_(None), seen < read_until))
                .values(mappings_seen_at=read_until)
            )


def _at_latest(now: datetime) -> ColumnElement[datetime]:
    instant = literal(now, UtcDateTime)
    return case((col(Connection.due_at) > instant, instant), else_=Connection.due_at)
