"""The overview: how each zoom app does, at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import milestones, traffic, validation, zoom_apps
from dashboard.services.milestones import SetUp
from dashboard.services.traffic import Traffic
from dashboard.services.validation import ValidationStatus, status


@dataclass(frozen=True, kw_only=True)
class AppOverview:
    """One zoom app.

    Attributes:
        status: The worse of its two ways.
        traffic: Its last 24 hours and what waits.
        setup: Its ticks.
        connections: How many there are in each token state, every state named.
    """

    app: ZoomApp
    status: ValidationStatus
    setup: SetUp
    traffic: Traffic
    connections: Mapping[TokenState, int]

    @property
    def connected(self) -> int:
        """Connections of every state."""
        return sum(self.connections.values())


def list_apps(session: Session, *, now: datetime) -> Sequence[AppOverview]:
    """Return every zoom app that is in use, by name: the retired ones ask nothing."""
    connections = _connections(session)
    return [
        _overview(session, app, connections, now)
        for app in zoom_apps.list_all(session)
        if app.retired_at is None
    ]


def _overview(
    session: Session,
    app: ZoomApp,
    connections: Mapping[tuple[UUID, TokenState], int],
    now: datetime,
) -> AppOverview:
    seen = validation.evidence(session, app.id)
    return AppOverview(
        app=app,
        status=status(seen, now),
        setup=milestones.set_up(session, app, seen, now=now),
        traffic=traffic.last_day(session, app.id, now=now),
        connections={
            state: connections.get((app.id, state), 0) for state in TokenState
        },
    )


def _connections(session: Session) -> dict[tuple[UUID, TokenState], int]:
    query = select(Connection.zoom_app_id, Connection.token_state, func.count())
    query = query.group_by(col(Connection.zoom_app_id), col(Connection.token_state))
    return {
        (app_id, TokenState(state)): number
        for app_id, state, number in session.exec(query)
    }
