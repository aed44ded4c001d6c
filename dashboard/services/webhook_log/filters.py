"""What the log is filtered by, and which indexes answer that."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.models.connection import Connection
from dashboard.models.ids import first_id
from dashboard.models.webhook import DEAD, Outcome
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services.webhook_log.search import LARGEST_ID, Key, Wanted

_NOTHING = Wanted(below=0)


@dataclass(frozen=True, kw_only=True)
class WebhookFilter:
    """What to list; None means any.

    Attributes:
        since: Received at this instant or later, aware.
        until: Received before this instant, aware.
        connection_id: About this user or, for an account-level app, this account.
        zoom_account_id: About anybody of this account.
    """

    zoom_app_id: UUID | None = None
    event: str | None = None
    outcome: Outcome | None = None
    meeting_id: int | None = None
    zoom_user_id: str | None = None
    zoom_account_id: str | None = None
    connection_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def resolved(session: Session, filters: WebhookFilter) -> WebhookFilter | None:
    """Return the filter with what tells the connection's webhooks in its place.

    None when nothing can match: there is no such connection, or another app is asked
    for.
    """
    if filters.connection_id is None:
        return filters
    whose = _whose(session, filters.connection_id)
    if whose is None:
        return None
    found: dict[str, Any] = {
        "zoom_app_id": whose.zoom_app_id,
        whose.column: whose.value,
    }
    if any(getattr(filters, name) not in (None, found[name]) for name in found):
        return None
    return replace(filters, connection_id=None, **found)


def wanted(session: Session, filters: WebhookFilter) -> Wanted:
    """Return what is to be looked for."""
    known = resolved(session, filters)
    if known is None:
        return _NOTHING
    app_id, outcome = known.zoom_app_id, known.outcome
    pairs: list[tuple[str, object]] = [
        ("meeting_id", known.meeting_id),
        ("zoom_user_id", known.zoom_user_id),
        ("zoom_account_id", known.zoom_account_id),
    ]
    keys = [Key(column=name, value=value) for name, value in pairs if value is not None]
    if outcome is Outcome.DEAD and app_id is not None:
        keys.append(Key(column="zoom_app_id", value=app_id, only=DEAD))
        app_id = outcome = None
    pairs = [("outcome", outcome), ("event", filters.event), ("zoom_app_id", app_id)]
    keys += [
        Key(column=name, value=value) for name, value in pairs if value is not None
    ]
    found = Wanted(keys=tuple(dict.fromkeys(keys)))
    # Time is a bound of the key: ids begin with the millisecond of arrival.
    if filters.since is not None:
        found = replace(found, above=_first_id(filters.since) - 1)
    if filters.until is not None:
        found = replace(found, below=_first_id(filters.until))
    return found


def _first_id(instant: datetime) -> int:
    # Years that no id can name are asked for by hand.
    return min(max(first_id(instant), 0), LARGEST_ID)


@dataclass(frozen=True, kw_only=True)
class _Whose:
    """What tells a connection's webhooks from others of its zoom app."""

    zoom_app_id: UUID
    column: str
    value: str


def _whose(session: Session, connection_id: UUID) -> _Whose | None:
    query = (
        select(
            Connection.zoom_app_id,
            Connection.zoom_user_id,
            Connection.zoom_account_id,
            ZoomApp.kind,
        )
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(col(Connection.id) == connection_id)
    )
    found = session.exec(query).first()
    if found is None:
        return None
    app_id, user_id, account_id, kind = found
    column, value = "zoom_user_id", user_id
    if kind is Kind.ACCOUNT_LEVEL:
        column, value = "zoom_account_id", account_id
    if value is None:
        return None
    return _Whose(zoom_app_id=app_id, column=column, value=value)
