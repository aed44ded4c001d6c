"""An older copy of the database in the place of the present one, on both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping
from sqlmodel import SQLModel

from dashboard.db import Database

Copy = Mapping[str, Sequence[RowMapping]]
_KEPT = frozenset({"staff", "staff_session", "throttle"})
"""Who may sign in: a copy without its reader would only end the run."""

_AUDIT = "audit_"
"""The audit log, whose entries the database lets nobody change or delete."""


def take(database: Database) -> Copy:
    """Return all that is stored."""
    with database.reading() as session:
        connection = session.connection()
        return {
            table.name: connection.execute(table.select()).mappings().all()
            for table in SQLModel.metadata.sorted_tables
            if table.name not in _KEPT and not table.name.startswith(_AUDIT)
        }


def put_back(database: Database, copy: Copy) -> None:
    """Replace all that is stored by a copy, as it was."""
    tables = [each for each in SQLModel.metadata.sorted_tables if each.name in copy]
    with database.writing() as session:
        connection = session.connection()
        for table in reversed(tables):
            connection.execute(table.delete())
        for table in tables:
            rows: list[dict[str, Any]] = [dict(each) for each in copy[table.name]]
            if rows:
                connection.execute(table.insert(), rows)
