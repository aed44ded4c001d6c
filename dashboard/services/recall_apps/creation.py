"""A zoom app's record in Recall: made once, adopted, kept up to date.

Never two by a double click or a lost answer: Recall is asked first what it has, the
idempotency key is committed before the call, a lost answer is tried again with the same
key and then settled by looking (docs/contracts/recall.md 1.8 and 3.1). A key that is
stored means that nothing with this client ID was there before, so what is found later
is ours.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from dashboard.clients.recall.replies import RecallApp
from dashboard.errors import ConflictError, UpstreamError
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall_apps import creation_steps
from dashboard.services.recall_apps.creation_steps import CreateResult, Creation, Job
from dashboard.services.recall_apps.secrets import update_in_recall
from dashboard.services.runtime import Runtime

__all__ = [
    "CreateResult",
    "Creation",
    "adopt",
    "create_in_recall",
    "update_in_recall",
]

_PAUSES_S = (0.25, 0.5, 0.75)
_IN_FLIGHT = 409
_UNDATED = datetime.min.replace(tzinfo=UTC)
# Refusals that Recall stores with the key: another try needs another key. The same
# body under the same key cannot succeed elsewhere at the same time.
_FINAL = {400, 402, 403, 404, 422}
_IS_THERE_PERHAPS = 400


def create_in_recall(
    runtime: Runtime,
    zoom_app_id: UUID,
    workspace_id: UUID,
    *,
    actor: Actor = audit.COMMAND_LINE,
    pause: Callable[[float], None] = time.sleep,
) -> CreateResult:
    """Make the app in Recall unless it is there, and store its id; commits.

    May be called again at any time, also by several at once.

    Args:
        runtime: All of them.
        zoom_app_id: The zoom app.
        workspace_id: Where to make it.
        actor: For the audit log.
        pause: Waits so many seconds between tries.

    Raises:
        NotFoundError: No such zoom app or workspace.
        ConflictError: A creation in another workspace is not settled yet.
        UpstreamError: Recall refused or did not answer; nothing is half-made, and
            the same call may be tried again.
    """
    job = creation_steps.open_job(runtime, zoom_app_id, workspace_id)
    if job.recall_app_id is not None:
        return CreateResult(
            outcome=Creation.HERE_ALREADY, recall_app_id=job.recall_app_id
        )
    there = _look_up(job)
    # What is stored is read after looking: another caller may have stored its key and
    # made what was found.
    job = creation_steps.open_job(runtime, zoom_app_id, workspace_id)
    if there and job.create_key is not None:
        return _settle(runtime, job, there, actor)
    if there and job.recall_app_id is None:
        return CreateResult(outcome=Creation.OFFERED, offered=there)
    key = creation_steps.keep_key(runtime, job)
    if key is None:  # somebody else was faster
        return creation_steps.stored(runtime, zoom_app_id)
    try:
        made = _post(job, key, pause)
    except UpstreamError as error:
        return _after_failure(runtime, job, key, error, actor)
    return creation_steps.store(
        runtime,
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
    """Take an app that Recall has already as this zoom app's; commits.

    Recall is given the client secret and the secret token stored here, so that both
    hold the same.

    Raises:
        NotFoundError: No such zoom app or workspace.
        ConflictError: It is another app's, of another kind, or another is stored.
        UpstreamError: Recall refused or did not answer; nothing was stored.
    """
    job = creation_steps.open_job(runtime, zoom_app_id, workspace_id)
    if job.recall_app_id == recall_app_id:
        return CreateResult(outcome=Creation.HERE_ALREADY, recall_app_id=recall_app_id)
    found = job.recall.get_app(recall_app_id)
    _require_same(job, found)
    creation_steps.send_secrets(job, recall_app_id)
    return creation_steps.store(
        runtime, job, found, outcome=Creation.ADOPTED, act="adopted", actor=actor
    )


def _look_up(job: Job) -> list[RecallApp]:
    """Return Recall's apps with this client ID, oldest first."""
    listed = job.recall.list_apps(client_id=job.client_id)
    # The filter is Recall's; should it ever be ignored, nothing foreign is adopted.
    mine = [one for one in listed if one.client_id == job.client_id]
    return sorted(mine, key=lambda one: one.created_at or _UNDATED)


def _post(job: Job, key: str, pause: Callable[[float], None]) -> RecallApp:
    """Create it; a lost answer or one in flight is asked for again, same key."""
    for pause_s in _PAUSES_S:
        try:
            return _try(job, key)
        except UpstreamError as error:
            if not error.may_have_happened and error.status != _IN_FLIGHT:
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
    """See what a failed creation left behind; raise the failure if it left nothing."""
    if error.status == _IS_THERE_PERHAPS:
        # Perhaps the refusal says that the client ID is there already.
        creation_steps.drop_key(runtime, job, key)
        there = _look_up(job)
        if there:
            return CreateResult(outcome=Creation.OFFERED, offered=there)
    elif error.status in _FINAL:
        creation_steps.drop_key(runtime, job, key)
    elif error.may_have_happened or error.status == _IN_FLIGHT:
        there = _look_up(job)
        if there:
            return _settle(runtime, job, there, actor)
    raise error


def _settle(
    runtime: Runtime, job: Job, there: Sequence[RecallApp], actor: Actor
) -> CreateResult:
    """Take what a lost answer made; with several, a person must choose.

    The secrets are sent again: they may have been changed here since.
    """
    if len(there) > 1:
        return CreateResult(outcome=Creation.OFFERED, offered=there)
    creation_steps.send_secrets(job, there[0].id)
    return creation_steps.store(
        runtime,
        job,
        there[0],
        outcome=Creation.SETTLED,
        act="created_in_recall",
        actor=actor,
    )


def _require_same(job: Job, found: RecallApp) -> None:
    if job.recall_app_id is not None:
        raise ConflictError(f"It has another Recall app already: {job.recall_app_id}.")
    if found.client_id != job.client_id:
        raise ConflictError("That app in Recall has another client ID.")
    if found.kind != job.kind:
        raise ConflictError(
            f"The app in Recall is {found.kind}, this zoom app {job.kind}. Recall "
            "cannot change that: delete the one there, or enter this one anew."
        )
