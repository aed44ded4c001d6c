"""Send the secrets stored here to Recall: one call at a time, failures recorded.

Recall replaces both secrets (docs/contracts/recall.md 3.4), so a call with a lost
answer is simply repeated.
"""

from datetime import datetime, timedelta
from uuid import UUID

from dashboard import db
from dashboard.errors import ConflictError, UpstreamError, VaultError
from dashboard.services import audit
from dashboard.services.audit import THE_DASHBOARD, Actor
from dashboard.services.recall_apps import creation
from dashboard.services.relay import circuit
from dashboard.services.runtime import Runtime
from dashboard.services.validation import schedule
from dashboard.services.zoom_apps import apps, credential_checks, secret_changes
from dashboard.services.zoom_apps.secret_changes import Failure

PERHAPS = "Recall may have received it. It will be sent again, which is safe."
"""Begins the reason when Recall's answer was lost."""

_PAIR_EVERY = timedelta(hours=1)
_NOTHING = "Nothing was changed"
_SOONEST = timedelta(seconds=2)
_LATEST = timedelta(minutes=5)
_A_PERSON_MUST_ACT = timedelta(minutes=1)
_LATEST_THEN = timedelta(hours=1)
_LONGEST_ASKED = timedelta(minutes=10)


def send_pair(runtime: Runtime, zoom_app_id: UUID) -> bool:
    """Send Recall the client secret alone, which Zoom has just accepted; commits.

    What Recall's failures to get tokens mean shows then. Nothing is sent beside a
    change under way, nor twice an hour. What cannot be sent is an admin's to see.

    Returns:
        Whether Recall took it.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        newest = secret_changes.latest(session, zoom_app_id)
    if newest is not None and (
        newest.ended_at is None or now - newest.stored_at < _PAIR_EVERY
    ):
        return False
    try:
        update_in_recall(runtime, zoom_app_id, actor=THE_DASHBOARD, is_pair_only=True)
    except (ConflictError, UpstreamError, VaultError):
        return False
    return True


def update_in_recall(
    runtime: Runtime, zoom_app_id: UUID, *, actor: Actor, is_pair_only: bool = False
) -> None:
    """Send Recall the client secret and secret token stored here; commits.

    The newest `SecretChange` records the result; `rotations.run_due` retries what
    failed.

    Args:
        runtime: All of them.
        zoom_app_id: Which.
        actor: Who asked for it.
        is_pair_only: Leave Recall's secret token as it is.

    Raises:
        NotFoundError: No such zoom app.
        ConflictError: It is not in Recall yet, or another call is running.
        UpstreamError: Recall refused or didn't answer; retried automatically.
        VaultError: A stored secret can't be opened; likewise.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        zoom_app = apps.get(session, zoom_app_id)
        workspace_id, recall_app_id = zoom_app.workspace_id, zoom_app.recall_app_id
        if workspace_id is None or recall_app_id is None:
            raise ConflictError("This Zoom app is not in Recall yet.")
        taken = secret_changes.claim(session, zoom_app, asked_by=actor.name, now=now)
    try:
        # Read after the claim: a secret stored later is another change.
        job = creation.open_job(runtime, zoom_app_id, workspace_id)
        creation.send_secrets(job, recall_app_id, is_pair_only=is_pair_only)
    except (UpstreamError, VaultError) as error:
        now = runtime.clock.now()
        with runtime.database.writing() as session:
            secret_changes.record_failure(
                session, taken, _failure(error, taken, now), now=now
            )
        raise
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        secret_changes.record_success(session, taken, now=now)
        credential_checks.trust_given(session, zoom_app_id, now=now)
        circuit.probe_now(session, zoom_app_id=zoom_app_id, now=now)
        circuit.make_due(session, zoom_app_id, now=now)
        schedule.make_due(session, zoom_app_id, now=now)
        db.announce(session.connection())
        audit.record(
            session,
            actor,
            "zoom_app.updated_in_recall",
            subject=f"{job.name}: {recall_app_id}",
            now=now,
        )


def _failure(
    error: UpstreamError | VaultError, taken: secret_changes.Claim, now: datetime
) -> Failure:
    waited = now - taken.stored_at
    if isinstance(error, VaultError):
        due_at = now + _wait(waited, _A_PERSON_MUST_ACT, _LATEST_THEN)
        return Failure(why=str(error), may_have_happened=False, due_at=due_at)
    if error.retryable or error.may_have_happened:
        wait = _wait(waited, _SOONEST, _LATEST)
    else:
        wait = _wait(waited, _A_PERSON_MUST_ACT, _LATEST_THEN)
    asked = timedelta(seconds=error.retry_after_s or 0)
    return Failure(
        why=_why(error),
        may_have_happened=error.may_have_happened,
        due_at=now + max(wait, min(asked, _LONGEST_ASKED)),
    )


def _wait(waited: timedelta, least: timedelta, most: timedelta) -> timedelta:
    """Return half of the time waited so far: waits grow, and survive a restart."""
    return min(max(waited / 2, least), most)


def _why(error: UpstreamError) -> str:
    if not error.may_have_happened:
        # "Nothing" alone would include what is stored here.
        return error.message().replace(_NOTHING, f"{_NOTHING} in Recall", 1)
    # The client's advice to look first is for calls that must not be repeated.
    said = str(error).partition(" It may have been carried out")[0]
    return f"{PERHAPS} {said}"
