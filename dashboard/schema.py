"""Migrations: making the tables those of this version."""

import sqlite3
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.revisions import current_revision, newest_revision


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


def upgrade_with_backup(database: Database) -> str | None:
    """Bring the tables to this version; return the backup's path if one was made."""
    found = current_revision(database)
    if found == newest_revision():
        return None
    copy = back_up(database, now=Clock().now()) if found else None
    upgrade(database)
    return str(copy) if copy else None


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
