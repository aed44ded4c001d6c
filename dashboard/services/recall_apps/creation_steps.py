"""What creating a Recall app reads and writes here, apart from the calls themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, update

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp
from dashboard.errors import ConflictError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall import workspaces
from dashboard.services.relay import holds
from dashboard.services.runtime import Runtime
from dashboard.services.validation import schedule
from dashboard.services.zoom_apps import apps, secret_changes


class Creation(StrEnum):
    """How Create in Recall ended."""

    CREATED = "created"
    SETTLED = "settled"  # an answer was lost; looking found what it had made
    ADOPTED = "adopted"
    HERE_ALREADY = "here_already"
    OFFERED = "offered"  # Recall has such an app, not of our making: adopt it?


@dataclass(frozen=True, kw_only=True)
class CreateResult:
    """How Create in Recall ended.

    Attributes:
        recall_app_id: The stored id; None when it was only offered.
        offered: What Recall has with this client ID, for a person to choose from.
    """

    outcome: Creation
    recall_app_id: UUID | None = None
    offered: Sequence[RecallApp] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One zoom app opened for calls to one workspace."""

    zoom_app_id: UUID
    workspace_id: UUID
    name: str
    kind: str
    client_id: str
    client_secret: SecretStr
    secret_token: SecretStr
    recall_app_id: UUID | None
    create_key: str | None
    recall: Recall


def open_job(runtime: Runtime, zoom_app_id: UUID, workspace_id: UUID) -> Job:
    """Open a zoom app's secrets and a workspace's client.

    Raises:
        NotFoundError: No such zoom app or workspace.
        ConflictError: A creation in another workspace is not settled yet.
    """
    vault = runtime.vault
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        workspace = workspaces.get(session, workspace_id)
        if zoom_app.create_key is not None and zoom_app.workspace_id != workspace_id:
            raise ConflictError(
                "Recall's answer in the workspace chosen before is not known yet. "
                "Choose that workspace and press Create in Recall again."
            )
        return Job(
            zoom_app_id=zoom_app_id,
            workspace_id=workspace_id,
            name=zoom_app.name,
            kind=zoom_app.kind.value,
            client_id=zoom_app.client_id,
            client_secret=apps.client_secret(vault, zoom_app),
            secret_token=apps.secret_token(vault, zoom_app),
            recall_app_id=zoom_app.recall_app_id,
            create_key=zoom_app.create_key,
            recall=runtime.recall(
                workspace.region, workspaces.api_key(vault, workspace)
            ),
        )


def keep_key(runtime: Runtime, job: Job) -> str | None:
    """Commit the key of this creation, or return the one under way, or None if done."""
    fresh = str(uuid4())
    with runtime.database.writing() as session:
        session.exec(
            update(ZoomApp)
            .where(
                col(ZoomApp.id) == job.zoom_app_id,
                col(ZoomApp.create_key).is_(None),
                col(ZoomApp.recall_app_id).is_(None),
            )
            .values(create_key=fresh, workspace_id=job.workspace_id)
        )
        row = apps.get(session, job.zoom_app_id)
        if row.create_key is not None and row.workspace_id != job.workspace_id:
            raise ConflictError("Somebody just began to create it elsewhere.")
        return row.create_key


def drop_key(runtime: Runtime, job: Job, key: str) -> None:
    """Forget the key of a creation that Recall refused for good; commits."""
    with runtime.database.writing() as session:
        session.exec(
            update(ZoomApp)
            .where(col(ZoomApp.id) == job.zoom_app_id, col(ZoomApp.create_key) == key)
            .values(create_key=None)
        )


def send_secrets(job: Job, recall_app_id: UUID) -> None:
    """Give Recall the client secret and secret token stored here.

    Safe to repeat: Recall sets both to what is sent (docs/contracts/recall.md 3.4).

    Raises:
        UpstreamError: Recall refused or did not answer.
    """
    job.recall.update_app(
        recall_app_id, client_secret=job.client_secret, webhook_secret=job.secret_token
    )


def store(  # noqa: PLR0913 - the parts of one act, all named
    runtime: Runtime,
    job: Job,
    found: RecallApp,
    *,
    outcome: Creation,
    act: str,
    actor: Actor,
) -> CreateResult:
    """Store Recall's id unless another caller did; commits.

    Args:
        runtime: All of them.
        job: What it was made for.
        found: What Recall has.
        outcome: What to report when it is stored now.
        act: Past participle for the audit log, as "created_in_recall".
        actor: For the audit log.

    Raises:
        ConflictError: Another id is stored already.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        stored = session.exec(
            update(ZoomApp)
            .where(
                col(ZoomApp.id) == job.zoom_app_id, col(ZoomApp.recall_app_id).is_(None)
            )
            .values(
                recall_app_id=found.id,
                recall_created_at=found.created_at or now,
                workspace_id=job.workspace_id,
                create_key=None,
                version=col(ZoomApp.version) + 1,
            )
        )
        if stored.rowcount == 1:
            holds.mended(session, zoom_app_id=job.zoom_app_id, now=now)
            secret_changes.enqueue(session, job.zoom_app_id, now=now)
            schedule.make_due(session, job.zoom_app_id, now=now)
            audit.record(
                session,
                actor,
                f"zoom_app.{act}",
                subject=f"{job.name}: {found.id}",
                now=now,
            )
            return CreateResult(outcome=outcome, recall_app_id=found.id)
        return _agree(session, job.zoom_app_id, found.id)


def stored(runtime: Runtime, zoom_app_id: UUID) -> CreateResult:
    """Return what another caller has stored."""
    with runtime.database.reading() as session:
        return CreateResult(
            outcome=Creation.HERE_ALREADY,
            recall_app_id=apps.get(session, zoom_app_id).recall_app_id,
        )


def _agree(session: Session, zoom_app_id: UUID, found_id: UUID) -> CreateResult:
    """Return what another caller stored, which is the same if one key was used."""
    stored_id = apps.get(session, zoom_app_id).recall_app_id
    if stored_id != found_id:
        raise ConflictError(
            f"This zoom app has another Recall app already: {stored_id}. "
            f"{found_id} was left as it is."
        )
    return CreateResult(outcome=Creation.HERE_ALREADY, recall_app_id=stored_id)
