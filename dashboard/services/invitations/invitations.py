"""Links made for one person: making them, and who may use them.

The secret of a link is in its address alone; its hash is stored. Opening spends
nothing: mail scanners open links too. A finished connection spends it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.formatting import masked_email, masked_id
from dashboard.models.connection import Connection
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.invitations.states import USABLE, hashed

LASTS_DAYS = 14
LONGEST_DAYS = 365


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Whom a link is for.

    Attributes:
        email: Binds the link to the Zoom account of this e-mail; "" binds to nobody.
        user_ref: Your own id of the user.
    """

    email: str = ""
    user_ref: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A link just made: the only time that its secret is known.

    Attributes:
        secret: Of its address, 32 random bytes as URL-safe text.
    """

    invitation: Invitation
    secret: str


def make(  # noqa: PLR0913 - the facts of one link, all named
    session: Session,
    app: ZoomApp,
    wanted: Sequence[Wanted],
    *,
    days: int = LASTS_DAYS,
    batch: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Sequence[Made]:
    """Make a link for each; the caller commits.

    Args:
        session: Writing.
        app: Whose connect page it leads to.
        wanted: For whom, already checked (services/invitations/csv_import.py).
        days: How long they can be used.
        batch: Of the form that asks: a form sent twice makes its links once.
        actor: Who makes them.
        now: Aware.

    Raises:
        ConflictError: The zoom app is retired, or the form was sent before.
        InvalidInputError: `days` is out of range.
    """
    if app.retired_at is not None:
        raise ConflictError(f"{app.name} is retired and takes no new connections.")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInputError(
            f"A link lasts 1 to {LONGEST_DAYS} days.", field="expires_days"
        )
    made = [
        _new(
            app,
            one,
            invitation_id=uuid5(batch, str(place)) if batch else uuid4(),
            actor=actor,
            now=now,
            days=days,
        )
        for place, one in enumerate(wanted)
    ]
    session.add_all([one.invitation for one in made])
    _flush(session)
    number = "1 link" if len(made) == 1 else f"{len(made):,} links"
    subject = f"{number} of {app.name}"
    audit.record(session, actor, "invitation.made", subject=subject, now=now)
    return made


def reconnect_link(
    session: Session,
    connection: Connection,
    *,
    actor: Actor,
    now: datetime,
) -> Made:
    """Make the link that renews a connection, and nobody else's; the caller commits.

    Those made before and not used are revoked.

    Raises:
        ConflictError: The zoom app is retired.
    """
    app = session.get_one(ZoomApp, connection.zoom_app_id)
    if app.retired_at is not None:
        raise ConflictError(f"{app.name} is retired and takes no new connections.")
    older = select(Invitation).where(
        col(Invitation.connection_id) == connection.id,
        col(Invitation.state).in_(USABLE),
    )
    for one in session.exec(older).all():
        one.state, one.ended_at = InvitationState.REVOKED, now
        session.add(one)
    made = _new(
        app,
        Wanted(email=connection.email),
        invitation_id=uuid4(),
        actor=actor,
        now=now,
        days=LASTS_DAYS,
    )
    made.invitation.connection_id = connection.id
    made.invitation.zoom_user_id = connection.zoom_user_id
    session.add(made.invitation)
    _flush(session)
    subject = f"connection {connection.id} of {app.name}"
    audit.record(session, actor, "connection.link_made", subject=subject, now=now)
    return made


def refusal(
    session: Session,
    invitation_id: UUID | None,
    *,
    zoom_user_id: str | None,
    email: str | None,
    zoom_account_id: str | None = None,
) -> str | None:
    """Return why a Zoom account may not use a link, in words for its holder.

    None when it may, and when there is no link. Ids come before e-mails: an e-mail may
    have changed since.

    Args:
        session: Reading or writing.
        invitation_id: The connect attempt's.
        zoom_user_id: Of the account that came.
        email: Of its profile at Zoom; compared without case.
        zoom_account_id: Compared for the link of an account_level connection.
    """
    if invitation_id is None:
        return None
    invitation = session.get(Invitation, invitation_id)
    if invitation is None:
        return "This link was taken back."
    expected = _expected(session, invitation)
    if invitation.zoom_user_id is not None:
        fits = zoom_user_id == invitation.zoom_user_id
    elif expected.account_id is not None:
        fits = zoom_account_id == expected.account_id
    elif invitation.email:
        fits = (email or "").strip().lower() == invitation.email.lower()
    else:
        fits = True
    if not fits:
        return f"This link is for {expected.words}."
    if invitation.state is InvitationState.DONE and not expected.is_known:
        return "This link was used already, and it works once."
    return None


def needs_email(session: Session, invitation_id: UUID | None) -> bool:
    """Whether only a profile's e-mail can tell if an account may use a link."""
    invitation = session.get(Invitation, invitation_id) if invitation_id else None
    if invitation is None or invitation.zoom_user_id is not None:
        return False
    return bool(invitation.email) and _expected(session, invitation).account_id is None


def expected(session: Session, invitation: Invitation) -> str | None:
    """Return whom a link is for, masked, in words; None when it binds nobody."""
    found = _expected(session, invitation)
    return found.words or None


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """Whom a link is for: masked words, the account of an account_level connection."""

    words: str = ""
    account_id: str | None = None
    is_known: bool = False


def _expected(session: Session, invitation: Invitation) -> _Expected:
    connection = (
        session.get(Connection, invitation.connection_id)
        if invitation.connection_id
        else None
    )
    account_id = None
    if invitation.zoom_user_id is None and connection is not None:
        account_id = connection.zoom_account_id
    email = invitation.email or (connection.email if connection else "")
    if email:
        words = masked_email(email)
    elif invitation.zoom_user_id:
        words = f"the Zoom user {masked_id(invitation.zoom_user_id)}"
    elif account_id:
        words = f"the Zoom account {masked_id(account_id)}"
    else:
        words = ""
    is_known = invitation.zoom_user_id is not None or account_id is not None
    return _Expected(words=words, account_id=account_id, is_known=is_known)


def _new(  # noqa: PLR0913 - the facts of one link, all named
    app: ZoomApp,
    wanted: Wanted,
    *,
    invitation_id: UUID,
    actor: Actor,
    now: datetime,
    days: int,
) -> Made:
    secret = secrets.token_urlsafe(32)
    invitation = Invitation(
        id=invitation_id,
        zoom_app_id=app.id,
        token_hash=hashed(secret),
        user_ref=wanted.user_ref,
        email=wanted.email,
        made_by=actor.name,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return Made(invitation=invitation, secret=secret)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise ConflictError(
            "This form was sent before, and its links were made then; none was made "
            "twice. Their addresses were shown once: open the form anew if you need "
            "others."
        ) from None
