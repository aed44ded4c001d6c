"""The users of a connected Zoom account with their PMIs, as Zoom lists them.

An account_level app has one connection an account; its users are listed
by `GET /v2/users` (docs/contracts/zoom.md 4.2, checked 2026-11-25) and by
`user.updated`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, func, or_, select, tuple_, update

from dashboard.clients.recall.replies import AccessToken
from dashboard.clients.zoom.api import ZoomApi, ZoomUser
from dashboard.db.columns import is_storable
from dashboard.errors import UpstreamError
from dashboard.formatting import grouped
from dashboard.models.connection import AccountMember, Connection, FormerEmail
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import former_emails
from dashboard.services.connections.event_facts import Profile
from dashboard.services.former_emails import Change
from dashboard.services.timeline.notes import note
from dashboard.services.token_states.rules import CheckResult

MOST = 10_000
"""Users of one account that are listed; Zoom is asked 300 at a time."""

EVERY = timedelta(hours=1)
"""How often an account is listed at most, unless something calls for it."""

PAGE = 50
_DIGITS = 9  # a shorter number is no PMI
_CHANGES_NOTED = 20


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What Zoom listed; `asked_at` is before it was asked."""

    users: Sequence[ZoomUser]
    asked_at: datetime

    @property
    def is_whole(self) -> bool:
        """Whether there are no more users than are listed."""
        return len(self.users) < MOST


@dataclass(frozen=True, kw_only=True)
class Page:
    """Members by name; `after` leads to the next page, None at the end."""

    members: Sequence[AccountMember]
    after: str | None


def is_due(session: Session, row: Connection, *, now: datetime) -> bool:
    """Whether the account should be listed again: an hour later, or after a change."""
    oldest, changed = session.exec(
        select(
            func.min(AccountMember.seen_at), func.max(AccountMember.pmi_changed_at)
        ).where(col(AccountMember.connection_id) == row.id)
    ).one()
    if oldest is None or now - oldest >= EVERY:
        return True
    return changed is not None and changed > oldest


def ask(zoom: ZoomApi, checked: CheckResult, *, now: datetime) -> Listing | None:
    """List the users of the account of a check's token; None when it cannot be had.

    Touches no database.
    """
    if checked.kind is not Kind.ACCOUNT_LEVEL or not isinstance(
        checked.token, AccessToken
    ):
        return None
    try:
        users = zoom.users(checked.token.token, limit=MOST)
    except UpstreamError:
        return None  # a scope that is missing shows in Recall's sync as well
    return Listing(users=users, asked_at=now)


def store(
    session: Session, row: Connection, found: Listing | None, *, now: datetime
) -> None:
    """Write down who was listed; who is not any more goes. The caller commits.

    What a webhook changed since Zoom was asked is kept.
    """
    if found is None:
        return
    query = select(AccountMember).where(col(AccountMember.connection_id) == row.id)
    here = {member.zoom_user_id: member for member in session.exec(query)}
    noted, changed = 0, list[Change]()
    for user in {user.id: user for user in found.users}.values():
        member = here.pop(user.id, None)
        if member is None:
            member = AccountMember(
                connection_id=row.id, zoom_user_id=user.id, seen_at=now
            )
        elif noted < _CHANGES_NOTED and _is_another(member, user, found):
            noted += 1
            _note_change(session, member, user.pmi, at=now, by="Zoom's list of users")
        former = member.email
        _update(member, user, found, now=now)
        changed.append(_email_change(member, former))
        session.add(member)
    session.flush()
    former_emails.keep(session, row.id, changed, at=now)
    ours = col(AccountMember.connection_id) == row.id
    if found.is_whole and here:
        gone = col(AccountMember.zoom_user_id).in_(here)
        session.exec(delete(AccountMember).where(ours, gone))
    # At once, so that of a large account only what changed is written one by one.
    session.exec(update(AccountMember).where(ours).values(seen_at=now))


def updated(
    session: Session, row: Connection, zoom_user_id: str, facts: Profile
) -> bool:
    """Change a member as a `user.updated` says; return whether anything changed.

    Somebody new is added; the listing that follows confirms them. The caller commits.
    """
    member = session.get(AccountMember, (row.id, zoom_user_id))
    if member is None:
        session.add(_newcomer(row, zoom_user_id, facts))
        return True
    before = (member.pmi, member.display_name, member.email)
    is_news = facts.at > max(member.seen_at, member.pmi_changed_at or member.seen_at)
    if facts.pmi is not None and facts.pmi != member.pmi and is_news:
        _note_change(
            session, member, facts.pmi, at=facts.at, by="a user.updated webhook"
        )
        _set_pmi(member, facts.pmi, at=facts.at)
    member.display_name = facts.display_name or member.display_name
    member.email = facts.email or member.email
    session.add(member)
    for former in (before[2], facts.former_email):
        change = _email_change(member, former)
        former_emails.keep(session, row.id, [change], at=facts.at)
    return (member.pmi, member.display_name, member.email) != before


def count(session: Session, connection_id: UUID) -> int:
    """Return how many there are."""
    query = select(func.count()).where(
        col(AccountMember.connection_id) == connection_id
    )
    return session.exec(query).one()


def page(
    session: Session,
    connection_id: UUID,
    *,
    search: str = "",
    after: str | None = None,
    limit: int = PAGE,
) -> Page:
    """Return members by name.

    Args:
        session: Reading.
        connection_id: Of which account.
        search: Part of a name or email, or a whole Zoom user ID or PMI.
        after: `Page.after`: the Zoom user id of the last member before.
        limit: Of a page.
    """
    if not is_storable(f"{search}{after or ''}"):
        return Page(members=[], after=None)
    query = select(AccountMember).where(
        col(AccountMember.connection_id) == connection_id
    )
    if search.strip():
        query = query.where(_found_by(search.strip()))
    last = session.get(AccountMember, (connection_id, after)) if after else None
    if last is not None:
        query = query.where(
            tuple_(*_order()) > tuple_(last.display_name, last.zoom_user_id)
        )
    rows = session.exec(query.order_by(*_order()).limit(limit + 1)).all()
    has_more = len(rows) > limit
    shown = rows[:limit]
    return Page(members=shown, after=shown[-1].zoom_user_id if has_more else None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """Whom an event names, each maybe None."""

    zoom_app_id: UUID
    zoom_user_id: str | None
    zoom_account_id: str | None


def accounts(session: Session, events: Iterable[Named]) -> dict[Named, Connection]:
    """Return the connections of whole accounts, locked in one order.

    An event that names no account is of the account that lists its user.

    Args:
        session: Writing.
        events: Whom each names.
    """
    named = set(events)
    of_users = _accounts_of_users(
        session, [each for each in named if not each.zoom_account_id]
    )
    keys = {
        each: (each.zoom_app_id, each.zoom_account_id or of_users.get(each, ""))
        for each in named
    }
    pairs = {key for key in keys.values() if key[1]}
    query = (
        select(Connection)
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(
            col(ZoomApp.kind) == Kind.ACCOUNT_LEVEL,
            col(Connection.zoom_app_id).in_({app_id for app_id, _ in pairs}),
            col(Connection.zoom_account_id).in_({account for _, account in pairs}),
        )
        .order_by(col(Connection.id))
        .with_for_update(of=Connection)
    )
    found = {
        (row.zoom_app_id, row.zoom_account_id or ""): row for row in session.exec(query)
    }
    return {each: found[key] for each, key in keys.items() if key in found}


def _accounts_of_users(session: Session, named: Iterable[Named]) -> dict[Named, str]:
    users = {
        (each.zoom_app_id, each.zoom_user_id): each
        for each in named
        if each.zoom_user_id
    }
    if not users:
        return {}
    query = (
        select(
            Connection.zoom_app_id,
            AccountMember.zoom_user_id,
            Connection.zoom_account_id,
        )
        .join(Connection, col(Connection.id) == col(AccountMember.connection_id))
        .where(
            col(AccountMember.zoom_user_id).in_({user_id for _, user_id in users}),
            col(Connection.zoom_app_id).in_({app_id for app_id, _ in users}),
        )
    )
    return {
        users[app_id, user_id]: account_id
        for app_id, user_id, account_id in session.exec(query)
        if account_id and (app_id, user_id) in users
    }


def _email_change(member: AccountMember, former: str) -> Change:
    return Change(former=former, current=member.email, zoom_user_id=member.zoom_user_id)


def _update(
    member: AccountMember, user: ZoomUser, found: Listing, *, now: datetime
) -> None:
    member.display_name = user.display_name or member.display_name
    member.email = user.email or member.email
    member.status = user.status
    if user.pmi is not None and not _is_newer(member, found):
        _set_pmi(member, user.pmi, at=now)


def _newcomer(row: Connection, zoom_user_id: str, facts: Profile) -> AccountMember:
    # Changed after the last listing, which makes the next one due.
    return AccountMember(
        connection_id=row.id,
        zoom_user_id=zoom_user_id,
        display_name=facts.display_name,
        email=facts.email,
        pmi=facts.pmi,
        pmi_changed_at=facts.at,
        seen_at=facts.at,
    )


def _set_pmi(member: AccountMember, pmi: int, *, at: datetime) -> None:
    if member.pmi is not None and member.pmi != pmi:
        member.previous_pmi, member.pmi_changed_at = member.pmi, at
    member.pmi = pmi


def _is_newer(member: AccountMember, found: Listing) -> bool:
    """Whether a webhook changed the member since Zoom was asked."""
    changed = member.pmi_changed_at
    return changed is not None and changed >= found.asked_at


def _is_another(member: AccountMember, user: ZoomUser, found: Listing) -> bool:
    is_known = member.pmi is not None and user.pmi is not None
    return is_known and member.pmi != user.pmi and not _is_newer(member, found)


def _note_change(
    session: Session, member: AccountMember, pmi: int | None, *, at: datetime, by: str
) -> None:
    who = member.display_name or member.email or member.zoom_user_id
    former = f"from {grouped(member.pmi)} " if member.pmi is not None else ""
    note(
        session,
        member.connection_id,
        at=at,
        source="zoom",
        kind="pmi",
        words=f"The PMI of {who} changed {former}to {grouped(pmi)} (source: {by}).",
    )


def _order() -> tuple[Any, Any]:
    return col(AccountMember.display_name), col(AccountMember.zoom_user_id)


def _found_by(text: str) -> ColumnElement[bool]:
    digits = "".join(text.replace("-", " ").split())
    if digits.isascii() and digits.isdigit() and _DIGITS <= len(digits) <= 18:  # noqa: PLR2004 - what the column takes
        number = int(digits)
        return or_(
            col(AccountMember.pmi) == number, col(AccountMember.previous_pmi) == number
        )
    once = select(FormerEmail.zoom_user_id).where(
        col(FormerEmail.connection_id) == col(AccountMember.connection_id),
        col(FormerEmail.email).icontains(text, autoescape=True),
    )
    return or_(
        col(AccountMember.zoom_user_id).in_(once),
        col(AccountMember.display_name).icontains(text, autoescape=True),
        col(AccountMember.email).icontains(text, autoescape=True),
        col(AccountMember.zoom_user_id) == text,
    )
