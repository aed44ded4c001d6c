"""How a trip to Zoom ends: the attempt, the link it began from, the audit log.

In one transaction, so that a link is spent exactly when its connection is made.
"""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.services import audit, invitation_states


def end(  # noqa: PLR0913 - the facts of one ending, all named
    session: Session,
    attempt_id: UUID,
    outcome: AttemptOutcome,
    *,
    detail: str = "",
    connection: Connection | None = None,
    tried_as: str = "",
    now: datetime,
) -> None:
    """Write down how a trip ended and have its link follow; the caller commits.

    Args:
        session: Writing.
        attempt_id: The trip.
        outcome: How it ended.
        detail: What Zoom or Recall said, redacted.
        connection: What it made or renewed.
        tried_as: Who came in place of whom a link was for, masked.
        now: Aware.
    """
    attempt = session.get_one(ConnectAttempt, attempt_id)
    attempt.outcome, attempt.detail, attempt.ended_at = outcome, detail[:500], now
    attempt.connection_id = None if connection is None else connection.id
    session.add(attempt)
    invitation_states.follow(session, attempt, now=now, tried_as=tried_as)


def note_connected(
    session: Session, connection: Connection, name: str, *, is_new: bool, now: datetime
) -> None:
    """Add the audit entry of a connection made or renewed; the caller commits.

    Args:
        session: Writing.
        connection: Which.
        name: Of its zoom app.
        is_new: Made, not renewed.
        now: Aware.
    """
    act = "connection.created" if is_new else "connection.reconnected"
    subject = f"connection {connection.id} of {name}"
    audit.record(session, audit.a_user(""), act, subject=subject, now=now)
