"""Writes mail to users into the queue, sends it, and says what came of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select, update

from dashboard.clients import mail
from dashboard.db.leases import is_free
from dashboard.errors import InvalidInputError, SendError, VaultError
from dashboard.models.alert import MessageOutcome
from dashboard.models.ids import new_id
from dashboard.models.invitation import Invitation
from dashboard.models.user_mail import Letter, UserMail
from dashboard.models.zoom_app import PageDesign, ZoomApp
from dashboard.services import urls
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import Made
from dashboard.services.outbox import queue
from dashboard.services.outbox.sender import Sender
from dashboard.services.runtime import Runtime
from dashboard.services.user_mail import letters
from dashboard.settings import Settings, sender_of
from dashboard.vault import Vault

AT_ONCE = 4
"""Mails that are handed in beside one another: mail servers take few connections."""

LONGEST_REMINDER_DAYS = 60

WORDS = {
    MessageOutcome.WAITING: ("waiting", "Email queued"),
    MessageOutcome.SENT: ("good", "Email sent"),
    MessageOutcome.DEAD: ("trouble", "Email refused"),
    MessageOutcome.DROPPED: ("off", "Email not sent: the link was used or revoked"),
}
"""Tone and words of what came of a mail."""


def require_server(settings: Settings) -> None:
    """Refuse to send mail without a mail server.

    Raises:
        InvalidInputError: None is set.
    """
    if settings.mail_server is None:
        raise InvalidInputError(
            "The dashboard can't send mail yet. An operator sets DASHBOARD_SMTP_URL "
            "and DASHBOARD_SMTP_FROM."
        )


def write(
    session: Session,
    vault: Vault,
    made: Sequence[Made],
    *,
    remind_days: int = 0,
    now: datetime,
) -> int:
    """Write a mail to each person whose email is known; the caller commits.

    Args:
        session: Writing.
        vault: Seals the links' secrets until they are sent.
        made: Links just made.
        remind_days: When to remind once who has not used the link; 0 for never.
        now: Aware.

    Returns:
        How many people get one.
    """
    session.flush()  # the links first
    written = 0
    for one in made:
        if not one.invitation.email:
            continue
        _add(session, vault, one, Letter.INVITATION, due_at=now, now=now)
        if remind_days:
            due_at = now + timedelta(days=remind_days)
            _add(session, vault, one, Letter.REMINDER, due_at=due_at, now=now)
        written += 1
    return written


def _add(  # noqa: PLR0913 - one row, all named
    session: Session,
    vault: Vault,
    one: Made,
    letter: Letter,
    *,
    due_at: datetime,
    now: datetime,
) -> None:
    row_id = new_id(now)
    place = {"table": "user_mail", "column": "secret"}
    session.add(
        UserMail(
            id=row_id,
            zoom_app_id=one.invitation.zoom_app_id,
            invitation_id=one.invitation.id,
            connection_id=one.invitation.connection_id,
            letter=letter,
            secret=vault.seal(one.secret.encode(), **place, row=row_id),
            created_at=now,
            due_at=due_at,
        )
    )


def newest(
    session: Session, invitation_ids: Collection[UUID]
) -> Mapping[UUID, UserMail]:
    """Return the newest mail of each link that is sent, fails or waits to be sent now.

    A reminder that is still to come is left out.
    """
    query = (
        select(UserMail)
        .where(col(UserMail.invitation_id).in_(invitation_ids))
        .where(
            (col(UserMail.letter) != Letter.REMINDER)
            | (col(UserMail.outcome) == MessageOutcome.SENT)
            | (col(UserMail.outcome) == MessageOutcome.DEAD)
        )
        .order_by(col(UserMail.id))
    )
    return {each.invitation_id: each for each in session.exec(query)}


def sender(runtime: Runtime) -> Sender:
    """Return the chore that sends what is due."""
    return Sender(
        runtime.database,
        runtime.clock,
        model=UserMail,
        send=lambda row: _send(runtime, row),
        lane="letter",
        width=AT_ONCE,
    )


def _send(runtime: Runtime, row: UserMail) -> None:
    """Send a claimed mail and store what came of it; commits."""
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        invitation = session.get(Invitation, row.invitation_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        design = session.get(PageDesign, row.zoom_app_id)
    error = None
    is_over = invitation is None or not invitations.is_usable(invitation, now=now)
    if row.letter is Letter.REMINDER and invitation is not None:
        is_over = is_over or invitation.opened_at is not None
    if not is_over and invitation is not None:
        error = _tried(runtime, row, invitation, app, design)
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        if is_over:
            queue.drop(session, row, now=now)
        else:
            queue.store(session, row, error, now=now)
        _forget_secret(session, row.id, now=now)


def _tried(
    runtime: Runtime,
    row: UserMail,
    invitation: Invitation,
    app: ZoomApp,
    design: PageDesign | None,
) -> SendError | None:
    server = runtime.settings.mail_server
    if server is None or row.secret is None:
        return SendError("DASHBOARD_SMTP_URL is not set any more.")
    try:
        secret = runtime.vault.open(
            row.secret, table="user_mail", column="secret", row=row.id
        ).decode()
        message = letters.compose(
            row.letter,
            app,
            design,
            link=urls.invitation_url(runtime.hosted_url, app.slug, secret),
            expires_at=invitation.expires_at,
            sender=sender_of(runtime.settings.smtp_from),
            to=invitation.email,
            reference=f"user-mail-{row.id}",
        )
        mail.send(server, message)
    except SendError as error:
        return error
    except VaultError:
        return SendError(
            "The link can't be decrypted with this server's keys. Make a new one.",
            is_final=True,
        )
    return None


def _forget_secret(session: Session, row_id: int, *, now: datetime) -> None:
    """Forget the link of a mail that has ended."""
    session.exec(
        update(UserMail)
        .where(
            col(UserMail.id) == row_id,
            col(UserMail.outcome) != MessageOutcome.WAITING,
            is_free(UserMail.lease_until, now),
        )
        .values(secret=None)
    )
