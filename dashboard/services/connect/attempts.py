"""Connect attempts as they ended: for their own browsers, and for staff."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update

from dashboard.db.statements import rows_changed
from dashboard.errors import NotFoundError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.invitations import states
from dashboard.services.runtime import Runtime

CONSENT_AGAIN = "An older connection was in the way and is removed; consent once more."


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a connect attempt ended, as its own browser may see it."""

    app: ZoomApp
    attempt: ConnectAttempt
    connection: Connection | None

    @property
    def must_consent_again(self) -> bool:
        """Whether Recall held an older credential that is out of the way now."""
        return self.attempt.detail == CONSENT_AGAIN


def result(
    session: Session, slug: str, attempt_id: UUID, *, browser: str | None
) -> Result:
    """Return how a connect attempt ended, to the browser that made it.

    Raises:
        NotFoundError: There is none of that page, or it is another browser's.
    """
    attempt = session.get(ConnectAttempt, attempt_id)
    if attempt is None or not is_bound(attempt, browser):
        raise NotFoundError("result")
    app = session.get_one(ZoomApp, attempt.zoom_app_id)
    if app.slug != slug:
        raise NotFoundError("result")
    connection = None
    if attempt.connection_id is not None:
        connection = session.get(Connection, attempt.connection_id)
    return Result(app=app, attempt=attempt, connection=connection)


def of_connection(session: Session, connection_id: UUID) -> Sequence[ConnectAttempt]:
    """Return the 20 newest attempts that made or renewed a connection."""
    query = (
        select(ConnectAttempt)
        .where(col(ConnectAttempt.connection_id) == connection_id)
        .order_by(col(ConnectAttempt.created_at).desc())
        .limit(20)
    )
    return session.exec(query).all()


def any_expired(session: Session, *, now: datetime) -> bool:
    """Whether some connect attempt should have come back by now."""
    query = select(ConnectAttempt.id).where(
        col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
        col(ConnectAttempt.expires_at) < now,
    )
    return session.exec(query).first() is not None


def expire(session: Session, *, now: datetime) -> int:
    """Give up the attempts that never came back; return how many. The caller commits.

    One that comes back after all is expired then, and says so.
    """
    ended = session.exec(
        update(ConnectAttempt)
        .where(
            col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
            col(ConnectAttempt.expires_at) < now,
        )
        .values(
            outcome=AttemptOutcome.ABANDONED,
            ended_at=now,
            code_verifier=None,
        )
    )
    return rows_changed(ended)


def is_bound(attempt: ConnectAttempt, browser: str | None) -> bool:
    """Whether the connect attempt began in the browser whose cookie holds `browser`."""
    given = hashed(browser or "")
    return bool(browser) and hmac.compare_digest(attempt.browser_hash, given)


def hashed(secret: str) -> str:
    """Return how a state or a cookie's value is stored: SHA-256, hex.

    Both are 32 random bytes, so nothing is won by trying values.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


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
    """Write down how an attempt ended and have its link follow; the caller commits.

    Args:
        session: Writing.
        attempt_id: The connect attempt.
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
    states.follow(session, attempt, now=now, tried_as=tried_as)


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


def note_expired(runtime: Runtime) -> int:
    """End the connect attempts that never came back: a chore of the worker; commits."""
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        if not any_expired(session, now=now):
            return 0
    with runtime.database.writing() as session:
        return expire(session, now=now)
