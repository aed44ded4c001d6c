"""What a page may promise about a connection, from everything its row says. Pure.

A good token state alone promises nothing: it may be old, the host's setting may forbid
recording, or the zoom app may be out of Recall.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.models.connection import Connection, TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.zoom_apps import apps

FRESH = timedelta(days=1)
"""How old a health check may be and still say what is so now."""

_SKEW = timedelta(minutes=1)
"""How far the clocks of two of our hosts may be apart."""

_STATES = {
    TokenState.EXPIRING: "the token had not been renewed when it was last checked",
    TokenState.MISSING_SCOPES: "required scopes are missing",
    TokenState.RECONNECT_NEEDED: "the user must reconnect",
    TokenState.UNHEALTHY_IN_RECALL: "Recall reports the credential as unhealthy",
    TokenState.UNKNOWN: "it is not known whether the token works",
}


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Whether a bot can be expected to get a token.

    Attributes:
        why_not: Why not, as half a sentence; "" if it can.
        is_fresh: Whether the last health check is recent.
        is_renewed: Whether it is known that the token is being renewed.
    """

    why_not: str
    is_fresh: bool
    is_renewed: bool

    @property
    def is_good(self) -> bool:
        """Whether nothing that is known speaks against it."""
        return not self.why_not


def outlook(row: Connection, app: ZoomApp, *, now: datetime) -> Outlook:
    """Return what can be expected of a connection.

    Args:
        row: The connection.
        app: Its zoom app.
        now: Aware.
    """
    is_fresh = is_checked_recently(row, now=now)
    why_not = _about_app(app) or _about_row(row, is_fresh=is_fresh)
    if not why_not and has_ended(row, now=now):
        why_not = "the token that was seen has ended and was not checked since"
    expires_at = row.token_expires_at
    is_renewed = not why_not and expires_at is not None and expires_at > now
    return Outlook(why_not=why_not, is_fresh=is_fresh, is_renewed=is_renewed)


def is_checked_recently(row: Connection, *, now: datetime) -> bool:
    """Whether it was checked within a day; a time ahead of our clock proves nothing."""
    checked_at = row.token_checked_at
    return checked_at is not None and -_SKEW <= now - checked_at <= FRESH


def has_ended(row: Connection, *, now: datetime) -> bool:
    """Whether the token that was seen to work has ended, so no one knows more."""
    ends_at = row.token_expires_at
    is_healthy = row.token_state is TokenState.HEALTHY
    return is_healthy and ends_at is not None and ends_at <= now


def outdated(row: Connection, now: datetime) -> str:
    """Return what to say instead of "Healthy"; "" where that, or another state, is so.

    Args:
        row: The connection.
        now: Aware.
    """
    if row.token_state is not TokenState.HEALTHY:
        return ""
    if not is_checked_recently(row, now=now):
        return "Last seen healthy"
    ends_at = row.token_expires_at
    if ends_at is None or ends_at > now:
        return ""
    return f"Worked until {ends_at:{_format(ends_at, now)}} UTC"


def _format(at: datetime, now: datetime) -> str:
    return "%H:%M" if at.date() == now.date() else "%Y-%m-%d %H:%M"


def _about_app(app: ZoomApp) -> str:
    if app.retired_at is not None:
        return "the zoom app is retired"
    if app.recall_app_id is None:
        return "the zoom app is not in Recall"
    if app.verdict is Verdict.WRONG:
        return "Zoom rejects the app's client ID and client secret"
    return "Zoom has switched the app off" if apps.is_switched_off(app) else ""


def _about_row(row: Connection, *, is_fresh: bool) -> str:
    if row.token_state is not TokenState.HEALTHY:
        return _STATES[row.token_state]
    if row.recall_credential_id is None:
        return "Recall has no credential of this user"
    if row.deauthorized_at is not None:
        return "Zoom reported that the user removed the app"
    if row.recording_block:
        return "a Zoom setting stops bots from recording"
    return "" if is_fresh else "the token was not checked in the last 24 hours"
