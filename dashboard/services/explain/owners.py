"""Whose a meeting number is: by Recall's mapping, Zoom's webhooks, or a PMI."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session, col

from dashboard.models.connection import AccountMember, Connection, MeetingMapping
from dashboard.models.webhook import Webhook
from dashboard.services.explain import lookups
from dashboard.services.explain.facts import Means


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose connection counts for a meeting, and why it is that one."""

    connection: Connection
    means: Means
    member: AccountMember | None = None
    mapping: MeetingMapping | None = None


def find(
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
        or (None if host is None else _by_event(session, host))
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
    found = lookups.members(session, col(AccountMember.pmi) == number)
    return next((each for each, row in found if row.id == account.id), None)


def different(claims: Sequence[Connection]) -> list[Connection]:
    """Return one connection for each Zoom user: in two zoom apps they are one."""
    return list({row.zoom_user_id or row.id: row for row in claims}.values())


def _by_mapping(session: Session, number: int) -> Owner | None:
    for mapping, row in lookups.mappings(session, number):
        return Owner(connection=row, means=Means.MAPPING, mapping=mapping)
    return None


def _by_event(session: Session, hook: Webhook) -> Owner | None:
    """Return the connection of the host whom Zoom names; of the same app first."""
    rows = lookups.connections(
        session, col(Connection.zoom_user_id) == hook.zoom_user_id
    )
    rows.sort(key=lambda row: row.zoom_app_id != hook.zoom_app_id)
    if rows:
        return Owner(connection=rows[0], means=Means.EVENT)
    if hook.zoom_account_id is None:
        return None
    account = lookups.of_whole_account(session, hook.zoom_account_id)
    if account is None:
        return None
    return Owner(connection=account, means=Means.EVENT)


def _by_pmi(
    session: Session, number: int, claims: Sequence[Connection]
) -> Owner | None:
    if claims:
        return Owner(connection=claims[0], means=Means.PMI)
    for member, row in lookups.members(session, col(AccountMember.pmi) == number):
        return Owner(connection=row, means=Means.PMI, member=member)
    return None


def _by_former_pmi(session: Session, number: int) -> Owner | None:
    where = col(Connection.previous_pmi) == number
    for row in lookups.connections(session, where):
        return Owner(connection=row, means=Means.FORMER_PMI)
    former = col(AccountMember.previous_pmi) == number
    for member, row in lookups.members(session, former):
        return Owner(connection=row, means=Means.FORMER_PMI, member=member)
    return None
