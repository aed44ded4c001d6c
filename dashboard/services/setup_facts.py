"""What the steps of a set-up are judged by, gathered from the connections."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.validation_states import ValidationStatus


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the steps are judged by.

    Attributes:
        ours: Status of the way from Zoom to us.
        recalls: Status of the way from us to Recall.
        first: The first user who connected.
        granted: The connection whose scopes were seen last, where they can be seen.
        lacking: The connection that was last found to lack a scope.
        working: The one whose token was last seen to read profile and meetings.
    """

    zoom_app: ZoomApp
    ours: ValidationStatus
    recalls: ValidationStatus
    first: Connection | None = None
    granted: Connection | None = None
    lacking: Connection | None = None
    working: Connection | None = None


def gather(
    session: Session,
    zoom_app: ZoomApp,
    *,
    ours: ValidationStatus,
    recalls: ValidationStatus,
) -> Facts:
    """Add to the statuses what the zoom app's connections tell."""
    return Facts(
        zoom_app=zoom_app,
        ours=ours,
        recalls=recalls,
        first=_first_connection(session, zoom_app.id),
        granted=_last_granted(session, zoom_app.id),
        lacking=_last_checked(
            session,
            zoom_app.id,
            col(Connection.token_state) == TokenState.MISSING_SCOPES,
        ),
        working=_last_checked(
            session,
            zoom_app.id,
            col(Connection.token_state) == TokenState.HEALTHY,
            col(Connection.sync_status) == SyncStatus.COMPLETED,
        ),
    )


def _last_checked(
    session: Session, zoom_app_id: UUID, *which: ColumnElement[bool]
) -> Connection | None:
    query = (
        select(Connection)
        .where(col(Connection.zoom_app_id) == zoom_app_id, *which)
        .order_by(col(Connection.token_checked_at).desc(), col(Connection.id))
        .limit(1)
    )
    return session.exec(query).first()


def _first_connection(session: Session, zoom_app_id: UUID) -> Connection | None:
    query = (
        select(Connection)
        .where(col(Connection.zoom_app_id) == zoom_app_id)
        .order_by(col(Connection.connected_at), col(Connection.id))
        .limit(1)
    )
    return session.exec(query).first()


def _last_granted(session: Session, zoom_app_id: UUID) -> Connection | None:
    query = (
        select(Connection)
        .where(
            col(Connection.zoom_app_id) == zoom_app_id,
            col(Connection.scopes).is_not(None),
        )
        .order_by(col(Connection.connected_at).desc(), col(Connection.id))
        .limit(1)
    )
    return session.exec(query).first()
