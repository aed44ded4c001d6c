"""Create a zoom app's record in Recall once, or adopt the one that is there.

A double click or a lost answer never creates two: Recall is asked first, the
idempotency key is committed before the call, and a lost answer is retried with the same
key and then looked up (docs/contracts/recall.md 1.8 and 3.1). A stored key means that
nothing with this client ID was there before, so what is found later is ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, update

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall import workspaces
from dashboard.services.relay import circuit
from dashboard.services.runtime import Runtime
from dashboard.services.validation import schedule
from dashboard.services.zoom_apps import apps, secret_changes

_PAUSES_S = (0.25, 0.5, 0.75)
_UNDATED = datetime.min.replace(tzinfo=UTC)
# Refusals that Recall stores with the key: another try needs another key. The same
# body under the same key cannot succeed elsewhere at the same time.
_FINAL = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class Creation(StrEnum):
    """How Create in Recall ended."""

    CREATED = "created"
    SETTLED = "settled"  # the answer was lost; a look-up found the app
    ADOPTED = "adopted"
    HERE_ALREADY = "here_already"
    OFFERED = "offered"  # Recall has apps with this client ID, not created here


@dataclass(frozen=True, kw_only=True)
class CreateResult:
    """How Create in Recall ended.

    Attributes:
        recall_app_id: The stored ID; None when apps were only offered.
        offered: Recall's apps with this client ID, for a person to choose from.
    """

    outcome: Creation
    recall_app_id: UUID | None = None
    offered: Sequence[RecallApp] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A Zoom app's opened secrets and a client of one workspace."""

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


def create_in_recall(
    runtime: Runtime,
    zoom_app_id: UUID,
    workspace_id: UUID,
    *,
    actor: Actor = audit.COMMAND_LINE,
    pause: Callable[[float], None] | None = None,
) -> CreateResult:
    """Create the app in Recall unless it exists, and store its ID; commits.

    May be repeated at any time, also by several callers at once.

    Args:
        runtime: All of them.
        zoom_app_id: The zoom app.
        workspace_id: Where to create it.
        actor: For the audit log.
        pause: Waits that many seconds between tries; by default the clock.

    Raises:
        NotFoundError: No such zoom app or workspace.
        ConflictError: A creation in another workspace has no result yet.
        UpstreamError: Recall refused or didn't answer; the same call may be repeated.
    """
    job = open_job(runtime, zoom_app_id, workspace_id)
    if job.recall_app_id is not None:
        return CreateResult(
            outcome=Creation.HERE_ALREADY, recall_app_id=job.recall_app_id
        )
    there = _look_up(job)
    # Read our row after the look-up: another caller may have stored its key and created
    # the app that was found.
    job = open_job(runtime, zoom_app_id, workspace_id)
    if there and job.create_key is not None:
        return _settle(runtime, job, there, actor)
    if there and job.recall_app_id is None:
        return CreateResult(outcome=Creation.OFFERED, offered=there)
    key = _store_key(runtime.database, job)
    if key is None:  # another caller was faster
        return _stored(runtime.database, zoom_app_id)
    try:
        made = _post(job, key, pause or runtime.clock.sleep)
    except UpstreamError as error:
        return _after_failure(runtime, job, key, error, actor)
    return _store(
        runtime.database,
        runtime.clock,
        job,
        made,
        outcome=Creation.CREATED,
        act="created_in_recall",
        actor=actor,
    )


def adopt(
    runtime: Runtime,
    zoom_app_id: UUID,
    workspace_id: UUID,
    recall_app_id: UUID,
    *,
    actor: Actor = audit.COMMAND_LINE,
) -> CreateResult:
    """Link an app that exists in Recall to this Zoom app; commits.

    The client secret and secret token stored here are sent to Recall, so that both
    store the same ones.

    Raises:
        NotFoundError: No such zoom app or workspace.
        ConflictError: Its client ID or kind differs, or another app is linked.
        UpstreamError: Recall refused or didn't answer; nothing was stored.
    """
    job = open_job(runtime, zoom_app_id, workspace_id)
    if job.recall_app_id == recall_app_id:
        return CreateResult(outcome=Creation.HERE_ALREADY, recall_app_id=recall_app_id)
    found = job.recall.get_app(recall_app_id)
    _require_same(job, found)
    send_secrets(job, recall_app_id)
    return _store(
        runtime.database,
        runtime.clock,
        job,
        found,
        outcome=Creation.ADOPTED,
        act="adopted",
        actor=actor,
    )


def _look_up(job: Job) -> list[RecallApp]:
    """Return Recall's apps with this client ID, oldest first."""
    listed = job.recall.list_apps(client_id=job.client_id).whole()
    # Should Recall ever ignore its filter, no other app is adopted.
    mine = [one for one in listed if one.client_id == job.client_id]
    return sorted(mine, key=lambda one: one.created_at or _UNDATED)


def _post(job: Job, key: str, pause: Callable[[float], None]) -> RecallApp:
    """Create it; after a lost answer or a running request, repeat with the same key."""
    for pause_s in _PAUSES_S:
        try:
            return _try(job, key)
        except UpstreamError as error:
            if not error.may_have_happened and error.status != HTTPStatus.CONFLICT:
                raise
        pause(pause_s)
    return _try(job, key)


def _try(job: Job, key: str) -> RecallApp:
    return job.recall.create_app(
        kind=job.kind,
        client_id=job.client_id,
        client_secret=job.client_secret,
        webhook_secret=job.secret_token,
        idempotency_key=key,
    )


def _after_failure(
    runtime: Runtime, job: Job, key: str, error: UpstreamError, actor: Actor
) -> CreateResult:
    """Look for what a failed creation left; raise the error if it left nothing."""
    if error.status == HTTPStatus.BAD_REQUEST:
        # Recall may have refused because the client ID exists already.
        _drop_key(runtime.database, job, key)
        there = _look_up(job)
        if there:
            return CreateResult(outcome=Creation.OFFERED, offered=there)
    elif error.status in _FINAL:
        _drop_key(runtime.database, job, key)
    elif error.may_have_happened or error.status == HTTPStatus.CONFLICT:
        there = _look_up(job)
        if there:
            return _settle(runtime, job, there, actor)
    raise error


def _settle(
    runtime: Runtime, job: Job, there: Sequence[RecallApp], actor: Actor
) -> CreateResult:
    """Link the app that a lost answer created; with several, a person must choose.

    The secrets are sent again: they may have changed here since.
    """
    if len(there) > 1:
        return CreateResult(outcome=Creation.OFFERED, offered=there)
    send_secrets(job, there[0].id)
    return _store(
        runtime.database,
        runtime.clock,
        job,
        there[0],
        outcome=Creation.SETTLED,
        act="created_in_recall",
        actor=actor,
    )


def _require_same(job: Job, found: RecallApp) -> None:
    if job.recall_app_id is not None:
        raise ConflictError(
            f"It is already linked to the Recall app {job.recall_app_id}."
        )
    if found.client_id != job.client_id:
        raise ConflictError("That app in Recall has a different client ID.")
    if found.kind != job.kind:
        raise ConflictError(
            f"The app in Recall is {found.kind}, this Zoom app is {job.kind}. Recall "
            "can't change that: delete the app in Recall, or add this one again."
        )


def open_job(runtime: Runtime, zoom_app_id: UUID, workspace_id: UUID) -> Job:
    """Open a Zoom app's secrets and a workspace's client.

    Raises:
        NotFoundError: No such zoom app or workspace.
        ConflictError: A creation in another workspace has no result yet.
    """
    vault = runtime.vault
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        workspace = workspaces.get(session, workspace_id)
        if zoom_app.create_key is not None and zoom_app.workspace_id != workspace_id:
            raise ConflictError(
                "Recall's answer for the workspace chosen earlier is still unknown. "
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


def _store_key(database: Database, job: Job) -> str | None:
    """Return this creation's key, the running one's, or None if done; commits."""
    fresh = str(uuid4())
    with database.writing() as session:
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
            raise ConflictError(
                "This app is being created in another workspace right now."
            )
        return row.create_key


def _drop_key(database: Database, job: Job, key: str) -> None:
    """Delete the key of a creation that Recall refused for good; commits."""
    with database.writing() as session:
        session.exec(
            update(ZoomApp)
            .where(col(ZoomApp.id) == job.zoom_app_id, col(ZoomApp.create_key) == key)
            .values(create_key=None)
        )


def send_secrets(job: Job, recall_app_id: UUID, *, is_pair_only: bool = False) -> None:
    """Send Recall the client secret and secret token stored here, or the first alone.

    Safe to repeat: Recall replaces both (docs/contracts/recall.md 3.4).

    Raises:
        UpstreamError: Recall refused or did not answer.
    """
    job.recall.update_app(
        recall_app_id,
        client_secret=job.client_secret,
        webhook_secret=None if is_pair_only else job.secret_token,
    )


def _store(  # noqa: PLR0913 - the parts of one act, all named
    database: Database,
    clock: Clock,
    job: Job,
    found: RecallApp,
    *,
    outcome: Creation,
    act: str,
    actor: Actor,
) -> CreateResult:
    """Store Recall's ID unless another caller did; commits.

    Args:
        database: Written to.
        clock: Of the product.
        job: The Zoom app.
        found: The app in Recall.
        outcome: The result to return when it is stored now.
        act: Past participle for the audit log, as "created_in_recall".
        actor: For the audit log.

    Raises:
        ConflictError: Another ID is stored already.
    """
    now = clock.now()
    with database.writing() as session:
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
        if rows_changed(stored) == 1:
            circuit.probe_now(session, zoom_app_id=job.zoom_app_id, now=now)
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


def _stored(database: Database, zoom_app_id: UUID) -> CreateResult:
    """Return what another caller has stored."""
    with database.reading() as session:
        return CreateResult(
            outcome=Creation.HERE_ALREADY,
            recall_app_id=apps.get(session, zoom_app_id).recall_app_id,
        )


def _agree(session: Session, zoom_app_id: UUID, found_id: UUID) -> CreateResult:
    """Return what another caller stored, which is the same with the same key."""
    stored_id = apps.get(session, zoom_app_id).recall_app_id
    if stored_id != found_id:
        raise ConflictError(
            f"This Zoom app is already linked to the Recall app {stored_id}. "
            f"{found_id} was not changed."
        )
    return CreateResult(outcome=Creation.HERE_ALREADY, recall_app_id=stored_id)
