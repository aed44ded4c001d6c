"""What the page of a zoom app follows: what differs when something of it changed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlmodel import Session, col, func, select

from dashboard.models.check import Check, Source
from dashboard.models.connection import Connection, TokenState
from dashboard.models.watch import Milestone
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import SecretChange, ZoomApp

_OF_A_CHANGE = (
    col(SecretChange.id),
    col(SecretChange.recall_due_at),
    col(SecretChange.recall_error),
    col(SecretChange.zoom_seen_at),
    col(SecretChange.previous_until),
    col(SecretChange.ended_at),
)


def rows(session: Session, ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    """Return a row for each zoom app that differs after anything of its page did.

    Every look is by key or over an index, whatever the tables' size.
    """
    if not ids:
        return []
    # One look a source: the index is (zoom_app_id, source, id).
    checks = [
        select(func.max(Check.id))
        .where(col(Check.zoom_app_id) == col(ZoomApp.id), col(Check.source) == source)
        .scalar_subquery()
        .label(source.value)
        for source in Source
    ]
    webhook = (
        select(func.max(Webhook.id))
        .where(col(Webhook.zoom_app_id) == col(ZoomApp.id))
        .scalar_subquery()
        .label("webhook")
    )
    connections = (
        select(func.count())
        .where(col(Connection.zoom_app_id) == col(ZoomApp.id))
        .scalar_subquery()
        .label("connections")
    )
    # How far the newest change of secrets has come.
    rotation = [
        select(column)
        .where(col(SecretChange.zoom_app_id) == col(ZoomApp.id))
        .order_by(col(SecretChange.id).desc())
        .limit(1)
        .scalar_subquery()
        .label(f"rotation_{number}")
        for number, column in enumerate(_OF_A_CHANGE)
    ]
    ticks = (
        select(func.count(col(Milestone.key)))
        .where(col(Milestone.zoom_app_id) == col(ZoomApp.id))
        .scalar_subquery()
        .label("ticks")
    )
    # What the set-up says of its scopes follows these. They are few at any time, so
    # `coalesce` keeps SQLite from reading all of the app's by the other index.
    app_id = func.coalesce(col(Connection.zoom_app_id), col(Connection.zoom_app_id))
    states = [
        select(func.count())
        .where(
            app_id == col(ZoomApp.id),
            col(Connection.token_state) == state,
        )
        .scalar_subquery()
        .label(state.value)
        for state in (TokenState.UNKNOWN, TokenState.MISSING_SCOPES)
    ]
    found = session.connection().execute(
        select(  # type: ignore[call-overload]  # SQLModel types at most four columns
            ZoomApp.id,
            ZoomApp.version,
            ZoomApp.verdict,
            ZoomApp.checked_at,
            ZoomApp.workspace_id,
            ZoomApp.recall_app_id,
            ZoomApp.create_key,
            webhook,
            connections,
            ticks,
            *states,
            *checks,
            *rotation,
        ).where(col(ZoomApp.id).in_(ids))
    )
    return found.all()
