"""Emails that connected users had before: kept when one changes, found by them later.

An email is in lower case, as `Connection.email` is. The newest few of each user are
kept, as long as the connection is.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, delete, func, select, tuple_

from dashboard.models.connection import FormerEmail
from dashboard.models.ids import new_id

MOST = 5
"""So many of one user are kept."""

_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Change:
    """An email of one user that may have become another.

    Attributes:
        former: As it was; "" for none.
        current: As it is.
        zoom_user_id: Of a user of a connected account; "" for the connection's own.
    """

    former: str
    current: str
    zoom_user_id: str = ""


def keep(
    session: Session, connection_id: UUID, changes: Collection[Change], *, at: datetime
) -> None:
    """Keep the former emails of those whose email is another now; the caller commits.

    Args:
        session: Writing; the connection is in the database already.
        connection_id: Whose, or whose users'.
        changes: At most one of each user.
        at: When they changed.
    """
    real = list(_real(changes))
    mine = col(FormerEmail.connection_id) == connection_id
    user_id = col(FormerEmail.zoom_user_id)
    for begin in range(0, len(real), _AT_ONCE):
        some = real[begin : begin + _AT_ONCE]
        now_held = [(one.zoom_user_id, one.current) for one in some]
        kept_anew = [(one.zoom_user_id, one.former) for one in some]
        is_outdated = tuple_(user_id, col(FormerEmail.email)).in_(now_held + kept_anew)
        session.exec(delete(FormerEmail).where(mine, is_outdated))
        session.add_all(
            FormerEmail(
                id=new_id(at),
                connection_id=connection_id,
                zoom_user_id=one.zoom_user_id,
                email=one.former,
                until=at,
            )
            for one in some
        )
        session.flush()
        are_some = user_id.in_([one.zoom_user_id for one in some])
        many = select(FormerEmail.zoom_user_id).where(mine, are_some).group_by(user_id)
        for each in session.exec(many.having(func.count() > MOST)).all():
            _trim(session, connection_id, each)


def _real(changes: Collection[Change]) -> Iterator[Change]:
    for one in changes:
        former, current = one.former.strip().lower()[:254], one.current.strip().lower()
        if former and current and former != current:
            yield Change(former=former, current=current, zoom_user_id=one.zoom_user_id)


def _trim(session: Session, connection_id: UUID, zoom_user_id: str) -> None:
    theirs = (
        col(FormerEmail.connection_id) == connection_id,
        col(FormerEmail.zoom_user_id) == zoom_user_id,
    )
    newest = select(FormerEmail.id).where(*theirs)
    newest = newest.order_by(col(FormerEmail.until).desc(), col(FormerEmail.id).desc())
    older = session.exec(newest.offset(MOST).limit(_AT_ONCE)).all()
    session.exec(delete(FormerEmail).where(col(FormerEmail.id).in_(older)))


def of(session: Session, connection_id: UUID) -> Sequence[FormerEmail]:
    """Return all of a connection and its users, newest first."""
    mine = col(FormerEmail.connection_id) == connection_id
    query = select(FormerEmail).where(mine).order_by(col(FormerEmail.until).desc())
    return session.exec(query).all()


def found(
    session: Session, emails: Collection[str], *, limit: int
) -> Sequence[FormerEmail]:
    """Return whose former email one of these is, the latest change first."""
    query = select(FormerEmail).where(col(FormerEmail.email).in_(emails))
    return session.exec(
        query.order_by(col(FormerEmail.until).desc()).limit(limit)
    ).all()
