"""Import the users that an app already has in Recall as connections.

For an app that was created by hand: users who connected elsewhere would otherwise
appear only when they reconnect. Source: docs/contracts/recall.md 3.5, checked
2026-11-23.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, SQLModel, col, select

from dashboard.clients.recall.replies import RecallCredential
from dashboard.db.statements import insert
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps

_TABLE = SQLModel.metadata.tables[str(Connection.__tablename__)]
_AT_ONCE = 200
_SPREAD = timedelta(seconds=1)
"""Between the first checks of two of them, to spare Recall's rate limit."""

_NOT_SEEN = "Imported from Recall; not checked yet."


def import_users(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> int:
    """Add a connection for each credential that has none; commits, 200 at a time.

    Returns:
        How many were added.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is not in Recall.
        UpstreamError: Recall didn't answer, or its list is too long to be read whole;
            nothing was added.
    """
    with runtime.database.reading() as session:
        app = apps.get(session, zoom_app_id)
        recall, recall_app_id = workspaces.recall_of(runtime, session, app)
    there = recall.list_credentials(oauth_app=recall_app_id).whole()
    now, added = runtime.clock.now(), 0
    for start in range(0, len(there), _AT_ONCE):
        part = there[start : start + _AT_ONCE]
        with runtime.database.writing() as session:
            fresh = [
                _connection(app, one, now=now, due_at=now + (added + place) * _SPREAD)
                for place, one in enumerate(_unknown(session, app, part))
            ]
            if not fresh:
                continue
            # Someone may have connected in this instant.
            session.connection().execute(
                insert(session, _TABLE).on_conflict_do_nothing(),
                [row.model_dump() for row in fresh],
            )
            subject = f"{apps.full_name(app)}: {len(fresh)} imported"
            audit.record(
                session, actor, "zoom_app.users_brought_in", subject=subject, now=now
            )
        added += len(fresh)
    return added


def _unknown(
    session: Session, app: ZoomApp, there: Sequence[RecallCredential]
) -> Sequence[RecallCredential]:
    """Return those that are not here, by Recall's ID or the same user or account."""
    query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
    key = "zoom_user_id" if app.kind is Kind.USER_LEVEL else "zoom_account_id"
    theirs = {one.id: _key(one, app.kind) for one in there}
    named = {one for one in theirs.values() if one is not None}
    rows = [
        *session.exec(query.where(col(Connection.recall_credential_id).in_(theirs))),
        *session.exec(query.where(col(getattr(Connection, key)).in_(named))),
    ]
    ids = {row.recall_credential_id for row in rows}
    keys = {getattr(row, key) for row in rows}
    found: dict[object, RecallCredential] = {}
    for one in there:
        name = theirs[one.id]
        if one.id not in ids and (name is None or name not in keys):
            found.setdefault(name or one.id, one)
    return list(found.values())


def _key(credential: RecallCredential, kind: Kind) -> str | None:
    return credential.user_id if kind is Kind.USER_LEVEL else credential.account_id


def _connection(
    app: ZoomApp, credential: RecallCredential, *, now: datetime, due_at: datetime
) -> Connection:
    return Connection(
        zoom_app_id=app.id,
        recall_credential_id=credential.id,
        zoom_user_id=credential.user_id,
        zoom_account_id=credential.account_id,
        token_reason=_NOT_SEEN,
        token_evidence="Recall's list of credentials.",  # noqa: S106 - no password
        connected_at=credential.created_at or now,
        due_at=due_at,
    )
