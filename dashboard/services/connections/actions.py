"""What staff do to a connection: try it, sync it, read Recall's log, disconnect it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col

from dashboard.clients.http.scrubbing import scrub
from dashboard.clients.recall.replies import RecallLog, Stretch
from dashboard.db import Database, leases
from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import (
    Connection,
    SyncStatus,
    TokenCause,
    TokenState,
)
from dashboard.models.erasure import ErasureReason
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services import audit, events, urls
from dashboard.services.audit import Actor
from dashboard.services.connections import check, listing, recording
from dashboard.services.erasure import erasures, steps
from dashboard.services.grants import grants, refreshing
from dashboard.services.grants.token_calls import Want
from dashboard.services.invitations import invitations, references
from dashboard.services.recall import workspaces
from dashboard.services.recall.credentials import delete
from dashboard.services.runtime import Runtime
from dashboard.services.timeline import notes
from dashboard.services.token_states.rules import CheckResult
from dashboard.services.zoom_apps import apps, credential_checks, hosts
from dashboard.vault import Vault

_SYNC_CHECKED_AFTER = timedelta(seconds=3)
_SOON = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A connection after a check, and one sentence for each part that failed."""

    connection: Connection
    missed: Sequence[str] = ()


def try_again(
    runtime: Runtime, connection_id: UUID, *, actor: Actor | None = None
) -> Checked:
    """Check now; have Recall re-check a credential it marked unhealthy first; commits.

    What Recall noted of the credential meanwhile comes into the timeline as well.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
        UpstreamError: Recall's rate limit is used up; nothing was checked.
    """
    missed = _have_recall_try(runtime, connection_id)
    if actor is not None:
        with runtime.database.writing() as session:
            now, words = runtime.clock.now(), "Check now"
            notes.acted(session, connection_id, words, who=actor.name, at=now)
    found = check.ask(runtime, connection_id, is_thorough=True)
    missed += _missed(found)
    try:
        recall_log(runtime, connection_id)
    except UpstreamError as error:
        missed.append(recording.unread("Recall's log", error))
    with runtime.database.reading() as session:
        row = listing.get(session, connection_id)
    return Checked(connection=row, missed=missed)


def check_fully(
    runtime: Runtime, connection_id: UUID, *, is_over: threading.Event
) -> None:
    """Check for a question that somebody asked; as `try_again`, without the log.

    Args:
        runtime: All of them.
        connection_id: Which.
        is_over: Set when nothing may be written any more.

    Raises:
        As `try_again`.
    """
    _have_recall_try(runtime, connection_id)
    check.ask(runtime, connection_id, is_over=is_over)


def try_bot_token(runtime: Runtime, connection_id: UUID, want: Want) -> None:
    """Fetch a token for a bot of a user whose grant is stored here, and drop it.

    Changes nothing at Zoom. Refreshes the access token if it has to, and commits then.

    Raises:
        NotFoundError: No grant of the connection is stored here.
        GrantLostError: The user must reconnect.
        UpstreamError: Zoom gives none; a missing scope is named.
    """
    token = refreshing.live_token(runtime, connection_id)
    with runtime.database.reading() as session:
        row = session.get_one(Connection, connection_id)
        zoom = hosts.of_connection(session, runtime.zoom, row)
    if want is Want.ZAK:
        zoom.zak(token)
    elif want is Want.OBF:
        zoom.obf(token)


def try_unhealthy(
    runtime: Runtime, connection_id: UUID, *, is_again: bool = False
) -> bool:
    """Have Recall try a credential it called unhealthy, once since it did; commits.

    What made it fail may be over, as an outage or a wrong client secret of the app. So
    it is tried once more whenever Zoom accepts the pair, until it is known that the
    user's authorization has ended.

    Args:
        runtime: All of them.
        connection_id: Whose.
        is_again: Try it though Recall tried it since.

    Returns:
        Whether Recall tried it, so that a check may see more.
    """
    with runtime.database.reading() as session:
        row = session.get(Connection, connection_id)
        if row is None or row.token_state is not TokenState.UNHEALTHY_IN_RECALL:
            return False
        app = session.get_one(ZoomApp, row.zoom_app_id)
    if not is_again and _is_tried(row, app):
        return False
    return not _have_recall_try(runtime, connection_id)


def _is_tried(row: Connection, app: ZoomApp) -> bool:
    """Whether another try by Recall could show nothing new."""
    tried_at, since = row.recall_tried_at, row.token_since
    if tried_at is None or (since is not None and tried_at < since):
        return False
    if row.token_cause is TokenCause.NOT_THE_APP:
        return True
    may_be_the_pair = row.token_custody is TokenCustody.RECALL
    is_news = credential_checks.is_accepted(app, since=tried_at + _SOON)
    return not (may_be_the_pair and is_news)


def _have_recall_try(runtime: Runtime, connection_id: UUID) -> list[str]:
    """Have Recall try a credential that it or Zoom calls bad; return what failed."""
    with runtime.database.reading() as session:
        row = listing.get(session, connection_id)
        recall, _ = workspaces.recall_of(
            runtime, session, session.get_one(ZoomApp, row.zoom_app_id)
        )
    marked = (
        row.token_state is TokenState.UNHEALTHY_IN_RECALL
        or row.deauthorized_at is not None
    )
    if not marked or row.recall_credential_id is None:
        return []
    try:
        recall.validate(row.recall_credential_id)
    except UpstreamError as error:
        return [recording.unread("Recall's test of it", error)]
    _note_tried(runtime.database, row.id, at=runtime.clock.now())
    return []


def _missed(found: CheckResult | None) -> list[str]:
    if found is None:
        return ["Another check is running; this is what the last one saw."]
    match found.mappings:
        case UpstreamError() as error:
            return [recording.unread("Recall's list of meetings", error)]
        case Stretch(has_newest=False):
            return [recording.PART]
        case _:
            return []


def _note_tried(database: Database, connection_id: UUID, *, at: datetime) -> None:
    """Store when Recall was asked to try a marked credential again; commits."""
    with database.writing() as session:
        row = session.get(Connection, connection_id)
        if row is not None:
            row.recall_tried_at = at


def sync_meetings(runtime: Runtime, connection_id: UUID, *, actor: Actor) -> None:
    """Have Recall sync the user's meetings, and check soon; commits.

    Raises:
        NotFoundError: There is no such connection, or no credential in Recall.
        UpstreamError: Recall refused or could not be asked.
    """
    with runtime.database.reading() as session:
        row = listing.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, _ = workspaces.recall_of(runtime, session, app)
    if row.recall_credential_id is None:
        raise NotFoundError("credential in Recall")
    recall.sync_meetings(row.recall_credential_id)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        row = listing.get(session, connection_id)
        row.sync_status, row.due_at = SyncStatus.NOT_STARTED, now + _SYNC_CHECKED_AFTER
        session.add(row)
        subject = f"connection {connection_id} of {app.name}"
        audit.record(session, actor, "connection.synced", subject=subject, now=now)
        words = "Meeting sync requested"
        notes.acted(session, row.id, words, who=actor.name, at=now)


def replace_key(runtime: Runtime, connection_id: UUID, *, actor: Actor) -> None:
    """End the address where Recall fetches the tokens stored here; commits.

    Recall's credential holds the address and cannot be changed, so it is deleted first:
    if Recall can't be asked, nothing has changed. The next health check, which is due
    at once, registers the connection again under a new address. Until then bots of
    this user ask the host.

    Raises:
        NotFoundError: There is no such connection, or no tokens of it are stored here.
        ConflictError: The connection is being checked.
        UpstreamError: Recall refused or could not be asked; the address still works.
    """
    now, is_it = runtime.clock.now(), col(Connection.id) == connection_id
    with runtime.database.writing() as session:
        row = listing.get(session, connection_id)
        grants.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, _ = workspaces.recall_of(runtime, session, app)
        credential_id = row.recall_credential_id
        until = now + check.LEASE
        if not leases.claim(session, Connection, is_it, until=until, now=now):
            raise ConflictError(
                "This connection is being checked. Try again in a minute; nothing was "
                "changed."
            )
    try:
        if credential_id is not None:
            delete(recall, credential_id)
    except UpstreamError:
        with runtime.database.writing() as session:
            listing.get(session, connection_id).lease_until = None
        raise
    with runtime.database.writing() as session:
        row = listing.get(session, connection_id)
        grants.get(session, connection_id).key_hash = grants.hashed(urls.new_key())
        row.recall_credential_id, row.lease_until = None, None
        row.due_at = now
        subject = f"connection {connection_id} of {app.name}"
        audit.record(
            session, actor, "connection.key_replaced", subject=subject, now=now
        )
        words = "Token address replaced"
        notes.acted(session, row.id, words, who=actor.name, at=now)


def recall_log(runtime: Runtime, connection_id: UUID) -> Stretch[RecallLog]:
    """Return what Recall noted about the credential, newest first; asks Recall.

    Keeps what is new of it in the timeline; commits.

    Raises:
        NotFoundError: There is no such connection.
        UpstreamError: Recall refused or could not be asked.
    """
    with runtime.database.reading() as session:
        row = listing.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, _ = workspaces.recall_of(runtime, session, app)
        secrets = _secrets(session, runtime.vault, app)
    if row.recall_credential_id is None:
        return Stretch(results=[], is_whole=True)
    found = recall.credential_logs(row.recall_credential_id)
    noted = [
        entry.model_copy(update={"message": scrub(entry.message, secrets)})
        for entry in found.results
    ]
    if noted:
        with runtime.database.writing() as session:
            # It may have been disconnected meanwhile.
            if session.get(Connection, connection_id) is not None:
                notes.keep_log(session, connection_id, noted)
    return found.model_copy(update={"results": noted})


def change_references(  # noqa: PLR0913 - the facts of one change, all named
    session: Session,
    connection_id: UUID,
    *,
    reference: str | None,
    tags: Sequence[str] | None,
    actor: Actor,
    now: datetime,
) -> Connection:
    """Set your own reference and tags of a connection; the caller commits.

    Args:
        session: Writing.
        connection_id: Which.
        reference: None leaves it as it is; "" takes it away.
        tags: None leaves them as they are.
        actor: Who changes them.
        now: Aware.

    Raises:
        NotFoundError: There is no such connection.
        InvalidInputError: One of them can't be taken; it names the field.
    """
    row = listing.get(session, connection_id)
    if reference is not None:
        row.reference = references.read_reference(reference)
        row.is_reference_verified = bool(row.reference)
    if tags is not None:
        row.tags = references.read_tags(tags)
    session.add(row)
    subject = f"connection {connection_id}"
    audit.record(
        session, actor, "connection.references_changed", subject=subject, now=now
    )
    return row


def disconnect(
    runtime: Runtime,
    connection_id: UUID,
    *,
    actor: Actor,
    reason: ErasureReason = ErasureReason.STAFF_DISCONNECTED,
    through: str = "",
) -> None:
    """Delete the credential in Recall, then all that is kept of the user; commits.

    A grant that is kept here is revoked at Zoom. Deleting in Recall does not revoke one
    that Recall keeps: the user removes the app in the Marketplace
    (docs/contracts/recall.md 3.5). The audit log has IDs, no name or email of the user.

    Args:
        runtime: All of them.
        connection_id: Which.
        actor: Who asks for it.
        reason: Whether that is staff or the user.
        through: Which link the actor came through (`invitations.named`).

    Raises:
        NotFoundError: There is no such connection.
        UpstreamError: Recall or Zoom refused or could not be asked; nothing is
            deleted here, and it may be repeated.
    """
    with runtime.database.reading() as session:
        row = listing.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        if row.recall_credential_id is not None:
            recall, _ = workspaces.recall_of(runtime, session, app)
    if row.recall_credential_id is not None:
        delete(recall, row.recall_credential_id)
    refreshing.revoke(runtime, row, app)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        row = listing.get(session, connection_id)
        row.recall_credential_id = None
        invitations.forget(session, row)
        erasure = erasures.begin(
            session,
            runtime.vault,
            row,
            reason=reason,
            removed_at=now,
            now=now,
            actor=actor,
        )
    # Webhooks about them go as well. If this process dies, the worker goes on.
    steps.go_on(runtime, erasure.id)
    with runtime.database.writing() as session:
        left = session.get(Connection, connection_id)
        if left is not None:  # its user was never seen, so nothing else names them
            invitations.forget(session, left)
            events.forget(session, left.id)
            said = events.ConnectionErased(
                connection_id=left.id, zoom_app_id=left.zoom_app_id
            )
            events.record(session, said, at=now, references=events.references_of(left))
            session.delete(left)
        subject = f"connection {connection_id} of {app.name}{through}"
        audit.record(session, actor, "connection.deleted", subject=subject, now=now)


def _secrets(session: Session, vault: Vault, app: ZoomApp) -> list[SecretStr]:
    """Return what Recall may echo of an app: what it was given."""
    secrets = [each.secret for each in apps.secret_tokens(vault, app)]
    secrets.append(apps.client_secret(vault, app))
    if app.workspace_id is not None:
        workspace = workspaces.get(session, app.workspace_id)
        secrets.append(workspaces.api_key(vault, workspace))
    return secrets
