"""The overview: how each zoom app does, at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.connection import Connection
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts import connections as facts
from dashboard.services.facts import zoom_apps as zoom_app_facts
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Cause, Shown
from dashboard.services.facts.zoom_apps import AppStanding, Reader
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.setup import checklist
from dashboard.services.setup.steps import Checklist
from dashboard.services.status import traffic
from dashboard.services.status.traffic import Traffic
from dashboard.services.validation import evidence
from dashboard.services.zoom_apps import apps


@dataclass(frozen=True, kw_only=True)
class AppOverview:
    """One zoom app.

    Attributes:
        standing: All that is said of it.
        traffic: Its last 24 hours and what waits.
        setup: Its ticks.
        connections: How many there are of each state shown, every one named.
        cause: What is wrong before any user gets a token; None for nothing.
        unknown_for_admin: How many of those not known are so for a reason that an admin
            must fix.
    """

    app: ZoomApp
    standing: AppStanding
    setup: Checklist
    traffic: Traffic
    connections: Mapping[Shown, int]
    cause: Cause | None = None
    unknown_for_admin: int = 0

    @property
    def connected(self) -> int:
        """Connections of every state."""
        return sum(self.connections.values())


def list_apps(
    session: Session, *, now: datetime, worker: WorkerStatus | None = None
) -> Sequence[AppOverview]:
    """Return every zoom app that is in use, by name: the retired ones ask nothing.

    Args:
        session: Reading.
        now: Aware.
        worker: Whether the background worker runs, if that was read already.
    """
    read = zoom_app_facts.Reader(session, now=now, is_worked=worker)
    every = apps.list_all(session)
    gone = evidence.deleted_in_recall(session, now=now)
    found = {
        app.id: facts.cause_of(app, _workspace(app, read), is_gone=app.id in gone)
        for app in every
    }
    causes = {app_id: cause for app_id, cause in found.items() if cause is not None}
    connections = facts.counts(session, broken=causes, now=now)
    used = [app for app in every if app.retired_at is None]
    days = traffic.last_days(session, [app.id for app in used], now=now)
    for_admin = _for_admin(session)
    return [
        _overview(
            session,
            app,
            read=read,
            connections=connections,
            cause=causes.get(app.id),
            for_admin=for_admin.get(app.id, 0),
            day=days[app.id],
            now=now,
        )
        for app in used
    ]


def _workspace(app: ZoomApp, read: Reader) -> Workspace | None:
    return read.workspaces.get(app.workspace_id) if app.workspace_id else None


def _overview(  # noqa: PLR0913 - what it is made of
    session: Session,
    app: ZoomApp,
    *,
    read: Reader,
    connections: Mapping[tuple[UUID, Shown], int],
    cause: Cause | None,
    for_admin: int,
    day: Traffic,
    now: datetime,
) -> AppOverview:
    seen = evidence.evidence(session, app.id, now=now)
    counted = {shown: connections.get((app.id, shown), 0) for shown in Shown}
    return AppOverview(
        app=app,
        standing=read(app, seen),
        setup=checklist.load(session, app, seen, now=now),
        traffic=day,
        connections=counted,
        cause=cause,
        unknown_for_admin=for_admin if cause is None else 0,
    )


def _for_admin(session: Session) -> Mapping[UUID, int]:
    """Count by zoom app; of those that something is wrong with it says nothing."""
    app_id = col(Connection.zoom_app_id)
    query = select(app_id, func.count()).where(facts.unknown_acted_on_by(Who.ADMIN))
    return dict(session.exec(query.group_by(app_id)).all())
