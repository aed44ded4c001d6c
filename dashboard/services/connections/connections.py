"""Connections: check one, and what connect attempts change.

Each look is a lease: claim, commit, ask, record, commit. Two processes never look at
one connection at once, and a slow one cannot overwrite what a later one saw.
"""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, or_, select

from dashboard.clients.recall.replies import RecallCredential
from dashboard.errors import NotFoundError
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.services.grants import grants
from dashboard.services.timeline import notes

_NOT_SEEN = "Connected; not looked at yet. The next look comes by itself."


def get(session: Session, connection_id: UUID) -> Connection:
    """Return the connection.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(Connection, connection_id)
    if row is None:
        raise NotFoundError("connection")
    return row


def is_known(session: Session, app: ZoomApp, credential: RecallCredential) -> bool:
    """Whether a credential, or its user or account, is a connection already."""
    return _find_same(session, app, credential) is not None


def connected(
    session: Session, app: ZoomApp, credential: RecallCredential, *, now: datetime
) -> tuple[Connection, bool]:
    """Return the connection of a credential just made or renewed, and if it is new.

    The caller commits and looks at it then: nothing is known of its token yet.
    """
    row = _find_same(session, app, credential)
    is_new = row is None
    if row is None:
        row = Connection(zoom_app_id=app.id, connected_at=now, due_at=now)
    else:
        row.reconnected_at = now
    row.recall_credential_id = credential.id
    row.zoom_user_id = credential.user_id or row.zoom_user_id
    row.zoom_account_id = credential.account_id or row.zoom_account_id
    row.token_state = TokenState.UNKNOWN
    row.token_reason, row.token_evidence = _NOT_SEEN, "Recall took the code."
    row.token_expires_at = row.deauthorized_at = row.token_checked_at = None
    row.sync_status, row.recall_status = SyncStatus.UNKNOWN, ""
    row.due_at = now
    row.lease_until = None  # a look under way saw the grant before this one
    row.claim += 1
    row.token_custody = TokenCustody.RECALL
    session.add(row)
    session.flush()
    grants.drop(session, row.id)  # this consent has ended it
    notes.connected(session, row, is_new=is_new, at=now)
    return row, is_new


def _find_same(
    session: Session, app: ZoomApp, credential: RecallCredential
) -> Connection | None:
    query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
    same = [col(Connection.recall_credential_id) == credential.id]
    if app.kind is Kind.USER_LEVEL and credential.user_id:
        same.append(col(Connection.zoom_user_id) == credential.user_id)
    if app.kind is Kind.ACCOUNT_LEVEL and credential.account_id:
        same.append(col(Connection.zoom_account_id) == credential.account_id)
    return session.exec(query.where(or_(*same)).with_for_update()).first()
