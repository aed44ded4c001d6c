"""Links made for one person: making them, who may use them, and their states.

The secret of a link is in its address alone; its hash is stored. Opening uses nothing
up: mail scanners open links too. A finished connection uses it up.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Column, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.base import ColumnCollection
from sqlmodel import Session, col, delete, select, update

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.formatting import masked_email, masked_id
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services import audit, events, paging
from dashboard.services.audit import Actor
from dashboard.services.invitations import references
from dashboard.services.paging import PAGE, Order, Page, page_by_time

_RETIRED = "{} is retired and no longer accepts new connections."

LASTS_DAYS = 14
LONGEST_DAYS = 365

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

_SAID: dict[InvitationState, type[events.InvitationEvent]] = {
    InvitationState.DONE: events.InvitationCompleted,
    InvitationState.DECLINED: events.InvitationDeclined,
}
_EXPIRED_AT_ONCE = 500

STATE_WORDS = {
    InvitationState.MADE: ("waiting", "Not used yet"),
    InvitationState.OPENED: ("waiting", "Started"),
    InvitationState.DECLINED: ("off", "Declined"),
    InvitationState.WRONG_ACCOUNT: ("trouble", "Wrong account"),
    InvitationState.DONE: ("good", "Connected"),
    InvitationState.EXPIRED: ("off", "Expired"),
    InvitationState.REVOKED: ("off", "Revoked"),
}
"""Tone and words of each state."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Whom a link is for.

    Attributes:
        email: Binds the link to the Zoom account with this email; "" binds it to none.
        user_ref: Your own id of the user.
        tags: Your own words, space separated.
        return_url: Where the button back leads; `make` checks that it may.
    """

    email: str = ""
    user_ref: str = ""
    tags: str = ""
    return_url: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A link just made: the only time that its secret is known.

    Attributes:
        secret: Of its address, 32 random bytes as URL-safe text.
    """

    invitation: Invitation
    secret: str


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches."""

    state: InvitationState | None = None
    zoom_app_id: UUID | None = None
    reference: str = ""


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


def named(session: Session, invitation_id: UUID | None) -> str:
    """Return which link an act came through and who made it, for the audit log.

    "" when it came through none.
    """
    invitation = session.get(Invitation, invitation_id) if invitation_id else None
    if invitation is None:
        return ""
    maker = f" made by {invitation.made_by}" if invitation.made_by else ""
    return f", through link {invitation.id}{maker}"


def state_of(invitation: Invitation, *, now: datetime) -> InvitationState:
    """Return its state, expired on the minute though no chore has noted it yet."""
    if invitation.state in USABLE and now >= invitation.expires_at:
        return InvitationState.EXPIRED
    return invitation.state


def is_usable(invitation: Invitation, *, now: datetime) -> bool:
    """Whether it still leads to Zoom."""
    return state_of(invitation, now=now) in USABLE


def opened(session: Session, invitation_id: UUID, *, now: datetime) -> None:
    """Note that somebody pressed its button for the first time; the caller commits.

    To fetch it proves nothing: mail scanners do that as well.
    """
    first = session.exec(
        update(Invitation)
        .where(
            col(Invitation.id) == invitation_id,
            col(Invitation.state) == InvitationState.MADE,
        )
        .values(state=InvitationState.OPENED, opened_at=now)
    )
    invitation = session.get(Invitation, invitation_id)
    if rows_changed(first) and invitation is not None:
        _say(session, invitation, events.InvitationOpened, now=now)


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
        raise ConflictError(f"This link is already {word}. Nothing was changed.")
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
        return AttemptOutcome.EXPIRED, "The link it began from was revoked."
    word = state_of(invitation, now=now)
    if word in USABLE or word is InvitationState.DONE:
        return None  # for a used one `refusal` checks that it is the same person
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
    kind = _SAID.get(state)
    if kind is not None:
        _say(session, invitation, kind, now=now)


def _say(
    session: Session,
    invitation: Invitation,
    kind: type[events.InvitationEvent],
    *,
    now: datetime,
) -> None:
    """Record an event about a link, in the same transaction."""
    said = kind(
        invitation_id=invitation.id,
        zoom_app_id=invitation.zoom_app_id,
        connection_id=invitation.connection_id,
    )
    events.record(session, said, at=now, references=events.references_of(invitation))


def forget(session: Session, connection: Connection) -> None:
    """Delete the links of a connection that is deleted; the caller commits.

    They name its user.
    """
    session.exec(
        delete(Invitation).where(col(Invitation.connection_id) == connection.id)
    )


def page(
    session: Session, filters: Filters, *, cursor: str | None, limit: int = PAGE
) -> Page[Invitation]:
    """Return links, newest first; those of one state by when they end."""
    if filters.reference:
        return _page_of_reference(session, filters, cursor=cursor, limit=limit)
    return page_by_time(
        session,
        Invitation,
        state=None if filters.state is None else ("state", filters.state),
        zoom_app_id=filters.zoom_app_id,
        cursor=cursor,
        limit=limit,
    )


def _page_of_reference(
    session: Session, filters: Filters, *, cursor: str | None, limit: int
) -> Page[Invitation]:
    """Return the links of one user of yours, few of them, newest first."""
    query = select(Invitation).where(col(Invitation.user_ref) == filters.reference)
    if filters.zoom_app_id is not None:
        query = query.where(col(Invitation.zoom_app_id) == filters.zoom_app_id)
    if filters.state is not None:
        query = query.where(col(Invitation.state) == filters.state)
    columns: ColumnCollection[str, Column[Any]] = inspect(Invitation).columns
    order = Order(
        name="reference",
        columns=[columns["created_at"], columns["id"]],
        is_along=False,
    )
    return paging.page(session, query, order, cursor=cursor, limit=limit)


def expire(session: Session, *, now: datetime) -> int:
    """Note those that ran out; return how many. The caller commits."""
    query = select(Invitation).where(
        col(Invitation.state).in_(USABLE), col(Invitation.expires_at) <= now
    )
    locked = query.with_for_update(skip_locked=True).limit(_EXPIRED_AT_ONCE)
    rows = session.exec(locked).all()
    for row in rows:
        row.state, row.ended_at = InvitationState.EXPIRED, now
        session.add(row)
        _say(session, row, events.InvitationExpired, now=now)
    return len(rows)


def note_expired(database: Database, clock: Clock) -> int:
    """Note those that ran out: the worker's chore; commits. Return how many."""
    now = clock.now()
    with database.reading() as session:
        if not any_overdue(session, now=now):
            return 0
    with database.writing() as session:
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
        InvalidInputError: `days` is out of range, or a way back is not allowed.
    """
    _require_open(app)
    for one in wanted:
        references.read_tags(one.tags)
        references.read_return_url(one.return_url, origins=app.return_origins.split())
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInputError(
            f"A link is valid for 1 to {LONGEST_DAYS} days.", field="expires_days"
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


def _require_open(app: ZoomApp) -> None:
    """Refuse a link that would lead to a page that is closed.

    Raises:
        ConflictError: The zoom app is retired, or its users connect elsewhere.
    """
    if app.retired_at is not None:
        raise ConflictError(
            f"{app.name} is retired and no longer accepts new connections."
        )
    if app.token_custody is TokenCustody.OWN_SERVER:
        raise ConflictError(
            f"Users of {app.name} connect in your own product, so there is no link of "
            "the dashboard's for it."
        )


def reconnect_link(
    session: Session,
    connection: Connection,
    *,
    return_url: str | None = None,
    actor: Actor,
    now: datetime,
) -> Made:
    """Make the link that renews this connection only; the caller commits.

    Those made before and not used are revoked.

    Args:
        session: Writing.
        connection: Which.
        return_url: Where the button back leads; None: where the connection's did.
        actor: Who makes it.
        now: Aware.

    Raises:
        ConflictError: The zoom app is retired, or its users connect elsewhere.
        InvalidInputError: The way back is not allowed.
    """
    app = session.get_one(ZoomApp, connection.zoom_app_id)
    _require_open(app)
    if return_url is not None:
        origins = app.return_origins.split()
        return_url = references.read_return_url(return_url, origins=origins)
    older = select(Invitation).where(
        col(Invitation.connection_id) == connection.id,
        col(Invitation.state).in_(USABLE),
    )
    for one in session.exec(older).all():
        one.state, one.ended_at = InvitationState.REVOKED, now
        session.add(one)
    made = _new(
        app,
        Wanted(
            email=connection.email,
            # One that a plain link brought stays what it is: not verified.
            user_ref=connection.reference if connection.is_reference_verified else "",
            tags=connection.tags,
            return_url=connection.return_url if return_url is None else return_url,
        ),
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

    None when it may, and when there is no link. IDs come before emails: an email may
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
        return "This link was revoked."
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
        return "This link was already used; it works once."
    return None


def needs_email(session: Session, invitation_id: UUID | None) -> bool:
    """Whether an account must be checked by its profile's email."""
    invitation = session.get(Invitation, invitation_id) if invitation_id else None
    if invitation is None or invitation.zoom_user_id is not None:
        return False
    return bool(invitation.email) and _expected(session, invitation).account_id is None


def expected(session: Session, invitation: Invitation) -> str | None:
    """Return the account a link is for, masked; None if it binds none."""
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
        tags=references.read_tags(wanted.tags),
        return_url=wanted.return_url.strip(),
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
            "This form was already sent and its links were created then. They were "
            "shown once. Open the form again to create others."
        ) from None
