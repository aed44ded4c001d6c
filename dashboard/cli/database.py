"""`dashboard db` and `dashboard keys`: the database and its encryption keys."""

import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

import click

from dashboard import schema
from dashboard.cli.opening import opened_database, opened_services
from dashboard.clock import Clock
from dashboard.db import Database, revisions
from dashboard.errors import DatabaseBusyError, InvalidInputError, SchemaError
from dashboard.services import audit
from dashboard.services.audit import signing
from dashboard.services.encryption import keys
from dashboard.services.repair import repair


@click.group("db")
def group() -> None:
    """Upgrade, check, back up and restore the database."""


@group.command()
def upgrade() -> None:
    """Upgrade the tables to this version. SQLite is backed up first."""
    with opened_database() as database:
        before = revisions.current_revision(database)
        copy = schema.upgrade_with_backup(database)
        if copy:
            click.echo(f"The previous database was saved as {copy}.")
        revision = revisions.current_revision(database)
        if revision != before:
            _record(database, "database.upgraded", f"{before or 'empty'} to {revision}")
        click.echo(f"Tables are at revision {revisions.current_revision(database)}.")


@group.command()
def check() -> None:
    """Check the data, the tables, their constraints and the encryption key."""
    with opened_services() as runtime:
        database = runtime.database
        broken = schema.damage(database)
        if broken:
            raise SchemaError(
                f"The database has problems: {'; '.join(broken)}. Nothing was changed. "
                "Fix them, or restore the latest backup."
            )
        if database.is_sqlite:
            click.echo(f"SQLite {sqlite3.sqlite_version}: the file is intact.")
        click.echo(f"Tables are at revision {revisions.current_revision(database)}.")
        differing = schema.differences(database)
        if differing:
            raise SchemaError(
                f"The tables differ from this version: {'; '.join(differing)}."
            )
        click.echo("Tables, columns, indexes and constraints match this version.")
        click.echo("The encryption key is correct.")


@group.command()
@click.argument("target", required=False, type=click.Path(path_type=Path))
def backup(target: Path | None) -> None:
    """Back up a SQLite database, even while it is in use."""
    with opened_database() as database:
        is_named = target is not None and not target.is_dir()
        folder = target.parent if target is not None and is_named else target
        copy = schema.back_up(database, now=Clock().now(), folder=folder)
        if copy is None:
            raise SchemaError(
                "This command backs up SQLite only. Use pg_dump for PostgreSQL."
            )
        if target is not None and is_named:
            copy = copy.replace(target)
        _record_if_free(database, "database.backed_up", copy.name)
        click.echo(f"Saved as {copy}. Back up the encryption key too.")


@group.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(source: Path) -> None:
    """Restore a backup while the dashboard is stopped. The database is saved first."""
    _check_file(source)
    with opened_database() as database:
        path = database.file
        if path is None:
            raise SchemaError(
                "This command restores SQLite only. Use pg_restore for PostgreSQL."
            )
        with database.alone():
            pass  # refuses before anything is copied
        kept = schema.back_up(database, now=Clock().now())
        fresh = path.with_suffix(".restoring")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)  # nobody else reads it while it is written
        shutil.copyfile(source, fresh)
        with database.alone():
            for tail in ("-wal", "-shm"):
                path.with_name(path.name + tail).unlink(missing_ok=True)
            os.replace(fresh, path)  # noqa: PTH105 - atomic on one file system
        if kept:
            click.echo(f"The previous database was saved as {kept}.")
    with opened_database() as database:
        schema.upgrade(database)
        _mark_restored(database)
        _record(database, "database.restored", source.name)
        click.echo("Restored. Everything is checked again after the start.")


@group.command()
def restored() -> None:
    """Mark a PostgreSQL database that you restored or moved: check all of it again."""
    with opened_database() as database:
        revisions.require_newest(database)
        _mark_restored(database)
        _record(database, "database.restored", "marked")
        click.echo("Marked. Everything is checked again after the start.")


def _mark_restored(database: Database) -> None:
    with database.writing() as session:
        repair.mark_restored(session, now=Clock().now())


def _record(database: Database, act: str, subject: str) -> None:
    """Commits."""
    with database.writing() as session:
        who, now = audit.command_line(), Clock().now()
        audit.record(session, who, act, subject=subject, now=now)


def _record_if_free(database: Database, act: str, subject: str) -> None:
    """As `_record`; a backup beside a running server can't write to SQLite."""
    with suppress(DatabaseBusyError, SchemaError):
        revisions.require_newest(database)
        _record(database, act, subject)


def _check_file(path: Path) -> None:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            found = connection.execute("PRAGMA quick_check").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        found = "it is not a SQLite database"
    if found != "ok":
        raise InvalidInputError(f"{path} is damaged: {str(found)[:200]}.")


@click.group("keys")
def keys_group() -> None:
    """Rotate the encryption keys."""


@keys_group.command()
def rotate() -> None:
    """Re-encrypt everything with the newest key."""
    with opened_services() as runtime:
        changed = keys.reseal(runtime.database, runtime.vault)
        with runtime.database.writing() as session:
            audit.record(
                session,
                audit.command_line(),
                "keys.rotated",
                subject=f"{changed} values",
                now=runtime.clock.now(),
            )
            signing.add_key(session, runtime.vault, now=runtime.clock.now())
    click.echo(f"Re-encrypted {changed} values. You can remove the old keys.")
