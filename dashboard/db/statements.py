"""Statements that differ between SQLite and PostgreSQL, or that the types hide."""

from typing import Any, cast

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session


def insert(session: Session | Connection, table: Any) -> Any:  # noqa: ANN401 - a table or a model; the Insert of either dialect
    """Return the dialect's INSERT, which knows ON CONFLICT.

    Args:
        session: Says which dialect; nothing is sent.
        table: A `Table`, or a model.
    """
    bind = session if isinstance(session, Connection) else session.get_bind()
    is_sqlite = bind.dialect.name == "sqlite"
    return (sqlite.insert if is_sqlite else postgresql.insert)(table)


def rows_changed(result: object) -> int:
    """Return how many rows an UPDATE or DELETE changed.

    Not for an INSERT of a model: psycopg then gives -1. Ask it for `RETURNING`.
    """
    return cast("CursorResult[object]", result).rowcount
