"""The overview: how each zoom app does, at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts import connections as facts
from dashboard.services.facts.connections import Cause, Shown, Who
from dashboard.services.setup import checklist
from dashboard.services.setup.steps import Checklist
from dashboard.services.status import traffic
from dashboard.services.status.traffic import Traffic
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import ValidationStatus, status
from dashboard.services.zoom_apps import apps


@dataclass(frozen=True, kw_only=True)
class AppOverview:
    """One zoom app.

    Attributes:
        status: The worse of its two ways.
        traffic: Its last 24 hours and what waits.
        setup: Its ticks.
        connections: How many there are of each state shown, every one named.
        cause: What an admin must fix before any user gets a token; None for nothing.
        unknown_for_admin: How many of those not known are so for a reason that an admin
            must fix.
    """

    app: ZoomApp
    status: ValidationStatus
    setup: Checklist
    traffic: Traffic
    connections: Mapping[Shown, int]
    cause: Cause | None = None
    unknown_for_admin: int = 0

    @property
    def connected(self) -> int:
        """Connections of every state."""
        return sum(self.connections.values())


def list_apps(session: Session, *, now: datetime) -> Sequence[AppOverview]:
    """Return every zoom app that is in use, by name: the retired ones ask nothing."""
    causes = facts.causes(session)
    connections = _connections(session, now)
    return [
        _overview(session, app, connections, causes.get(app.id), now)
        for app in apps.list_all(session)
        if app.retired_at is None
    ]


def _overview(
    session: Session,
    app: ZoomApp,
    connections: Mapping[tuple[UUID, Shown], int],
    cause: Cause | None,
    now: datetime,
) -> AppOverview:
    seen = evidence.evidence(session, app.id, now=now)
    counted = {shown: connections.get((app.id, shown), 0) for shown in Shown}
    if cause is not None:
        counted[Shown.LAST_SEEN_HEALTHY] += counted[Shown.HEALTHY]
        counted[Shown.HEALTHY] = 0
    return AppOverview(
        app=app,
        status=status(seen, now),
        setup=checklist.load(session, app, seen, now=now),
        traffic=traffic.last_day(session, app.id, now=now),
        connections=counted,
        cause=cause,
        unknown_for_admin=_for_admin(session, app.id)
        if counted[Shown.UNKNOWN] and cause is None
        else 0,
    )


def _connections(session: Session, now: datetime) -> dict[tuple[UUID, Shown], int]:
    """Count by zoom app and state; the healthy ones are what the others leave.

    So the many are counted from an index alone, and only the few others are read.
    """
    app_id, state = col(Connection.zoom_app_id), col(Connection.token_state)
    others = [one for one in TokenState if one is not TokenState.HEALTHY]
    query = select(app_id, state, func.count()).where(state.in_(others))
    found = {
        (one, Shown(its_state)): number
        for one, its_state, number in session.exec(query.group_by(app_id, state))
    }
    old = facts.is_shown_as(Shown.LAST_SEEN_HEALTHY, broken=(), now=now)
    outdated = select(app_id, func.count()).where(old).group_by(app_id)
    for one, number in session.exec(outdated).all():
        found[one, Shown.LAST_SEEN_HEALTHY] = number
    totals = select(app_id, func.count()).group_by(app_id)
    for one, number in session.exec(totals).all():
        rest = sum(found.get((one, shown), 0) for shown in Shown)
        found[one, Shown.HEALTHY] = number - rest
    return found


def _for_admin(session: Session, zoom_app_id: UUID) -> int:
    query = select(func.count()).where(
        facts.acted_on_by(Who.ADMIN, broken=()),
        col(Connection.zoom_app_id) == zoom_app_id,
    )
    return session.exec(query).one()
