"""What staff do to a connection: try it, sync it, read Recall's log, disconnect it."""

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from dashboard.clients.recall_replies import RecallLog
from dashboard.errors import NotFoundError, UpstreamError
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import (
    audit,
    connections,
    erasing,
    erasing_steps,
    invitation_states,
    profiles,
    revoking,
)
from dashboard.services.audit import Actor
from dashboard.services.bundle import Services
from dashboard.services.exchanging import delete


def try_again(services: Services, connection_id: UUID) -> Connection:
    """Look now; have Recall re-check a credential it marked unhealthy first; commits.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
        UpstreamError: Recall is asked too often; nothing was looked at.
    """
    with services.database.reading() as session:
        row = connections.get(session, connection_id)
        recall, _ = profiles.recall_of(
            services, session, session.get_one(ZoomApp, row.zoom_app_id)
        )
    marked = (
        row.token_state is TokenState.UNHEALTHY_IN_RECALL
        or row.deauthorized_at is not None
    )
    if marked and row.recall_credential_id is not None:
        with suppress(UpstreamError):  # the look that follows says how it stands
            recall.validate(row.recall_credential_id)
    return connections.refresh(services, connection_id, is_thorough=True)


def sync_meetings(services: Services, connection_id: UUID, *, actor: Actor) -> None:
    """Ask Recall to read the user's meetings again, and look soon; commits.

    Raises:
        NotFoundError: There is no such connection, or no credential in Recall.
        UpstreamError: Recall refused or could not be asked.
    """
    with services.database.reading() as session:
        row = connections.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, _ = profiles.recall_of(services, session, app)
    if row.recall_credential_id is None:
        raise NotFoundError("credential in Recall")
    recall.sync_meetings(row.recall_credential_id)
    now = services.clock.now()
    with services.database.writing() as session:
        row = connections.get(session, connection_id)
        row.sync_status, row.due_at = SyncStatus.NOT_STARTED, now + connections.SOON
        session.add(row)
        subject = f"connection {connection_id} of {app.name}"
        audit.record(session, actor, "connection.synced", subject=subject, now=now)


def recall_log(services: Services, connection_id: UUID) -> Sequence[RecallLog]:
    """Return what Recall noted about the credential, newest first; asks Recall.

    Raises:
        NotFoundError: There is no such connection.
        UpstreamError: Recall refused or could not be asked.
    """
    with services.database.reading() as session:
        row = connections.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, _ = profiles.recall_of(services, session, app)
    if row.recall_credential_id is None:
        return []
    noted = recall.credential_logs(row.recall_credential_id)
    return sorted(noted, key=lambda entry: entry.created_at, reverse=True)


def disconnect(services: Services, connection_id: UUID, *, actor: Actor) -> None:
    """Delete the credential in Recall, then all that is kept of the user; commits.

    A grant that is kept here is revoked at Zoom. Deleting in Recall does not revoke one
    that Recall keeps: the user removes the app in the Marketplace
    (contracts/recall.md 3.5). The audit log keeps ids, no name or e-mail.

    Raises:
        NotFoundError: There is no such connection.
        UpstreamError: Recall or Zoom refused or could not be asked; nothing is
            deleted here, and it may be repeated.
    """
    with services.database.reading() as session:
        row = connections.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        if row.recall_credential_id is not None:
            recall, _ = profiles.recall_of(services, session, app)
    if row.recall_credential_id is not None:
        delete(recall, row.recall_credential_id)
    revoking.revoke(services, row, app)
    now = services.clock.now()
    with services.database.writing() as session:
        row = connections.get(session, connection_id)
        row.recall_credential_id = None
        erasure = erasing.begin(
            session, services.vault, row, removed_at=now, now=now, actor=actor
        )
    # What Zoom told of them goes as well. Were this process to die, the worker goes on.
    erasing_steps.go_on(services, erasure.id)
    with services.database.writing() as session:
        left = session.get(Connection, connection_id)
        if left is not None:  # its user was never seen, so nothing else names them
            invitation_states.forget(session, left)
            session.delete(left)
        subject = f"connection {connection_id} of {app.name}"
        audit.record(session, actor, "connection.deleted", subject=subject, now=now)
