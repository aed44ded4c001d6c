"""Leases: one process at a time works on a row, until an instant.

A claim sets the end of the lease and raises the row's counter in one UPDATE. Whoever
writes a result back does so on condition that the counter is still the one of its claim
(the fencing token), so a worker that comes late changes nothing. A process that dies
gives its rows back when the lease ends.
"""

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlmodel import Session, SQLModel, col, or_, select, update

from dashboard.db.statements import rows_changed

Model = TypeVar("Model", bound=SQLModel)


def is_free(lease_until: datetime | None, now: datetime) -> ColumnElement[bool]:
    """Return the condition of rows that no process works on.

    Args:
        lease_until: The model's column.
        now: Aware.
    """
    column = col(lease_until)
    return or_(column.is_(None), column <= now)


def claim(
    session: Session,
    model: type[SQLModel],
    *where: ColumnElement[bool],
    until: datetime,
    now: datetime,
    lease: str = "lease_until",
    **values: object,
) -> bool:
    """Claim one free row; the caller commits.

    Args:
        session: Writing.
        model: Has the column `lease` and the counter `claim`.
        where: Which row, and what must hold beside being free.
        until: When the lease ends: aware.
        now: Aware.
        lease: Name of the column of the end of the lease.
        values: Other columns that change with the claim.

    Returns:
        Whether it was claimed; False when another process has it.
    """
    counter: Any = getattr(model, "claim")  # noqa: B009 - not every model has one
    statement = update(model).where(*where, is_free(getattr(model, lease), now))
    changed = session.exec(
        statement.values({lease: until, "claim": col(counter) + 1, **values})
    )
    return rows_changed(changed) == 1


def is_due(due_at: datetime | None, now: datetime) -> ColumnElement[bool]:
    """Return the condition of rows whose due time has come; None is due now."""
    return is_free(due_at, now)


def claim_due(
    session: Session,
    model: type[SQLModel],
    *where: ColumnElement[bool],
    due: str,
    now: datetime,
    until: datetime,
) -> bool:
    """Claim one due row by moving its due time ahead; the caller commits.

    For work that may be done twice without harm: there is no counter to write back by.

    Args:
        session: Writing.
        model: Has the column `due`.
        where: Which row.
        due: Name of the column of the due time.
        now: Aware.
        until: When it is due again if nothing is written back: aware.

    Returns:
        Whether it was claimed; False when another process has it.
    """
    still_due = is_due(getattr(model, due), now)
    moved = session.exec(update(model).where(*where, still_due).values({due: until}))
    return rows_changed(moved) == 1


def held(
    session: Session, model: type[Model], *where: ColumnElement[bool], claim: int
) -> Model | None:
    """Return a claimed row, locked until the commit, to write a result to.

    Args:
        session: Writing.
        model: Has the counter `claim`.
        where: Which row.
        claim: The counter as it was after the caller's claim.

    Returns:
        None when another process has claimed the row since: write nothing then.
    """
    counter: Any = getattr(model, "claim")  # noqa: B009 - as above
    query = select(model).where(*where, col(counter) == claim)
    return session.exec(query.with_for_update()).first()
