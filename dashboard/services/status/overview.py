"""The overview: how each zoom app does, at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.setup import checklist
from dashboard.services.setup.steps import Checklist
from dashboard.services.status import traffic
from dashboard.services.status.traffic import Traffic
from dashboard.services.token_states import who_acts
from dashboard.services.token_states.who_acts import Who
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
        connections: How many there are in each token state, every state named.
        unknown_for_admin: How many of those not known are so for a reason that an admin
            must mend.
    """

    app: ZoomApp
    status: ValidationStatus
    setup: Checklist
    traffic: Traffic
    connections: Mapping[TokenState, int]
    unknown_for_admin: int = 0

    @property
    def connected(self) -> int:
        """Connections of every state."""
        return sum(self.connections.values())


def list_apps(session: Session, *, now: datetime) -> Sequence[AppOverview]:
    """Return every zoom app that is in use, by name: the retired ones ask nothing."""
    connections = _connections(session)
    return [
        _overview(session, app, connections, now)
        for app in apps.list_all(session)
        if app.retired_at is None
    ]


def _overview(
    session: Session,
    app: ZoomApp,
    connections: Mapping[tuple[UUID, TokenState], int],
    now: datetime,
) -> AppOverview:
    seen = evidence.evidence(session, app.id)
    return AppOverview(
        app=app,
        status=status(seen, now),
        setup=checklist.load(session, app, seen, now=now),
        traffic=traffic.last_day(session, app.id, now=now),
        connections={
            state: connections.get((app.id, state), 0) for state in TokenState
        },
        unknown_for_admin=_for_admin(session, app.id)
        if connections.get((app.id, TokenState.UNKNOWN))
        else 0,
    )


def _connections(session: Session) -> dict[tuple[UUID, TokenState], int]:
    """Count by zoom app and state; the healthy ones are what the others leave.

    So the many are counted from an index alone, and only the few others are read.
    """
    app_id, state = col(Connection.zoom_app_id), col(Connection.token_state)
    others = [one for one in TokenState if one is not TokenState.HEALTHY]
    query = select(app_id, state, func.count()).where(state.in_(others))
    found = {
        (one, TokenState(its_state)): number
        for one, its_state, number in session.exec(query.group_by(app_id, state))
    }
    totals = select(app_id, func.count()).group_by(app_id)
    for one, number in session.exec(totals).all():
        rest = sum(found.get((one, its_state), 0) for its_state in others)
        found[one, TokenState.HEALTHY] = number - rest
    return found


def _for_admin(session: Session, zoom_app_id: UUID) -> int:
    query = select(func.count()).where(
        who_acts.acted_on_by(Who.ADMIN), col(Connection.zoom_app_id) == zoom_app_id
    )
    return session.exec(query).one()
