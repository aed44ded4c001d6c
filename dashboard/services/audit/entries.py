"""Entries: written in the same transaction as the act they record."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import event
from sqlmodel import Session, col, select

from dashboard.db.columns import storable
from dashboard.models.audit import AuditEntry
from dashboard.models.ids import new_id
from dashboard.services.audit import chain, settings_changed
from dashboard.services.audit.changes import Changes, packed

_LONGEST_SUBJECT = 300
_LONGEST_ADDRESS = 64
_RECORDED = "dashboard.audit.recorded"

settings_changed.watch()


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts.

    Attributes:
        name: Email of a person, or words for anybody else.
        staff_id: Of the person signed in; None for anybody else.
        address: Where the request came from; "" when it came by no request.
    """

    name: str
    staff_id: UUID | None = None
    address: str = ""


COMMAND_LINE = Actor(name="command line")
THE_DASHBOARD = Actor(name="dashboard")


def command_line() -> Actor:
    """Return the actor for a command, with the user of the operating system."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return COMMAND_LINE
    return Actor(name=f"{COMMAND_LINE.name} ({storable(name[:64])})")


def a_user(address: str) -> Actor:
    """Return the actor for someone on the hosted connect page."""
    return Actor(name="user", address=address)


def record(  # noqa: PLR0913 - an act has that many sides, all named
    session: Session,
    actor: Actor,
    act: str,
    *,
    subject: str,
    now: datetime,
    changes: Changes | None = None,
    times: int = 1,
) -> None:
    """Add an entry; the caller commits it together with the act.

    Args:
        session: Writing. The entry takes its place in the chain when it commits.
        actor: Who acts.
        act: `<noun>.<past participle>`; `acts.py` has a sentence for each.
        subject: What it is done to, in words and IDs.
        now: Aware.
        changes: What changed, from `changed`; no secrets. Columns that are settings
            are noticed without it (`settings_changed`).
        times: How often it happened, when it was counted.
    """
    entry = AuditEntry(
        id=new_id(now),
        at=now,
        staff_id=actor.staff_id,
        actor=actor.name,
        act=act,
        subject=subject[:_LONGEST_SUBJECT],
        address=actor.address[:_LONGEST_ADDRESS],
        changes=packed(changes),
        times=times,
    )
    session.add(entry)
    if _RECORDED not in session.info:
        session.info[_RECORDED] = []
        event.listen(session, "before_commit", _extend_chain)
    session.info[_RECORDED].append(entry)


def _extend_chain(session: Session) -> None:
    """Chain what this transaction recorded, just before it commits.

    What was recorded in a savepoint that was rolled back is not in the session now.
    """
    if session.in_nested_transaction():
        return
    recorded = cast("list[AuditEntry]", session.info[_RECORDED])
    entries = [entry for entry in recorded if entry in session]
    recorded.clear()
    if entries:
        session.flush()  # all other rows first: the head is locked last
        changes = settings_changed.taken(session)
        if not entries[0].changes:
            entries[0].changes = packed(changes)
        chain.extend(session, entries)


def of_subject(
    session: Session, act: str, subject: str, *, limit: int = 5
) -> Sequence[AuditEntry]:
    """Return the entries of an act on one thing, newest first; few have that act."""
    query = select(AuditEntry).where(
        col(AuditEntry.act) == act, col(AuditEntry.subject) == subject
    )
    return session.exec(query.order_by(col(AuditEntry.id).desc()).limit(limit)).all()
