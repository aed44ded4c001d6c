"""Migrations: whether the tables are those of this version, and making them so."""

import sqlite3
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel

from dashboard.db import Database
from dashboard.errors import SchemaError


def newest_revision() -> str:
    """Return the revision that this version of the code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SchemaError("This installation carries no migrations.")
    return head


def current_revision(database: Database) -> str | None:
    """Return the revision of the tables that are there, or None for no tables."""
    with database.reading() as session:
        connection = session.connection()
        return MigrationContext.configure(connection).get_current_revision()


def require_newest(database: Database) -> None:
    """Refuse tables of another version.

    Raises:
        SchemaError: Names the command that mends it.
    """
    found = current_revision(database)
    if found == newest_revision():
        return
    state = "has no tables yet" if found is None else "is of another version"
    raise SchemaError(f"The database {state}. Run: dashboard db upgrade")


def differences(database: Database) -> list[object]:
    """Return what the models have and the tables lack, or the other way round."""
    with database.writing() as session:
        context = MigrationContext.configure(session.connection())
        return list(compare_metadata(context, SQLModel.metadata))


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to `revision`; commits."""
    with database.writing() as session:
        command.upgrade(_config(session.connection()), revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the tables back to `revision`; commits."""
    with database.writing() as session:
        command.downgrade(_config(session.connection()), revision)


def back_up(database: Database, *, now: datetime) -> Path | None:
    """Copy a SQLite database beside itself; return the copy, or None if none is there.

    The copy is consistent also while the database is being written.
    """
    path = Path(database.url.database or "")
    if not database.is_sqlite or not path.is_file():
        return None
    copy = path.with_name(f"{path.stem}-{now:%Y%m%dT%H%M%S}.backup.db")
    source = sqlite3.connect(path)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
    copy.chmod(0o600)
    return copy


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
