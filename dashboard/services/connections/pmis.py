"""Personal meeting ids: whether one is mapped at Recall, and who else claims it.

Zoom gives a PMI to one user at a time, so of two who claim one the profile of at least
one was read too long ago. The same Zoom user may be connected with several zoom apps.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, or_, select

from dashboard.models.connection import AccountMember, Connection, MeetingMapping
from dashboard.services.facts import meetings

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Another Zoom user who has the same PMI, as far as it is known.

    Attributes:
        connection_id: Of the user, or of the account they are in.
        who: Their name, email or ID.
        seen_at: Since when their PMI is known; None when unknown.
    """

    connection_id: UUID
    who: str
    seen_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PmiStatus:
    """The state of a connection's PMI.

    Attributes:
        mapped_at: When Recall mapped it to this connection; None when it has not.
        seen_at: When that was last seen in Recall's list.
        is_listed: Whether that is lately enough to say that it has it now.
        mapped_to: Other connections that Recall maps the same number to.
        claims: Of others.
    """

    mapped_at: datetime | None = None
    seen_at: datetime | None = None
    is_listed: bool = False
    mapped_to: Sequence[UUID] = ()
    claims: Sequence[Claim] = ()


def status_of(session: Session, row: Connection, *, now: datetime) -> PmiStatus:
    """Return the state of a connection's PMI; each query uses an index."""
    if row.pmi is None:
        return PmiStatus()
    is_its = col(MeetingMapping.meeting_id) == row.pmi
    own = select(MeetingMapping).where(
        is_its, col(MeetingMapping.connection_id) == row.id
    )
    mapping = session.exec(own).first()
    others = (
        select(MeetingMapping.connection_id)
        .join(Connection, col(Connection.id) == col(MeetingMapping.connection_id))
        .where(is_its, _is_another(row))
        .limit(_SHOWN)
    )
    return PmiStatus(
        mapped_at=None if mapping is None else mapping.synced_at,
        seen_at=None if mapping is None else mapping.seen_at,
        is_listed=mapping is not None and meetings.is_listed(mapping, row, now=now),
        mapped_to=session.exec(others).all(),
        claims=_claims(session, row, row.pmi),
    )


def claimed_twice(session: Session, pmis: Collection[int]) -> set[int]:
    """Return which of some PMIs more than one Zoom user claims; two indexed queries."""
    if not pmis:
        return set()
    users = select(Connection.pmi, Connection.zoom_user_id, Connection.id).where(
        col(Connection.pmi).in_(pmis)
    )
    listed = select(AccountMember.pmi, AccountMember.zoom_user_id).where(
        col(AccountMember.pmi).in_(pmis)
    )
    owners: dict[int | None, set[str]] = defaultdict(set)
    for pmi, zoom_user_id, connection_id in session.exec(users):
        owners[pmi].add(zoom_user_id or str(connection_id))
    for pmi, member_id in session.exec(listed):
        owners[pmi].add(member_id)
    return {pmi for pmi, users_of in owners.items() if pmi and len(users_of) > 1}


def _is_another(row: Connection) -> ColumnElement[bool]:
    """Whether a connection is another Zoom user's, and not the user's own account."""
    user_id, account_id = col(Connection.zoom_user_id), col(Connection.zoom_account_id)
    is_whole_account: ColumnElement[bool] = user_id.is_(None)
    if row.zoom_user_id is not None and row.zoom_account_id is not None:
        is_whole_account &= account_id.is_distinct_from(row.zoom_account_id)
    is_user = user_id != (row.zoom_user_id or "")
    return and_(col(Connection.id) != row.id, or_(is_whole_account, is_user))


def _claims(session: Session, row: Connection, pmi: int) -> list[Claim]:
    own = row.zoom_user_id or ""
    others = (
        select(Connection)
        .where(
            col(Connection.pmi) == pmi,
            col(Connection.id) != row.id,
            or_(
                col(Connection.zoom_user_id).is_(None),
                col(Connection.zoom_user_id) != own,
            ),
        )
        .order_by(col(Connection.connected_at).desc())
        .limit(_SHOWN)
    )
    listed = (
        select(AccountMember)
        .where(
            col(AccountMember.pmi) == pmi,
            col(AccountMember.zoom_user_id) != own,
            col(AccountMember.connection_id) != row.id,
        )
        .limit(_SHOWN)
    )
    return [
        *(
            Claim(
                connection_id=one.id,
                who=one.display_name or one.email or one.zoom_user_id or "a Zoom user",
                seen_at=one.pmi_seen_at,
            )
            for one in session.exec(others)
        ),
        *(
            Claim(
                connection_id=one.connection_id,
                who=one.display_name or one.email or one.zoom_user_id,
                seen_at=one.seen_at,
            )
            for one in session.exec(listed)
        ),
    ]
