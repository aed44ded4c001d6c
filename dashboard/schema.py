"""Migrations: bringing the tables to this version, and comparing them with it."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import (
    CheckConstraint,
    Connection,
    MetaData,
    String,
    Table,
    inspect,
    text,
)
from sqlalchemy.engine import Inspector
from sqlmodel import SQLModel

import dashboard.models
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.revisions import current_revision, newest_revision
from dashboard.errors import SchemaError

assert dashboard.models  # noqa: S101 - imported so that every table is known

_MIGRATIONS = Path(__file__).parent / "migrations"
_INITIAL = "0001_initial"
_LAST_FORMER = "0005"
_FORMER = {"0001", "0002", "0003", "0004", _LAST_FORMER}
"""Revisions before the first release; `0001_initial` makes the tables of the last."""

_MOST_SHOWN = 10

_UNFINISHED = text(
    f"""
    SELECT 'index ' || relname || ' is not finished: drop it and create it again'
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT 'constraint ' || conname || ' of ' || conrelid::regclass
        || ' was never validated'
    FROM pg_constraint
    WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
    LIMIT {_MOST_SHOWN}
    """  # noqa: S608 - a number of ours
)

_CAST = re.compile(r"::(character varying|\w+)")
_QUOTED = re.compile(r"'([^']*)'")


def differences(database: Database) -> list[str]:
    """Say how tables, columns, indexes and constraints differ from this version.

    Alembic compares all but primary keys, checks and the conditions of indexes. An
    index over an expression on SQLite is not compared.
    """
    with database.reading() as session:
        return _differences(session.connection(), SQLModel.metadata)


def damage(database: Database) -> list[str]:
    """Say what is broken in the stored data itself, at most a few things of each kind.

    SQLite reads the whole file. PostgreSQL is asked for indexes that were not finished
    and constraints that were never validated.
    """
    with database.reading() as session:
        connection = session.connection()
        if not database.is_sqlite:
            return [name for (name,) in connection.execute(_UNFINISHED)]
        ask = connection.exec_driver_sql
        found = [row[0] for row in ask(f"PRAGMA integrity_check({_MOST_SHOWN})")]
        if found == ["ok"]:
            found = []
        for table, row, wanted, _ in ask("PRAGMA foreign_key_check").fetchmany(
            _MOST_SHOWN
        ):
            found.append(f"row {row} of {table} refers to a row that {wanted} lacks")
    with database.writer.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        found.append(
            f"the journal mode is {mode} instead of wal, so a reader delays webhooks; "
            "put the file on a local disk"
        )
    return found


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to `revision`; commits.

    Raises:
        SchemaError: They are of a former version and cannot be carried over, or of one
            that this program does not know.
    """
    if current_revision(database) in _FORMER:
        _carry_over(database)
    with database.writing() as session:
        try:
            command.upgrade(_config(session.connection()), revision)
        except CommandError:
            raise SchemaError(
                "The database is of a newer version than this program, so it was left "
                "as it is. Install that version, or restore another copy."
            ) from None


def downgrade(database: Database, revision: str) -> None:
    """Bring the tables back to `revision`; commits."""
    with database.writing() as session:
        command.downgrade(_config(session.connection()), revision)


def write_migration(database: Database, name: str, sentence: str) -> None:
    """Write a migration from the models and the tables of the newest one.

    Args:
        database: With the tables of the newest migration.
        name: What the migration changes: "meeting_topics".
        sentence: The same as a sentence.
    """
    with database.writing() as session:
        config = _config(session.connection())
        number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
        revision = f"{number:04}_{name}"
        command.revision(config, sentence, autogenerate=True, rev_id=revision)


def back_up(
    database: Database, *, now: datetime, folder: Path | None = None
) -> Path | None:
    """Copy a SQLite database; return the copy, or None if no database is there.

    The copy is consistent also while the database is being written.

    Args:
        database: The database.
        now: Part of the copy's name.
        folder: Where the copy is made; None: beside the database.
    """
    path = database.file
    if path is None or not path.is_file():
        return None
    copy = (folder or path.parent) / f"{path.stem}-{now:%Y%m%dT%H%M%S}.backup.db"
    copy.touch(mode=0o600)  # before there is anything to read in it
    source = sqlite3.connect(path)
    target = sqlite3.connect(copy)
    try:
        source.backup(target)
    except sqlite3.DatabaseError:  # it is damaged; what is left of it is kept too
        target.close()
        shutil.copyfile(path, copy)
    finally:
        target.close()
        source.close()
    return copy


def upgrade_with_backup(database: Database) -> str | None:
    """Bring the tables to this version; return the backup's path if one was made.

    Commits.

    Raises:
        SchemaError: As `upgrade`.
    """
    found = current_revision(database)
    if found == newest_revision():
        return None
    copy = back_up(database, now=Clock().now()) if found else None
    upgrade(database)
    return str(copy) if copy else None


def _carry_over(database: Database) -> None:
    """Take a database of the former migrations over, its data untouched; commits.

    Raises:
        SchemaError: It is older than the last of them, or differs from it.
    """
    found = current_revision(database)
    if found != _LAST_FORMER:
        raise SchemaError(
            f"This database is at revision {found}, from before the first release. "
            f"Upgrade it to revision {_LAST_FORMER} with the former version of the "
            "dashboard first, then run this command again."
        )
    with database.writing() as session:
        config = _config(session.connection())
        initial: Any = ScriptDirectory.from_config(config).get_revision(_INITIAL)
        differing = _differences(session.connection(), initial.module.metadata)
        if differing:
            raise SchemaError(
                f"This database is at revision {_LAST_FORMER}, but its tables are not "
                f"those of that revision: {'; '.join(differing)}. Nothing was changed. "
                "Fix these differences, then run this command again."
            )
        command.stamp(config, _INITIAL, purge=True)


def _differences(connection: Connection, metadata: MetaData) -> list[str]:
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": types_differ,
            "compare_server_default": _defaults_differ,
        },
    )
    found = [
        sentence
        for each in compare_metadata(context, metadata)
        for sentence in _described(each)
    ]
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name in there:
            found += _unseen_by_alembic(inspector, table)
    return found


def _unseen_by_alembic(inspector: Inspector, table: Table) -> Iterator[str]:
    """Compare the primary key, the checks and the conditions of indexes."""
    key = inspector.get_pk_constraint(table.name)["constrained_columns"]
    if key != [column.name for column in table.primary_key.columns]:
        yield f"primary key of {table.name} differs"

    wanted = {
        str(each.name): _values(_written(inspector, each))
        for each in table.constraints
        if isinstance(each, CheckConstraint)
    }
    checks = {
        str(each["name"]): _values(each["sqltext"])
        for each in inspector.get_check_constraints(table.name)
    }
    for name in sorted(wanted | checks):
        if name not in checks:
            yield f"check {name} of {table.name} is missing"
        elif name not in wanted:
            yield f"check {name} of {table.name} is unknown to this version"
        elif wanted[name] != checks[name]:
            yield f"check {name} of {table.name} differs in its values"

    where = f"{inspector.dialect.name}_where"
    conditions = {
        each["name"]: _condition(each.get("dialect_options", {}).get(where))
        for each in inspector.get_indexes(table.name)
    }
    for index in table.indexes:
        condition = _condition(index.dialect_kwargs.get(where))
        if conditions.get(index.name, condition) != condition:
            yield f"index {index.name} of {table.name} differs in its condition"


def _written(inspector: Inspector, check: CheckConstraint) -> str:
    return str(
        check.sqltext.compile(
            dialect=inspector.dialect, compile_kwargs={"literal_binds": True}
        )
    )


def _values(check: str) -> set[str]:
    """Return the values that a check names; each of ours lists what is allowed."""
    return set(_QUOTED.findall(check))


def _condition(found: object) -> str:
    """Return an index's condition without what PostgreSQL adds to it."""
    return re.sub(
        r"[\s()]", "", _CAST.sub("", "" if found is None else str(found))
    ).lower()


def types_differ(
    context: MigrationContext,
    _found: object,
    _wanted: object,
    found_type: object,
    wanted_type: object,
) -> bool | None:
    """Say that texts of any length are one type on SQLite; None: Alembic compares.

    SQLite stores any length whatever the column says, and changing a column's type
    there means copying a table that others refer to.
    """
    are_texts = isinstance(found_type, String) and isinstance(wanted_type, String)
    is_sqlite = context.dialect.name == "sqlite"
    return False if is_sqlite and are_texts else None


def _defaults_differ(
    _context: object,
    _found: object,
    _wanted: object,
    _found_default: object,
    wanted_default: object,
    _rendered: object,
) -> bool | None:
    """Say that a default which we do not set does no harm; None: Alembic compares.

    Carried-over databases have some, and each value is given when a row is added.
    """
    return False if wanted_default is None else None


def _described(difference: Any) -> Iterator[str]:  # noqa: ANN401 - Alembic types none
    """Say what one of Alembic's differences is; it comes as a tuple or a list."""
    if isinstance(difference, list):  # changes of one column
        for each in difference:
            yield from _described(each)
        return
    kind, *parts = difference
    verb, _, noun = kind.partition("_")
    match verb:
        case "add":
            state = "is missing"
        case "remove":
            state = "is unknown to this version"
        case _:
            state = f"differs in its {noun}"
    if verb == "modify":
        name = f"column {parts[1]}.{parts[2]}"
    elif noun == "column":
        name = f"column {parts[1]}.{parts[2].name}"
    elif noun == "table":
        name = f"table {parts[0].name}"
    else:
        where = getattr(parts[0], "table", None)
        name = f"{noun} {parts[0].name or 'without a name'} of {where}"
    yield f"{name} {state}"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s")
    config.attributes["connection"] = connection
    return config
