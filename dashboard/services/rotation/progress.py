"""How far a change of secrets is, in three lines: here, in Recall, at Zoom."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from dashboard.models.zoom_app import Routing, SecretChange, ZoomApp
from dashboard.services.recall_apps.secrets import PERHAPS
from dashboard.services.zoom_apps import secret_changes
from dashboard.services.zoom_apps.secret_changes import (
    FORMER_FIRST,
    IN_PROGRESS,
    LAST_CALL,
)

_GOOD, _WAITING, _TROUBLE, _OFF = "good", "waiting", "trouble", "off"
_NEXT = "Next: send to Recall"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One of the three.

    Attributes:
        key: "here", "recall" or "zoom".
        tone: "good", "waiting", "trouble" or "off".
        title: What was seen.
        detail: What follows, and who does what; may be empty.
        at: When it was seen.
        next_at: When it is tried again, or until when something holds.
    """

    key: str
    tone: str
    title: str
    detail: str = ""
    at: datetime | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Card:
    """A change under way, or a rotation that was announced.

    Attributes:
        title: Of the card.
        is_pending: Whether Recall has still to be given the secrets, and a person may.
        announced_until: Until when events signed with an unknown token are deferred;
            None when no rotation is announced.
    """

    title: str
    lines: tuple[Line, ...]
    is_pending: bool
    announced_until: datetime | None


def card(session: Session, zoom_app: ZoomApp, *, now: datetime) -> Card | None:
    """Return what is under way; None when nothing is."""
    until = zoom_app.rotation_until
    announced_until = until if until is not None and until > now else None
    change = secret_changes.latest(session, zoom_app.id)
    if change is None or change.ended_at is not None:
        if announced_until is None:
            return None
        return Card(
            title="Rotation started",
            lines=(_begun(announced_until),),
            is_pending=False,
            announced_until=announced_until,
        )
    lines = [_here(change), _recall(change, now)]
    if change.has_secret_token:
        lines.append(_zoom(session, zoom_app, change, now))
    return Card(
        title="Change of secrets",
        lines=tuple(lines),
        is_pending=change.recall_due_at is not None
        and not secret_changes.is_being_sent(change, now),
        announced_until=announced_until,
    )


def _begun(until: datetime) -> Line:
    return Line(
        key="zoom",
        tone=_WAITING,
        title="Regenerate the secret token in Zoom now",
        detail="Then enter it here. Until then, events signed with it are deferred: "
        "Zoom retries after 5, 25 and 85 minutes.",
        next_at=until,
    )


def _here(change: SecretChange) -> Line:
    named = [
        label
        for label, is_new in (
            ("client secret", change.has_client_secret),
            ("secret token", change.has_secret_token),
        )
        if is_new
    ]
    what = f"new {' and '.join(named)}" if named else "no new secrets"
    return Line(
        key="here",
        tone=_GOOD,
        title=f"Stored here: {what}",
        detail=f"By {change.asked_by}.",
        at=change.stored_at,
    )


def _recall(change: SecretChange, now: datetime) -> Line:
    due_at, why = change.recall_due_at, change.recall_error
    if due_at is None:
        if change.recall_at is not None:
            return Line(
                key="recall", tone=_GOOD, title="In Recall", at=change.recall_at
            )
        return Line(
            key="recall",
            tone=_OFF,
            title="Not in Recall",
            detail="This zoom app hasn't been created in Recall yet.",
        )
    tone, title, detail = _WAITING, _NEXT, ""
    if why in (FORMER_FIRST, LAST_CALL):
        detail = f"{why} Webhooks signed with the new one are queued."
    elif secret_changes.is_being_sent(change, now):
        title = "Being sent to Recall"
    elif why == IN_PROGRESS:
        title, detail = "Unknown whether Recall has it", PERHAPS
    elif why.startswith(PERHAPS):
        title, detail = "Unknown whether Recall has it", why
    elif why:
        tone, title, detail = _TROUBLE, "Recall still has the previous one", why
    return Line(key="recall", tone=tone, title=title, detail=detail, next_at=due_at)


def _zoom(
    session: Session, zoom_app: ZoomApp, change: SecretChange, now: datetime
) -> Line:
    until = change.previous_until
    if change.zoom_seen_at is not None:
        is_kept = until is not None and until > now
        return Line(
            key="zoom",
            tone=_GOOD,
            title="Zoom uses the new secret token",
            detail="" if is_kept else "The previous one is no longer accepted.",
            at=change.zoom_seen_at,
            next_at=until if is_kept else None,
        )
    if zoom_app.routing is Routing.DIRECT:
        return Line(
            key="zoom",
            tone=_OFF,
            title="Zoom sends webhooks directly to Recall",
            detail="Press Validate in Zoom. Recall's status turns valid if it matches.",
        )
    return _unseen(session, zoom_app, change)


def _unseen(session: Session, zoom_app: ZoomApp, change: SecretChange) -> Line:
    since = change.stored_at
    former_at = secret_changes.seen_with_former(session, zoom_app.id, since=since)
    neither_at = secret_changes.seen_with_neither(session, zoom_app.id, since=since)
    if neither_at is not None and (former_at is None or neither_at > former_at):
        return Line(
            key="zoom",
            tone=_TROUBLE,
            title="Requests are signed with neither secret token",
            detail="They are rejected. If they come from Zoom, the secret token "
            "entered here is wrong: copy it again from Zoom, Features, Access, same "
            "environment.",
            at=neither_at,
        )
    if former_at is not None:
        detail = "Regenerate it in Zoom, or enter the one that Zoom shows."
        if change.recall_at is not None:
            detail = (
                "Recall no longer accepts webhooks signed with it, so they are queued "
                f"here. {detail}"
            )
        return Line(
            key="zoom",
            tone=_WAITING if change.recall_at is None else _TROUBLE,
            title="Zoom still signs with the previous secret token",
            detail=detail,
            at=former_at,
        )
    return Line(
        key="zoom",
        tone=_WAITING,
        title="No request from Zoom since",
        detail="Press Validate in Zoom: its next signed request shows which secret "
        "token it uses. Both are accepted until then.",
    )
