"""The queries of Explain: each uses an index and returns a few rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, SQLModel, col, func, or_, select

from dashboard.errors import VaultError
from dashboard.models.connection import (
    AccountMember,
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
    FormerEmail,
    MeetingMapping,
)
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.invitation import Invitation
from dashboard.models.webhook import Attempt, Webhook
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import former_emails
from dashboard.services.bot_tests import runs
from dashboard.services.explain.questions import spellings
from dashboard.services.explain.verdicts import MANY, Gone, Means, SeenBot
from dashboard.vault import Vault

MOST = 10
"""Rows of one kind that are read."""

_ERASURES = 100
_CAME_BACK = set(AttemptOutcome) - {
    AttemptOutcome.OPEN,
    AttemptOutcome.ABANDONED,
    AttemptOutcome.BEGUN_AT_ZOOM,
}

Row = TypeVar("Row", bound=SQLModel)


def connections(session: Session, where: ColumnElement[bool]) -> list[Connection]:
    """Return connections by one indexed condition; those of retired apps last.

    Of several in force the newest grant comes first.
    """
    found = session.exec(
        select(Connection, ZoomApp.retired_at)
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(where)
        .limit(MOST)
    ).all()
    by_age = sorted(
        found,
        key=lambda pair: pair[0].granted_at,
        reverse=True,
    )
    return [row for row, _ in sorted(by_age, key=lambda pair: pair[1] is not None)]


def of_email(session: Session, email: str) -> list[Connection]:
    """Return the connections with this email, however it is spelled."""
    return connections(session, col(Connection.email).in_(spellings(email)))


def of_former_email(
    session: Session, email: str
) -> tuple[Connection, AccountMember | None, FormerEmail] | None:
    """Return who had this email before, and whose it was last."""
    for former in former_emails.found(session, spellings(email), limit=MOST):
        row = session.get_one(Connection, former.connection_id)
        if not former.zoom_user_id:
            return row, None, former
        member = session.get(AccountMember, (row.id, former.zoom_user_id))
        if member is not None:  # one who left the account is not listed any more
            return row, member, former
    return None


def of_account(session: Session, account_id: str) -> list[Connection]:
    """Return connections of a Zoom account: of its users, or of it as a whole."""
    return connections(session, col(Connection.zoom_account_id) == account_id)


def of_whole_account(session: Session, account_id: str) -> Connection | None:
    """Return the connection of an account as a whole, to an account_level app."""
    query = select(ZoomApp.id).where(
        col(ZoomApp.kind) == Kind.ACCOUNT_LEVEL, col(ZoomApp.retired_at).is_(None)
    )
    apps = session.exec(query).all()
    # By app, for thousands of users may have the account: of an app few are accounts.
    for app_id in apps:
        rows = select(Connection).where(
            col(Connection.zoom_app_id) == app_id,
            col(Connection.zoom_user_id).is_(None),
            col(Connection.zoom_account_id) == account_id,
        )
        row = session.exec(rows.limit(1)).first()
        if row is not None:
            return row
    return None


def members(
    session: Session, where: ColumnElement[bool]
) -> list[tuple[AccountMember, Connection]]:
    """Return users of connected accounts by one indexed condition."""
    query = (
        select(AccountMember, Connection)
        .join(Connection, col(Connection.id) == col(AccountMember.connection_id))
        .where(where)
        .limit(MOST)
    )
    return list(session.exec(query).all())


def mappings(
    session: Session, meeting_id: int
) -> list[tuple[MeetingMapping, Connection]]:
    """Return to whom Recall maps a meeting, as last seen; the newest first."""
    query = (
        select(MeetingMapping, Connection)
        .join(Connection, col(MeetingMapping.connection_id) == col(Connection.id))
        .where(col(MeetingMapping.meeting_id) == meeting_id)
        .limit(MOST)
    )
    found = session.exec(query).all()
    return sorted(found, key=lambda pair: pair[0].synced_at, reverse=True)


def hooks(session: Session, where: ColumnElement[bool]) -> Sequence[Webhook]:
    """Return webhooks by one condition that an index of (column, id) answers."""
    query = select(Webhook).where(where).order_by(col(Webhook.id).desc()).limit(MOST)
    return session.exec(query).all()


def last_try(session: Session, webhook_id: int) -> datetime | None:
    """Return when a webhook was last sent to Recall; None when it never was."""
    mine = col(Attempt.webhook_id) == webhook_id
    return session.exec(select(func.max(Attempt.started_at)).where(mine)).one()


def first_hook(session: Session, meeting_id: int) -> Webhook | None:
    """Return the oldest webhook about a meeting that is still here."""
    query = (
        select(Webhook)
        .where(col(Webhook.meeting_id) == meeting_id)
        .order_by(col(Webhook.id))
        .limit(1)
    )
    return session.exec(query).first()


def invitations(
    session: Session, wheres: Iterable[ColumnElement[bool]]
) -> Sequence[Invitation]:
    """Return invitations by any of these, each of one index; the newest first."""
    found = {
        row.id: row
        for where in wheres
        for row in session.exec(
            select(Invitation)
            .where(where)
            .order_by(col(Invitation.created_at).desc())
            .limit(MOST)
        )
    }
    return sorted(found.values(), key=lambda row: row.created_at, reverse=True)


def attempt(
    session: Session,
    *,
    connection_id: UUID | None = None,
    invitation_id: UUID | None = None,
) -> ConnectAttempt | None:
    """Return the newest connect attempt that made a connection or began from a link."""
    if connection_id is None and invitation_id is None:
        return None
    where = (
        col(ConnectAttempt.connection_id) == connection_id
        if connection_id is not None
        else col(ConnectAttempt.invitation_id) == invitation_id
    )
    query = (
        select(ConnectAttempt)
        .where(where)
        .order_by(col(ConnectAttempt.created_at).desc())
        .limit(1)
    )
    return session.exec(query).first()


def attempt_of(session: Session, row: Connection) -> ConnectAttempt | None:
    """Return the newest connect attempt of a connection, or from a link to renew it."""
    mine = (
        select(Invitation)
        .where(col(Invitation.connection_id) == row.id)
        .order_by(col(Invitation.created_at).desc())
        .limit(1)
    )
    link = session.exec(mine).first()
    found = [attempt(session, connection_id=row.id)]
    if link is not None:
        found.append(attempt(session, invitation_id=link.id))
    known = [each for each in found if each is not None]
    return max(known, key=lambda each: each.created_at, default=None)


def came_back(session: Session, attempt: ConnectAttempt) -> int:
    """Count the attempts of the same app within a day that came back, up to `MANY`."""
    some = select(ConnectAttempt.id).where(
        col(ConnectAttempt.zoom_app_id) == attempt.zoom_app_id,
        col(ConnectAttempt.created_at) > attempt.created_at - timedelta(days=1),
        col(ConnectAttempt.created_at) < attempt.created_at + timedelta(days=1),
        col(ConnectAttempt.outcome).in_(_CAME_BACK),
    )
    rows = some.limit(MANY).subquery()
    return session.exec(select(func.count()).select_from(rows)).one()


def timeline(session: Session, connection_id: UUID) -> Sequence[ConnectionEvent]:
    """Return the newest lines of a connection's timeline."""
    query = (
        select(ConnectionEvent)
        .where(col(ConnectionEvent.connection_id) == connection_id)
        .order_by(col(ConnectionEvent.at).desc(), col(ConnectionEvent.id).desc())
        .limit(MOST)
    )
    return session.exec(query).all()


def app_of(session: Session, text: str | UUID) -> ZoomApp | None:
    """Return the zoom app of a client id, or of Recall's or our own id."""
    where = (
        or_(col(ZoomApp.recall_app_id) == text, col(ZoomApp.id) == text)
        if isinstance(text, UUID)
        else col(ZoomApp.client_id) == text
    )
    return session.exec(select(ZoomApp).where(where).limit(1)).first()


def gone(session: Session, vault: Vault, names: Iterable[str]) -> Gone | None:
    """Return the data deletion under way of a user: by email, user ID or account ID.

    One that has ended names no user any more. One of a rejected connect attempt is left
    out: that user never left.
    """
    wanted = {name.lower() for name in names if name}
    query = (
        select(Erasure)
        .where(
            col(Erasure.ended_at).is_(None),
            col(Erasure.reason) != ErasureReason.WRONG_ACCOUNT,
        )
        .order_by(col(Erasure.due_at))
        .limit(_ERASURES)
    )
    for row in session.exec(query):
        if wanted & _names_of(vault, row):
            return Gone(
                reason=row.reason,
                asked_by=row.asked_by,
                removed_at=row.removed_at,
                deadline_at=row.deadline_at,
                done_at=row.here_done_at,
                trouble=row.trouble,
            )
    return None


def _names_of(vault: Vault, row: Erasure) -> set[str]:
    """Return whom an erasure is about; a value that does not open names nobody."""
    found = set()
    for column in ("zoom_user_id", "zoom_account_id", "email"):
        sealed: bytes | None = getattr(row, column)
        if not sealed:
            continue
        try:
            name = vault.open(sealed, table="erasure", column=column, row=row.id)
            found.add(name.decode().lower())
        except (VaultError, UnicodeDecodeError):
            continue
    return found


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose connection counts for a meeting, and why it is that one."""

    connection: Connection
    means: Means
    member: AccountMember | None = None
    mapping: MeetingMapping | None = None


def find_owner(
    session: Session,
    number: int,
    *,
    host: Webhook | None,
    claims: Sequence[Connection],
) -> Owner | None:
    """Return whose connection counts for a meeting number; None when nothing tells.

    Args:
        session: Reading.
        number: Of a meeting, or a PMI.
        host: A webhook about the meeting that names its host.
        claims: The connections that have this PMI now.
    """
    owner = (
        _by_mapping(session, number)
        or (None if host is None else of_event(session, host))
        or _by_pmi(session, number, claims)
        or _by_former_pmi(session, number)
    )
    if owner is None:
        return None
    if owner.connection.zoom_user_id is None and owner.member is None:
        member = _member(session, owner.connection, number, host)
        owner = replace(owner, member=member)
    who = owner.member or owner.connection
    # A number that was its PMI is so, whatever else names it.
    if who.previous_pmi == number and who.pmi != number and not claims:
        return replace(owner, means=Means.FORMER_PMI)
    return owner


def _member(
    session: Session, account: Connection, number: int, host: Webhook | None
) -> AccountMember | None:
    """Return which user of a connected account it is; None when nothing tells."""
    if host is not None:
        return session.get(AccountMember, (account.id, host.zoom_user_id))
    found = members(session, col(AccountMember.pmi) == number)
    return next((each for each, row in found if row.id == account.id), None)


def different_users(claims: Sequence[Connection]) -> list[Connection]:
    """Return one connection for each Zoom user: in two zoom apps they are one."""
    return list({row.zoom_user_id or row.id: row for row in claims}.values())


def _by_mapping(session: Session, number: int) -> Owner | None:
    for mapping, row in mappings(session, number):
        return Owner(connection=row, means=Means.MAPPING, mapping=mapping)
    return None


def of_event(session: Session, hook: Webhook) -> Owner | None:
    """Return the connection of the host whom Zoom names; of the same app first."""
    if hook.zoom_user_id is not None:
        rows = connections(session, col(Connection.zoom_user_id) == hook.zoom_user_id)
        rows.sort(key=lambda row: row.zoom_app_id != hook.zoom_app_id)
        if rows:
            return Owner(connection=rows[0], means=Means.EVENT)
    if hook.zoom_account_id is None:
        return _by_member(session, hook)
    account = of_whole_account(session, hook.zoom_account_id)
    if account is None:
        return None
    return Owner(connection=account, means=Means.EVENT)


def _by_member(session: Session, hook: Webhook) -> Owner | None:
    """Return the account that lists the host, for an event that names no account."""
    if hook.zoom_user_id is None:
        return None
    found = members(session, col(AccountMember.zoom_user_id) == hook.zoom_user_id)
    found.sort(key=lambda pair: pair[1].zoom_app_id != hook.zoom_app_id)
    for member, row in found:
        return Owner(connection=row, means=Means.EVENT, member=member)
    return None


def _by_pmi(
    session: Session, number: int, claims: Sequence[Connection]
) -> Owner | None:
    if claims:
        return Owner(connection=claims[0], means=Means.PMI)
    for member, row in members(session, col(AccountMember.pmi) == number):
        return Owner(connection=row, means=Means.PMI, member=member)
    return None


def _by_former_pmi(session: Session, number: int) -> Owner | None:
    where = col(Connection.previous_pmi) == number
    for row in connections(session, where):
        return Owner(connection=row, means=Means.FORMER_PMI)
    former = col(AccountMember.previous_pmi) == number
    for member, row in members(session, former):
        return Owner(connection=row, means=Means.FORMER_PMI, member=member)
    return None


def test_bot(session: Session, number: int) -> SeenBot | None:
    """Return the newest test bot that was sent to a meeting from here."""
    run = runs.newest_in(session, number)
    if run is None or run.recall_bot_id is None:
        return None
    steps = runs.steps_of(run)
    at = steps[-1].at if steps else run.begun_at
    return SeenBot(id=run.recall_bot_id, at=at, outcome=runs.verdict_of(run))
