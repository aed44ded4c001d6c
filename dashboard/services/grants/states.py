"""What a refresh of a held grant tells of its connection's state.

The refresh token is the grant: a living access token beside a dead refresh token is no
healthy connection. Source: docs/contracts/zoom.md 3.3 and 3.5; checked 2026-11-25.
"""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.clients.zoom.grants import GrantTokens
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.services.grants.refresh_claims import Claim

LOST = (
    "Zoom refuses to renew this grant: the user removed the app, authorised it "
    "elsewhere, or left it unused for 90 days. The user must reconnect."
)
_LOST_ANSWER = (
    "Zoom refuses to renew this grant. The dashboard had asked at {at} UTC and never "
    "got Zoom's answer, which may have held the only living token. The user must "
    "reconnect."
)

_SAVED = (
    "Zoom's answer to an earlier refresh came late and saved the grant; it is being "
    "checked now."
)
_SAVED_BY = "Zoom's answer to a refresh: a new pair of tokens."


def lost(
    session: Session, claim: Claim, error: UpstreamError, *, now: datetime
) -> None:
    """Say of the connection that its user must reconnect; the caller commits.

    A look under way saw the grant before this and will change nothing.
    """
    row = session.get(Connection, claim.connection_id, with_for_update=True)
    if row is None:
        return
    reason = LOST
    if claim.asked_before is not None:
        reason = _LOST_ANSWER.format(at=f"{claim.asked_before:%Y-%m-%d %H:%M:%S}")
    row.token_state, row.token_reason = TokenState.RECONNECT_NEEDED, reason
    said = error.detail or str(error)
    row.token_evidence = f"Zoom's answer to a refresh: {said}"[:300]
    row.token_checked_at = row.due_at = now
    row.lease_until = None
    row.claim += 1
    session.add(row)


def renewed(
    session: Session,
    connection_id: UUID,
    tokens: GrantTokens,
    *,
    was_lost: bool,
    now: datetime,
) -> None:
    """Note of the connection what its new tokens tell; the caller commits.

    Args:
        session: Writing.
        connection_id: Whose.
        tokens: As Zoom gave them.
        was_lost: Whether the grant was thought lost until a late answer came.
        now: Aware.
    """
    row = session.get(Connection, connection_id, with_for_update=True)
    if row is None:
        return
    if tokens.scope:
        row.scopes = tokens.scope[:4000]
    if was_lost:
        row.token_state = TokenState.UNKNOWN
        row.token_reason, row.token_evidence = _SAVED, _SAVED_BY
        row.lease_until, row.due_at = None, now
        row.claim += 1
    session.add(row)
