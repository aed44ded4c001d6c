"""`dashboard db`: upgrade, check, backup, restore."""

import os
import shutil
import sqlite3
from pathlib import Path

import click

from dashboard import schema
from dashboard.cli.opening import opened_database, opened_services
from dashboard.clock import Clock
from dashboard.db import revisions
from dashboard.errors import InvalidInputError, SchemaError


@click.group("db")
def group() -> None:
    """The database: upgrade, check, backup, restore."""


@group.command()
def upgrade() -> None:
    """Bring the tables to this version; SQLite is copied first."""
    with opened_database() as database:
        copy = schema.upgrade_with_backup(database)
        if copy:
            click.echo(f"The former database is kept in {copy}.")
        click.echo(
            f"The tables are at revision {revisions.current_revision(database)}."
        )


@group.command()
def check() -> None:
    """Say whether the tables, the file and the key are right."""
    with opened_services() as runtime:
        database = runtime.database
        if database.is_sqlite:
            _check_file(Path(str(database.url.database)))
            click.echo(f"SQLite {sqlite3.sqlite_version}: the file is sound.")
        click.echo(
            f"The tables are at revision {revisions.current_revision(database)}."
        )
        differing = schema.differences(database)
        if differing:
            raise SchemaError(
                f"The tables differ from this version: {'; '.join(differing)}."
            )
        click.echo("Tables, columns and indexes are those of this version.")
        click.echo("The encryption key opens the database.")


@group.command()
@click.argument("target", required=False, type=click.Path(path_type=Path))
def backup(target: Path | None) -> None:
    """Copy a SQLite database, also while it is in use."""
    with opened_database() as database:
        copy = schema.back_up(database, now=Clock().now())
        if copy is None:
            raise SchemaError(
                "Only a SQLite database is copied here; use pg_dump for PostgreSQL."
            )
        if target is not None:
            copy = Path(shutil.move(copy, target))
        click.echo(f"Copied to {copy}. Keep the encryption key with it, elsewhere.")


@group.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(source: Path) -> None:
    """Put a copy back; the present database is kept beside it."""
    _check_file(source)
    with opened_database() as database:
        if not database.is_sqlite:
            raise SchemaError("Only a SQLite database is restored here.")
        database.lock()
        path = Path(str(database.url.database))
        kept = schema.back_up(database, now=Clock().now())
        fresh = path.with_suffix(".restoring")
        shutil.copyfile(source, fresh)
        fresh.chmod(0o600)
        for tail in ("-wal", "-shm"):
            path.with_name(path.name + tail).unlink(missing_ok=True)
        os.replace(fresh, path)  # noqa: PTH105 - atomic on one file system
        if kept:
            click.echo(f"The former database is kept in {kept}.")
        click.echo("Restored.")


def _check_file(path: Path) -> None:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA quick_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        found = "it is no SQLite database"
    if found != "ok":
        raise InvalidInputError(f"{path} is damaged: {str(found)[:200]}.")
