"""Erasing what is kept here of a user who removed the app; see docs/erasure.md."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, delete, func, or_, select, update

from dashboard.db import Database
from dashboard.models.connection import (
    AccountMember,
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    MeetingMapping,
)
from dashboard.models.invitation import Invitation
from dashboard.models.staff import Staff
from dashboard.models.watch import Milestone
from dashboard.services.erasure import sentences, webhooks
from dashboard.services.erasure.redaction import Covering, Person
from dashboard.vault import Vault


def whose(session: Session, known: Person) -> Person:
    """Return the person with all that is known of them here.

    Args:
        session: Reading.
        known: By ids and e-mail.
    """
    row = find_connection(session, known)
    if row is None:
        return replace(known, numbers=webhooks.numbers_of(session, known))
    members = session.exec(
        select(AccountMember).where(col(AccountMember.connection_id) == row.id)
    ).all()
    mapped = session.exec(
        select(MeetingMapping.meeting_id).where(
            col(MeetingMapping.connection_id) == row.id
        )
    ).all()
    everybody: list[Connection | AccountMember] = [row, *members]
    ids = {one.zoom_user_id for one in everybody if one.zoom_user_id}
    found = replace(
        known,
        connection_id=row.id,
        user_ids=known.user_ids | ids,
        emails=known.emails | {one.email for one in everybody if one.email},
        names=known.names | {one.display_name for one in everybody if one.display_name},
    )
    pmis = {pmi for one in everybody for pmi in (one.pmi, one.previous_pmi) if pmi}
    named = webhooks.numbers_of(session, found)
    return replace(found, numbers=frozenset({*pmis, *mapped, *named}))


def find_connection(
    session: Session, known: Person, *, is_locked: bool = False
) -> Connection | None:
    """Return the connection of a user, or of an account, if there is one."""
    query = select(Connection).where(col(Connection.zoom_app_id) == known.zoom_app_id)
    if known.account_id is not None:
        query = query.where(col(Connection.zoom_account_id) == known.account_id)
    else:
        query = query.where(col(Connection.zoom_user_id).in_(known.user_ids))
    if is_locked:
        query = query.with_for_update()
    return session.exec(query).first()


def erase(  # noqa: PLR0913 - the facts of one pass, all named
    database: Database,
    vault: Vault,
    known: Person,
    *,
    removed_at: datetime,
    is_first: bool,
    is_last_call: bool,
    now: datetime,
) -> int | None:
    """Erase all that is kept of a person here; commits, in several transactions.

    May be called again: what came meanwhile goes then.

    Args:
        database: Read from, then written to.
        vault: Opens what does not say in a column whom it is about.
        known: Whom, as far as the erasure tells.
        removed_at: Who was granted anew since then is not erased.
        is_first: Look at all there is, not only at what came since.
        is_last_call: As of `erasing_webhooks.erase`.
        now: Aware.

    Returns:
        How many webhooks wait still; None when the person has reconnected.
    """
    with database.reading() as session:
        person = whose(session, known)
        covering = Covering(person, but=_staff(session))
    left = webhooks.erase(
        database,
        vault,
        person,
        covering,
        since=None if is_first else removed_at,
        is_last_call=is_last_call,
        now=now,
    )
    with database.reading() as session:
        changes = sentences.changes(session, person, covering)
        left += sentences.still_gathering(session, covering)
    with database.writing() as session:
        row = find_connection(session, person, is_locked=True)
        if row is not None and row.granted_at > removed_at:
            return None
        sentences.apply(session, changes)
        _forget_attempts(session, person, removed_at=removed_at)
        _delete_invitations(session, person)
        if row is not None:
            _forget_milestones(session, row)
            session.delete(row)  # its grant, mappings, members and timeline go with it
    return left


def _staff(session: Session) -> Sequence[str]:
    """Return the e-mails of staff: who did what is no data of Zoom's."""
    return [email.lower() for email in session.exec(select(Staff.email))]


def _forget_attempts(session: Session, person: Person, *, removed_at: datetime) -> None:
    """Forget which browsers the person's attempts began in, and what was said in them.

    Another attempt of the same browser is theirs too, but for one under way that was
    begun after the removal: they are reconnecting.
    """
    ours = col(ConnectAttempt.zoom_app_id) == person.zoom_app_id
    links = select(Invitation.id).where(_invites(person))
    theirs: ColumnElement[bool] = col(ConnectAttempt.invitation_id).in_(links)
    if person.connection_id is not None:
        theirs = or_(theirs, col(ConnectAttempt.connection_id) == person.connection_id)
    browsers = set(
        session.exec(select(ConnectAttempt.browser_hash).where(ours, theirs))
    ) - {""}
    session.exec(
        update(ConnectAttempt)
        .where(
            ours,
            or_(theirs, col(ConnectAttempt.browser_hash).in_(browsers)),
            or_(
                col(ConnectAttempt.outcome) != AttemptOutcome.OPEN,
                col(ConnectAttempt.created_at) <= removed_at,
            ),
        )
        .values(
            detail="",
            browser_hash="",
            code_verifier=None,
            connection_id=None,
            invitation_id=None,
        )
        .execution_options(synchronize_session=False)
    )


def _invites(person: Person) -> ColumnElement[bool]:
    emails = {email.lower() for email in person.emails}
    names_them = or_(
        col(Invitation.zoom_user_id).in_(person.user_ids),
        func.lower(Invitation.email).in_(emails),
    )
    if person.connection_id is not None:
        its = col(Invitation.connection_id) == person.connection_id
        names_them = or_(names_them, its)
    return and_(col(Invitation.zoom_app_id) == person.zoom_app_id, names_them)


def _delete_invitations(session: Session, person: Person) -> None:
    session.exec(
        delete(Invitation)
        .where(_invites(person))
        .execution_options(synchronize_session=False)
    )


def _forget_milestones(session: Session, row: Connection) -> None:
    session.exec(
        update(Milestone)
        .where(col(Milestone.connection_id) == row.id)
        .values(connection_id=None)
    )
