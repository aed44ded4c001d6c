"""A user's own connections: for the browser that made them, or with a link.

A browser is recognized by the cookie its connect attempts began with; nothing else
identifies it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.errors import NotFoundError
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
from dashboard.services.token_states import rules


@dataclass(frozen=True, kw_only=True)
class ConnectionStatus:
    """The state of a connection, in words for its user.

    Attributes:
        tone: "good", "waiting", "trouble" or "off".
        sentence: The state.
        advice: What to do; "" when there is nothing to do.
        reconnects: Whether connecting again fixes it.
    """

    tone: str
    sentence: str
    advice: str = ""
    reconnects: bool = False


@dataclass(frozen=True, kw_only=True)
class OwnConnection:
    """One connection as its user sees it.

    Attributes:
        name: Of the person, or of the account where there is no person; maybe "".
        email: Masked unless the browser itself connected.
    """

    id: UUID
    name: str
    email: str
    pmi: int | None
    since: datetime
    renewed_at: datetime | None
    checked_at: datetime | None
    status: ConnectionStatus


def of_browser(
    session: Session, app: ZoomApp, *, browser: str | None
) -> Sequence[OwnConnection]:
    """Return what a browser connected with this zoom app, the newest first."""
    if not browser:
        return []
    # By the cookie's index alone: otherwise SQLite reads every attempt of the app.
    query = select(ConnectAttempt).where(
        col(ConnectAttempt.browser_hash) == hashed(browser)
    )
    attempts = [
        attempt
        for attempt in session.exec(
            query.order_by(col(ConnectAttempt.created_at).desc())
        )
        if attempt.zoom_app_id == app.id and attempt.outcome is AttemptOutcome.CONNECTED
    ]
    ids = [
        one
        for one in dict.fromkeys(attempt.connection_id for attempt in attempts)
        if one is not None
    ]
    found = [session.get(Connection, one) for one in ids]
    return [_own(row, is_masked=False) for row in found if row is not None]


def of_link(session: Session, invitation: Invitation) -> OwnConnection | None:
    """Return the connection that a reconnect link is to renew, masked."""
    row = (
        session.get(Connection, invitation.connection_id)
        if invitation.connection_id
        else None
    )
    return None if row is None else _own(row, is_masked=True)


def owned(
    session: Session, app: ZoomApp, connection_id: UUID, *, browser: str | None
) -> OwnConnection:
    """Return a connection that this browser made.

    Raises:
        NotFoundError: It made none of this id.
    """
    for own in of_browser(session, app, browser=browser):
        if own.id == connection_id:
            return own
    raise NotFoundError("connection of this browser")


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


def status_of(row: Connection) -> ConnectionStatus:
    """Return the state of a connection in words for its user. Pure."""
    if row.deauthorized_at is not None and row.token_state is not TokenState.HEALTHY:
        return ConnectionStatus(
            tone="off",
            sentence="You removed the app in Zoom.",
            advice="We no longer read anything. Connect again to restore it.",
            reconnects=True,
        )
    match row.token_state:
        case TokenState.HEALTHY | TokenState.EXPIRING:
            return ConnectionStatus(tone="good", sentence="Your connection works.")
        case TokenState.MISSING_SCOPES:
            names = ", ".join(missing(row)) or "one"
            return ConnectionStatus(
                tone="waiting",
                sentence="One permission is missing.",
                advice=f"Zoom did not grant {names}. Connect again and keep every box "
                "selected.",
                reconnects=True,
            )
        case TokenState.RECONNECT_NEEDED | TokenState.UNHEALTHY_IN_RECALL:
            return ConnectionStatus(
                tone="trouble",
                sentence="Your connection no longer works.",
                advice="Zoom no longer accepts the authorization. Connect again; your "
                "data is kept.",
                reconnects=True,
            )
        case TokenState.UNKNOWN:
            return ConnectionStatus(
                tone="off",
                sentence="We could not check your connection yet.",
                advice="You don't need to do anything. We'll try again automatically.",
            )


def missing(row: Connection) -> Sequence[str]:
    """Return the scopes that a connection lacks, as far as Zoom named them. Pure."""
    if row.token_state is not TokenState.MISSING_SCOPES:
        return []
    return rules.scopes_in(row.token_reason)


def _own(row: Connection, *, is_masked: bool) -> OwnConnection:
    email = masked_email(row.email) if is_masked and row.email else row.email
    return OwnConnection(
        id=row.id,
        name="" if is_masked else row.display_name,
        email=email,
        pmi=None if is_masked else row.pmi,
        since=row.connected_at,
        renewed_at=row.reconnected_at,
        checked_at=row.token_checked_at,
        status=status_of(row),
    )
