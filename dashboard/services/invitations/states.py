"""How far a link made for one person has come, and what moves it on."""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, delete, select, update

from dashboard.db.statements import rows_changed
from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.runtime import Runtime

USABLE = frozenset(
    {
        InvitationState.MADE,
        InvitationState.OPENED,
        InvitationState.DECLINED,
        InvitationState.WRONG_ACCOUNT,
    }
)
"""States from which a link still leads to Zoom, until it expires."""

_FOLLOWS = {
    AttemptOutcome.CONNECTED: InvitationState.DONE,
    AttemptOutcome.DECLINED: InvitationState.DECLINED,
    AttemptOutcome.WRONG_ACCOUNT: InvitationState.WRONG_ACCOUNT,
}


def find(session: Session, app: ZoomApp, secret: str) -> Invitation:
    """Return the link with this secret, whatever its state.

    Raises:
        NotFoundError: There is none of this zoom app.
    """
    query = select(Invitation).where(col(Invitation.token_hash) == hashed(secret))
    found = session.exec(query).first()
    if found is None or found.zoom_app_id != app.id:
        raise NotFoundError("link")
    return found


def get(session: Session, invitation_id: UUID) -> Invitation:
    """Return the link.

    Raises:
        NotFoundError: There is none.
    """
    found = session.get(Invitation, invitation_id)
    if found is None:
        raise NotFoundError("invitation")
    return found


def state_of(invitation: Invitation, *, now: datetime) -> InvitationState:
    """Return its state, expired on the minute though no chore has noted it yet."""
    if invitation.state in USABLE and now >= invitation.expires_at:
        return InvitationState.EXPIRED
    return invitation.state


def is_usable(invitation: Invitation, *, now: datetime) -> bool:
    """Whether it still leads to Zoom."""
    return state_of(invitation, now=now) in USABLE


def opened(session: Session, invitation_id: UUID, *, now: datetime) -> None:
    """Note that it was opened for the first time; the caller commits."""
    session.exec(
        update(Invitation)
        .where(
            col(Invitation.id) == invitation_id,
            col(Invitation.state) == InvitationState.MADE,
        )
        .values(state=InvitationState.OPENED, opened_at=now)
    )


def revoke(
    session: Session, invitation_id: UUID, *, actor: Actor, now: datetime
) -> Invitation:
    """Take a link back; the caller commits.

    Raises:
        NotFoundError: There is none.
        ConflictError: It is used up, expired or revoked already.
    """
    invitation = get(session, invitation_id)
    if not is_usable(invitation, now=now):
        word = state_of(invitation, now=now).value
        raise ConflictError(f"This link is {word} already; nothing was changed.")
    invitation.state, invitation.ended_at = InvitationState.REVOKED, now
    session.add(invitation)
    subject = f"link {invitation.id}"
    audit.record(session, actor, "invitation.revoked", subject=subject, now=now)
    return invitation


def closed(
    session: Session, attempt: ConnectAttempt, now: datetime
) -> tuple[AttemptOutcome, str] | None:
    """Return how an attempt ends if its link was closed meanwhile."""
    if attempt.invitation_id is None:
        return None
    invitation = session.get(Invitation, attempt.invitation_id)
    if invitation is None:
        return AttemptOutcome.EXPIRED, "The link it began from was taken back."
    word = state_of(invitation, now=now)
    if word in USABLE or word is InvitationState.DONE:
        return None  # of a used one `refusal` tells whether it is the same person
    return AttemptOutcome.EXPIRED, f"The link it began from is {word.value}."


def follow(
    session: Session, attempt: ConnectAttempt, *, now: datetime, tried_as: str = ""
) -> None:
    """Have a link follow how a connect attempt from it ended; the caller commits.

    Args:
        session: Writing.
        attempt: As it ended, with its connection if there is one.
        now: Aware.
        tried_as: The account that came instead, masked.
    """
    state = _FOLLOWS.get(attempt.outcome)
    if state is None or attempt.invitation_id is None:
        return
    invitation = session.get(Invitation, attempt.invitation_id)
    if invitation is None or invitation.state not in USABLE:
        return
    invitation.state = state
    if state is InvitationState.WRONG_ACCOUNT:
        invitation.tried_as = tried_as
    if state is InvitationState.DONE:
        invitation.connection_id, invitation.ended_at = attempt.connection_id, now
        connection = session.get(Connection, attempt.connection_id)
        if connection is not None:  # what it was used by is who may finish it twice
            invitation.zoom_user_id = connection.zoom_user_id
    session.add(invitation)


def forget(session: Session, connection: Connection) -> None:
    """Delete the links of a connection that is deleted; the caller commits.

    They name its user.
    """
    session.exec(
        delete(Invitation).where(col(Invitation.connection_id) == connection.id)
    )


def expire(session: Session, *, now: datetime) -> int:
    """Note those that ran out; return how many. The caller commits."""
    done = session.exec(
        update(Invitation)
        .where(col(Invitation.state).in_(USABLE), col(Invitation.expires_at) <= now)
        .values(state=InvitationState.EXPIRED, ended_at=now)
    )
    return rows_changed(done)


def note_expired(runtime: Runtime) -> int:
    """Note those that ran out: the worker's chore; commits. Return how many."""
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        if not any_overdue(session, now=now):
            return 0
    with runtime.database.writing() as session:
        return expire(session, now=now)


def any_overdue(session: Session, *, now: datetime) -> bool:
    """Whether some link ran out and is not noted yet."""
    query = select(Invitation.id).where(
        col(Invitation.state).in_(USABLE), col(Invitation.expires_at) <= now
    )
    return session.exec(query.limit(1)).first() is not None


def lock(session: Session, invitation_id: UUID | None) -> None:
    """Keep a link as it is until the caller commits: of two people one is refused."""
    query = select(Invitation.id).where(col(Invitation.id) == invitation_id)
    session.exec(query.with_for_update()).first()


def hashed(secret: str) -> str:
    """Return how the secret of a link is stored: SHA-256, hex, of 32 random bytes."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
