"""All that the pages about zoom apps show, gathered from one reading session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.connection import Connection
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.probes import recent
from dashboard.services.probes.recent import ActivityEntry
from dashboard.services.recall import workspaces
from dashboard.services.rotation import progress
from dashboard.services.setup import checklist
from dashboard.services.setup.checklist import Checklist
from dashboard.services.status import alarms, silence, traffic, zoom_app_summary
from dashboard.services.status.alarms import Alarm
from dashboard.services.status.traffic import Traffic
from dashboard.services.status.zoom_app_summary import ZoomAppSummary
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import ValidationStatus
from dashboard.services.zoom_apps import apps, scopes
from dashboard.services.zoom_apps.scopes import Scope
from dashboard.settings import Settings, public_url_trouble


@dataclass(frozen=True, kw_only=True)
class Row:
    """A zoom app in the list; `status` is the worse of its two ways."""

    zoom_app: ZoomApp
    status: ValidationStatus
    connections: int


@dataclass(frozen=True, kw_only=True)
class ZoomAppPage:
    """One zoom app's page.

    Attributes:
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way from us to Recall.
        zoom_left: How much of the time until the next check is left, in percent.
        recall_left: The same of the other way.
        setup: Its ticks; the next one's details are shown at once.
        seen: Newest first.
        address_trouble: Why Zoom would refuse our addresses; None if it would not.
        workspace: Of the app; None while it has none.
        workspaces: To choose from.
        rotation: A change of secrets under way; None when there is none.
    """

    app: ZoomAppSummary
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    zoom_left: int
    recall_left: int
    alarm: Alarm | None
    setup: Checklist
    seen: Sequence[ActivityEntry]
    traffic: Traffic
    scopes: Sequence[Scope]
    address_trouble: str | None
    workspace: Workspace | None
    workspaces: Sequence[Workspace]
    rotation: progress.Card | None


def rows(session: Session, *, now: datetime) -> Sequence[Row]:
    """Return every zoom app with its status, by name."""
    counts = dict(
        session.exec(
            select(Connection.zoom_app_id, func.count()).group_by(
                col(Connection.zoom_app_id)
            )
        ).all()
    )
    return [
        Row(
            zoom_app=app,
            status=evidence.status(evidence.evidence(session, app.id), now),
            connections=counts.get(app.id, 0),
        )
        for app in apps.list_all(session)
    ]


def page(
    session: Session,
    zoom_app_id: UUID,
    *,
    settings: Settings,
    public_url: str,
    now: datetime,
) -> ZoomAppPage:
    """Return one zoom app's page.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    seen = evidence.evidence(session, zoom_app_id)
    zoom_status, recall_status = (
        evidence.zoom_status(seen, now),
        evidence.recall_status(seen, now),
    )
    day = traffic.last_day(session, zoom_app_id, now=now)
    own = app.workspace_id and workspaces.get(session, app.workspace_id)
    return ZoomAppPage(
        app=zoom_app_summary.summary(
            session, app, seen, settings=settings, public_url=public_url, now=now
        ),
        zoom_status=zoom_status,
        recall_status=recall_status,
        zoom_left=zoom_status.share_left(now),
        recall_left=recall_status.share_left(now),
        alarm=alarms.first(
            app,
            zoom_status=zoom_status,
            recall_status=recall_status,
            waiting=day.waiting,
            silent=silence.find(session, app, now=now),
        ),
        setup=checklist.load(session, app, seen, now=now),
        seen=recent.latest(session, zoom_app_id),
        traffic=day,
        scopes=scopes.list_for(app.kind, app.scope_style),
        address_trouble=public_url_trouble(public_url),
        workspace=own or None,
        workspaces=workspaces.list_all(session),
        rotation=progress.card(session, app, now=now),
    )
