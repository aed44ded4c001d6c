"""The audit log: written in the same transaction as the act it tells of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.ids import new_id


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts.

    Attributes:
        name: E-mail of a person, or words for anybody else.
        staff_id: Of the person signed in; None for anybody else.
        address: Where the request came from; "" when it came by no request.
    """

    name: str
    staff_id: UUID | None = None
    address: str = ""


COMMAND_LINE = Actor(name="command line")
THE_DASHBOARD = Actor(name="dashboard")


def a_user(address: str) -> Actor:
    """Return the actor for somebody on the hosted connect page."""
    return Actor(name="user", address=address)


def record(
    session: Session, actor: Actor, act: str, *, subject: str, now: datetime
) -> None:
    """Add an entry; the caller commits it together with the act."""
    session.add(
        AuditEntry(
            id=new_id(now),
            at=now,
            staff_id=actor.staff_id,
            actor=actor.name,
            act=act,
            subject=subject[:300],
            address=actor.address,
        )
    )


def of_subject(
    session: Session, act: str, subject: str, *, limit: int = 5
) -> Sequence[AuditEntry]:
    """Return the entries of an act on one thing, newest first; few have that act."""
    query = select(AuditEntry).where(
        col(AuditEntry.act) == act, col(AuditEntry.subject) == subject
    )
    return session.exec(query.order_by(col(AuditEntry.id).desc()).limit(limit)).all()


def page(
    session: Session, *, before: int | None = None, act: str = "", limit: int = 50
) -> Sequence[AuditEntry]:
    """Return entries newest first, older than id `before` when one is given."""
    query = select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(AuditEntry.id) < before)
    if act:
        query = query.where(col(AuditEntry.act).startswith(act, autoescape=True))
    return session.exec(query).all()
