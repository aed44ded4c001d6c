"""A user's own connection: for the browser that made it, or with a link.

A browser is recognized by the cookie its connect attempts began with; nothing else
identifies it. A link shows how its connection stands and ends nothing: staff see links
too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from uuid import UUID

from sqlmodel import Session, col, select, update

from dashboard.formatting import masked_email
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    TokenState,
)
from dashboard.models.invitation import Invitation
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect.attempts import hashed
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Cause, causes, standing
from dashboard.services.token_states import rules

REMEMBERED = timedelta(days=30)
"""How long a browser shows and ends the connection it made.

A month covers "I connected last week, how do I stop it"; later it is more often a
browser that somebody else uses. Connecting again proves the person at any time.
"""

_TOKEN_LASTS = timedelta(hours=1)
"""How long one of Zoom's access tokens works."""


@dataclass(frozen=True, kw_only=True)
class ConnectionStatus:
    """The state of a connection, in words for its user.

    Attributes:
        tone: "good", "waiting", "trouble" or "off".
        headline: The state as a title, for who has just come back from Zoom.
        sentence: The state.
        advice: What to do; "" when there is nothing to do.
        reconnects: Whether connecting again fixes it.
    """

    tone: str
    headline: str
    sentence: str
    advice: str = ""
    reconnects: bool = False


@dataclass(frozen=True, kw_only=True)
class OwnConnection:
    """One connection as its user sees it.

    Attributes:
        name: Of the person, or of the account where there is no person; maybe "".
        email: Masked: the next person with the browser may read it.
        invitation_id: The link that the browser connected through.
    """

    id: UUID
    name: str
    email: str
    since: datetime
    renewed_at: datetime | None
    checked_at: datetime | None
    status: ConnectionStatus
    invitation_id: UUID | None = None


def of_browser(
    session: Session, app: ZoomApp, *, browser: str | None, now: datetime
) -> OwnConnection | None:
    """Return what a browser connected last with this zoom app, while it is known."""
    if not browser:
        return None
    # By the cookie's index alone: otherwise SQLite reads every attempt of the app.
    query = select(ConnectAttempt).where(
        col(ConnectAttempt.browser_hash) == hashed(browser)
    )
    for attempt in session.exec(query.order_by(col(ConnectAttempt.created_at).desc())):
        is_ours = attempt.zoom_app_id == app.id
        if not is_ours or attempt.outcome is not AttemptOutcome.CONNECTED:
            continue
        row = session.get(Connection, attempt.connection_id)
        if row is None or attempt.created_at <= now - REMEMBERED:
            return None
        link = attempt.invitation_id
        return _own(session, row, name=row.display_name, invitation_id=link, now=now)
    return None


def of_link(
    session: Session, invitation: Invitation, *, now: datetime
) -> OwnConnection | None:
    """Return the connection that a reconnect link is to renew, without its name."""
    row = (
        session.get(Connection, invitation.connection_id)
        if invitation.connection_id
        else None
    )
    if row is None:
        return None
    return _own(session, row, name="", invitation_id=invitation.id, now=now)


def has_connected(session: Session, browser: str) -> bool:
    """Whether a connection was made with this cookie, by whichever app."""
    query = select(ConnectAttempt.id).where(
        col(ConnectAttempt.browser_hash) == hashed(browser),
        col(ConnectAttempt.outcome) == AttemptOutcome.CONNECTED,
    )
    return session.exec(query.limit(1)).first() is not None


def forget(session: Session, browser: str) -> None:
    """Forget a browser: a copy of its cookie proves nothing; the caller commits.

    An attempt under way is kept, or its user could not come back from Zoom.
    """
    session.exec(
        update(ConnectAttempt)
        .where(
            col(ConnectAttempt.browser_hash) == hashed(browser),
            col(ConnectAttempt.outcome) != AttemptOutcome.OPEN,
        )
        .values(browser_hash=token_hex(32))
    )


def last_attempt(
    session: Session, app: ZoomApp, *, browser: str | None
) -> ConnectAttempt | None:
    """Return the newest connect attempt of a browser if it has not come back."""
    if not browser:
        return None
    query = select(ConnectAttempt).where(
        col(ConnectAttempt.browser_hash) == hashed(browser)
    )
    query = query.order_by(col(ConnectAttempt.created_at).desc()).limit(1)
    attempt = session.exec(query).first()
    away = {AttemptOutcome.OPEN, AttemptOutcome.ABANDONED}
    is_away = (
        attempt is not None
        and attempt.zoom_app_id == app.id
        and attempt.outcome in away
    )
    return attempt if is_away else None


_NOT_THEIRS = {
    Who.ADMIN: ConnectionStatus(
        tone="off",
        headline="You approved access at Zoom",
        sentence="Your connection can't be used right now.",
        advice="The problem is on our side. You don't need to do anything.",
    ),
    Who.YOU: ConnectionStatus(
        tone="waiting",
        headline="Your connection had errors",
        sentence="Your connection had errors.",
        advice="We'll try it again. Connect again to fix it now; your data is kept.",
        reconnects=True,
    ),
}
"""What staff must do first."""


def status_of(
    row: Connection, cause: Cause | None = None, *, now: datetime
) -> ConnectionStatus:
    """Return how a connection stands in words for its user. Pure.

    Args:
        row: The connection.
        cause: What is wrong with its zoom app.
        now: Aware.
    """
    if row.deauthorized_at is not None and row.token_state is not TokenState.HEALTHY:
        return ConnectionStatus(
            tone="off",
            headline="You removed the app in Zoom",
            sentence="You removed the app in Zoom.",
            advice="We no longer read anything. Connect again to restore it.",
            reconnects=True,
        )
    who = standing(row, cause, now=now).who
    if who in _NOT_THEIRS:
        return _NOT_THEIRS[who]
    match row.token_state:
        case TokenState.HEALTHY | TokenState.EXPIRING:
            return _works(row, now)
        case TokenState.MISSING_SCOPES:
            names = ", ".join(missing(row)) or "one"
            return ConnectionStatus(
                tone="waiting",
                headline="One permission is missing",
                sentence="One permission is missing.",
                advice=f"Zoom did not grant {names}. Connect again and keep every box "
                "selected.",
                reconnects=True,
            )
        case TokenState.RECONNECT_NEEDED | TokenState.UNHEALTHY_IN_RECALL:
            return ConnectionStatus(
                tone="trouble",
                headline="Your connection does not work",
                sentence="Your connection no longer works.",
                advice="Connect again; your data is kept.",
                reconnects=True,
            )
        case TokenState.UNKNOWN:
            return ConnectionStatus(
                tone="off",
                headline="You approved access at Zoom",
                sentence="We could not check your connection yet.",
                advice="You don't need to do anything. We'll try again.",
            )


def missing(row: Connection) -> Sequence[str]:
    """Return the scopes that a connection lacks, as far as Zoom named them. Pure."""
    if row.token_state is not TokenState.MISSING_SCOPES:
        return []
    return rules.scopes_in(row.token_reason)


def _works(row: Connection, now: datetime) -> ConnectionStatus:
    """Say that it works only as long as the token that was seen to work lasts."""
    seen_at = row.token_checked_at
    ends_at = row.token_expires_at or (seen_at and seen_at + _TOKEN_LASTS)
    if ends_at is None or now >= ends_at:
        return ConnectionStatus(
            tone="off",
            headline="You connected your Zoom account",
            sentence="Your connection worked when we last checked.",
            advice="You don't need to do anything. We'll check it again.",
        )
    return ConnectionStatus(
        tone="good", headline="You are connected", sentence="Your connection works."
    )


def _own(
    session: Session,
    row: Connection,
    *,
    name: str,
    invitation_id: UUID | None,
    now: datetime,
) -> OwnConnection:
    cause = causes(session, now=now).get(row.zoom_app_id)
    return OwnConnection(
        id=row.id,
        name=name,
        email=masked_email(row.email) if row.email else "",
        since=row.connected_at,
        renewed_at=row.reconnected_at,
        checked_at=row.token_checked_at,
        status=status_of(row, cause, now=now),
        invitation_id=invitation_id,
    )
