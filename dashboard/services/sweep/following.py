"""Webhooks make due what they tell of: their users' connections, and new mappings.

Recall maps a meeting as it gets its webhook: the workspace's mappings are read soon.
Any other event says something of its user: that connection is looked at soon.

Read from the log, off the path of forwarding: what has to be known is in its rows, so
nothing is lost with a process, and many webhooks of a user make one look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.sweep.bulk import MAPPINGS_EVERY, make_mappings_due

_CALM = timedelta(seconds=15)
_NEWEST = 300
"""Webhooks read each time; in a flood the sweep looks at who was passed over."""

_MEETINGS = "meeting."
_SETTLES_IN = timedelta(seconds=2)  # Recall's time to make a mapping of a webhook


@dataclass(frozen=True, kw_only=True)
class _News:
    zoom_app_id: UUID
    zoom_user_id: str | None
    zoom_account_id: str | None
    is_of_meeting: bool
    settled_at: datetime


def mark_due(database: Database, *, now: datetime) -> int:
    """Make due who was not looked at since a webhook about them; return how many.

    For `user.updated`: the look brings the new profile. Commits.
    """
    with database.reading() as session:
        news = _news(session, now)
        behind = _behind(session, [one for one in news if not one.is_of_meeting], now)
        unread = _unread(session, [one for one in news if one.is_of_meeting], now)
    if not behind and not unread:
        return 0
    with database.writing() as session:
        for workspace_id, at in unread.items():
            make_mappings_due(session, workspace_id, at=at)
        for connection_id in behind:
            row = session.get(Connection, connection_id)
            if row is not None:
                make_due(session, row, at=now)
    return len(behind)


def make_due(session: Session, row: Connection, *, at: datetime) -> None:
    """Make a connection due then, but not at once after a look; the caller commits."""
    if row.due_at > (wanted := _wanted(row, at)):
        row.due_at = wanted
        session.add(row)


def _news(session: Session, now: datetime) -> Sequence[_News]:
    # Columns, not rows of the model: this is asked once a second beside the ingest.
    rows = session.connection().execute(
        select(  # type: ignore[call-overload]  # SQLModel types at most four columns
            Webhook.zoom_app_id,
            Webhook.zoom_user_id,
            Webhook.zoom_account_id,
            Webhook.outcome,
            col(Webhook.event).startswith(_MEETINGS).label("is_of_meeting"),
            func.coalesce(Webhook.delivered_at, Webhook.received_at).label("at"),
        )
        .order_by(col(Webhook.id).desc())
        .limit(_NEWEST)
    )
    latest: dict[tuple[UUID, str | None, str | None, bool], datetime] = {}
    for row in rows:
        # The newest that is settled: a stream of them must not put off the look.
        if row.outcome is Outcome.WAITING or row.at + _SETTLES_IN > now:
            continue
        whom = (row.zoom_user_id, row.zoom_account_id)
        if row.is_of_meeting:
            whom = (None, None)  # the workspace's mappings are read all at once
        about = (row.zoom_app_id, *whom, bool(row.is_of_meeting))
        latest[about] = max(row.at, latest.get(about, row.at))
    return [
        _News(
            zoom_app_id=app_id,
            zoom_user_id=user_id,
            zoom_account_id=account_id,
            is_of_meeting=is_of_meeting,
            settled_at=at + _SETTLES_IN,
        )
        for (app_id, user_id, account_id, is_of_meeting), at in latest.items()
    ]


def _behind(session: Session, news: Sequence[_News], now: datetime) -> list[UUID]:
    users = {one.zoom_user_id for one in news if one.zoom_user_id}
    accounts = {one.zoom_account_id for one in news if one.zoom_account_id}
    query = select(Connection).where(col(Connection.due_at) > now)
    rows = [
        *session.exec(query.where(col(Connection.zoom_user_id).in_(users))).all(),
        *session.exec(
            query.where(
                col(Connection.zoom_account_id).in_(accounts),
                col(Connection.zoom_user_id).is_(None),  # a whole account's
            )
        ).all(),
    ]
    late = [row for row in rows if row.due_at > _wanted(row, now)]
    return [row.id for row in late if any(_is_behind(row, one) for one in news)]


def _unread(
    session: Session, news: Sequence[_News], now: datetime
) -> dict[UUID, datetime]:
    """Return the workspaces whose mappings were not read since, and when to."""
    told = {one.zoom_app_id: one.settled_at for one in news}
    if not told:
        return {}
    query = (
        select(ZoomApp.id, Workspace.id, Workspace.mappings_due_at)
        .join(Workspace, col(Workspace.id) == col(ZoomApp.workspace_id))
        .where(col(ZoomApp.id).in_(told))
    )
    found: dict[UUID, datetime] = {}
    for app_id, workspace_id, due_at in session.exec(query).all():
        if due_at is None or due_at <= now:
            continue
        read_at = due_at - MAPPINGS_EVERY
        wanted = max(now, read_at + _CALM)
        if read_at < told[app_id] and wanted < due_at:
            found[workspace_id] = wanted
    return found


def _wanted(row: Connection, at: datetime) -> datetime:
    if row.token_checked_at is None:
        return at
    return max(at, row.token_checked_at + _CALM)


def _is_behind(row: Connection, one: _News) -> bool:
    if one.zoom_app_id != row.zoom_app_id:
        return False
    if row.zoom_user_id is not None and row.zoom_user_id != one.zoom_user_id:
        return False
    if row.zoom_user_id is None and row.zoom_account_id != one.zoom_account_id:
        return False
    return row.token_checked_at is None or row.token_checked_at < one.settled_at
