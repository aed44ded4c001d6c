"""Rotating a zoom app's secrets: storing them here, then sending them to Recall.

A change can fail half-way: what is stored here stays queued for Recall
(`SecretChange`), and `run_due` goes on with it. docs/rotation.md has the whole order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dashboard.db import Database
from dashboard.errors import ConflictError, UpstreamError, VaultError
from dashboard.models.zoom_app import Routing, SecretChange
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall_apps.secrets import update_in_recall
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks, secret_changes
from dashboard.services.zoom_apps.apps import ZoomAppChanges
from dashboard.services.zoom_apps.credential_checks import SavedZoomApp
from dashboard.services.zoom_apps.secret_changes import (
    FORMER_FIRST,
    LAST_CALL,
    WINDOW,
    FormerWebhooks,
    latest,
)
from dashboard.vault import Vault

KEPT = timedelta(minutes=95)
"""How long the former secret token is accepted after Zoom was seen using the new one.

Zoom's last retry of an older event comes 85 minutes after the event and may keep its
signature (docs/contracts/zoom.md 5.4 and 5.6, checked 2026-11-23)."""

_LOOKS = 50
_PAUSE_S = 0.1
_NOT_THERE_YET = timedelta(seconds=5)
_A_LAST_TRY = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What came of an act.

    Attributes:
        saved: What was stored here.
        change: How far it has come; None when no secret was entered.
    """

    saved: SavedZoomApp
    change: SecretChange | None

    @property
    def is_pending(self) -> bool:
        """Whether it is stored here only and still queued for Recall."""
        return self.change is not None and self.change.recall_due_at is not None

    @property
    def is_in_recall(self) -> bool:
        """Whether Recall has it as well."""
        return (
            self.change is not None
            and self.change.recall_at is not None
            and not self.is_pending
        )

    @property
    def why(self) -> str:
        """Why Recall does not have it; "" where there is nothing to say."""
        return self.change.recall_error if self.change is not None else ""


def change(
    runtime: Runtime,
    zoom_app_id: UUID,
    changes: ZoomAppChanges,
    *,
    actor: Actor,
    pause: Callable[[float], None] | None = None,
) -> Changed:
    """Store changes here, then give new secrets to Recall; commits after each half.

    Waits up to five seconds while webhooks signed with the former secret token are on
    their way to Recall, which takes them only until it has the new one; then leaves the
    rest to `run_due`. A failure of Recall is no error here: the result says so.

    Args:
        runtime: All of them.
        zoom_app_id: Which.
        changes: What a person typed.
        actor: For the audit log.
        pause: Waits so many seconds; the clock does if it is not given.

    Raises:
        InvalidInputError: A value cannot be taken; nothing was stored.
        WrongCredentialsError: Zoom refuses the pair; nothing was stored.
        NotFoundError: There is no such zoom app.
    """
    saved = credential_checks.change(runtime, zoom_app_id, changes, actor=actor)
    if not saved.has_new_secrets:
        return Changed(saved=saved, change=None)
    for _ in range(_LOOKS):
        owed = _pending(runtime.database, zoom_app_id)
        if owed is None or _send(runtime, owed, actor=actor):
            break
        (pause or runtime.clock.sleep)(_PAUSE_S)
    with runtime.database.reading() as session:
        return Changed(saved=saved, change=latest(session, zoom_app_id))


def announce(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> datetime:
    """Say that the secret token is about to be regenerated in Zoom; commits.

    Zoom signs with the new one at once, and it can be entered here only afterwards.
    Until then, or for half an hour, what no secret token here has signed is answered
    503, so that Zoom tries again, instead of 401, after which it never does
    (docs/contracts/zoom.md 5.6, checked 2026-11-23).

    Returns:
        Until when.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        zoom_app = apps.lock(session, zoom_app_id)
        zoom_app.rotation_until = until = now + WINDOW
        zoom_app.version += 1
        session.add(zoom_app)
        subject = f"{zoom_app.name} ({zoom_app.environment.value}) {zoom_app.id}"
        audit.record(
            session, actor, "zoom_app.rotation_begun", subject=subject, now=now
        )
    return until


def run_due(runtime: Runtime) -> int:
    """Go a step on with every change under way; commits. For the worker's chores.

    Many workers may do this at once. At most one call to Recall each time, which
    yields to people's.

    Returns:
        How many changes went on.
    """
    with runtime.database.reading() as session:
        open_ones = secret_changes.under_way(session)
    now, quiet = runtime.clock.now(), runtime.in_background()
    done, has_called = 0, False
    for each in open_ones:
        if each.recall_due_at is not None and not has_called:
            has_called = _send(quiet, each, actor=audit.THE_DASHBOARD)
            done += has_called
        if each.has_secret_token:
            done += _watch_zoom(runtime, each, now)
    return done


def _pending(database: Database, zoom_app_id: UUID) -> SecretChange | None:
    with database.reading() as session:
        newest = latest(session, zoom_app_id)
    return newest if newest is not None and newest.recall_due_at is not None else None


def _send(runtime: Runtime, owed: SecretChange, *, actor: Actor) -> bool:
    """Give Recall what it is owed, unless others go first; return whether it was tried.

    What comes of it is in the row.
    """
    now = runtime.clock.now()
    if owed.recall_due_at is None or owed.recall_due_at > now:
        return False
    if not _is_next(runtime, owed, now):
        return False
    try:
        update_in_recall(runtime, owed.zoom_app_id, actor=actor)
    except (UpstreamError, VaultError):
        pass
    except ConflictError:
        return False  # another worker does it
    return True


def _is_next(runtime: Runtime, owed: SecretChange, now: datetime) -> bool:
    """Whether nothing stands before the call; else what does is written down.

    Commits.
    """
    if owed.has_secret_token and owed.recall_at is None:
        _correct_verdicts(runtime.database, runtime.vault, owed)
    with runtime.database.writing() as session:
        zoom_app = apps.lock(session, owed.zoom_app_id)
        if zoom_app.recall_app_id is None:
            # Its creation began before the change, and is not settled yet.
            is_coming = zoom_app.create_key is not None
            due_at = now + _NOT_THERE_YET if is_coming else None
            is_over = due_at is None and not owed.has_secret_token
            ended_at = now if is_over else None
            secret_changes.update_if_unchanged(
                session, owed, recall_due_at=due_at, ended_at=ended_at
            )
            return False
        match secret_changes.former_webhooks(session, zoom_app, owed):
            case FormerWebhooks.FIRST:
                if owed.recall_error != FORMER_FIRST:
                    secret_changes.update_if_unchanged(
                        session, owed, recall_error=FORMER_FIRST
                    )
                return False
            case FormerWebhooks.ONCE_MORE if owed.recall_error != LAST_CALL:
                secret_changes.make_former_due(session, zoom_app, owed, now=now)
                secret_changes.update_if_unchanged(
                    session,
                    owed,
                    recall_error=LAST_CALL,
                    recall_due_at=now + _A_LAST_TRY,
                )
                return False
        return True


def _correct_verdicts(database: Database, vault: Vault, change: SecretChange) -> None:
    """Correct verdicts written while not every process knew of the change; commits."""
    with database.reading() as session:
        zoom_app = apps.get(session, change.zoom_app_id)
        wrong = secret_changes.with_wrong_verdict(session, vault, zoom_app, change)
    if wrong:
        with database.writing() as session:
            secret_changes.correct_verdicts(session, wrong)


def _watch_zoom(runtime: Runtime, change: SecretChange, now: datetime) -> bool:
    """See whether Zoom uses the new secret token, and end what is done; commits."""
    if change.zoom_seen_at is None:
        _correct_verdicts(runtime.database, runtime.vault, change)
        with runtime.database.reading() as session:
            zoom_app = apps.get(session, change.zoom_app_id)
            is_direct = zoom_app.routing is Routing.DIRECT
            seen_at = secret_changes.seen_with_current(
                session, runtime.vault, zoom_app, since=change.stored_at
            )
        if seen_at is not None:
            return _record_zoom_seen(runtime.database, change, seen_at)
        # Zoom posts to Recall then, and is not seen here.
        kept_until = change.stored_at + KEPT if is_direct else None
    else:
        kept_until = change.previous_until
    if kept_until is None or kept_until > now:
        return False
    return _end(runtime.database, change, kept_until, now)


def _record_zoom_seen(
    database: Database, change: SecretChange, seen_at: datetime
) -> bool:
    """Commits."""
    with database.writing() as session:
        zoom_app = apps.lock(session, change.zoom_app_id)
        newest = latest(session, change.zoom_app_id)
        if newest is None or newest.id != change.id or newest.zoom_seen_at is not None:
            return False
        newest.zoom_seen_at, newest.previous_until = seen_at, seen_at + KEPT
        until = zoom_app.rotation_until
        if until is not None and until <= newest.stored_at + WINDOW:
            zoom_app.rotation_until = None  # unless the next rotation is announced
        zoom_app.version += 1
        session.add(newest)
        session.add(zoom_app)
        return True


def _end(
    database: Database, change: SecretChange, kept_until: datetime, now: datetime
) -> bool:
    """Drop the former secret token, and end the change unless Recall is owed it.

    Commits.
    """
    with database.writing() as session:
        zoom_app = apps.lock(session, change.zoom_app_id)
        newest = latest(session, change.zoom_app_id)
        if newest is None or newest.id != change.id or newest.ended_at is not None:
            return False
        if zoom_app.previous_secret_token is not None:
            last = secret_changes.seen_with_former(
                session, zoom_app.id, since=kept_until - KEPT
            )
            if last is not None and last + KEPT > now:
                # As long as Zoom signs with it, it is not refused.
                newest.previous_until = last + KEPT
                session.add(newest)
                return False
            zoom_app.previous_secret_token = None
            zoom_app.version += 1
            session.add(zoom_app)
        elif newest.recall_due_at is not None:
            return False
        if newest.recall_due_at is None:
            newest.ended_at = now
            session.add(newest)
        return True
