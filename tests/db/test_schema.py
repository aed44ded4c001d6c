"""Migrations: up, down, compared with the models; former databases carried over."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, column, inspect, make_url, table, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

from dashboard import schema
from dashboard.db import Database, revisions
from dashboard.errors import DashboardError, SchemaError
from dashboard.models.connection import AccountMember, Connection, TokenState
from dashboard.models.staff import Role, Staff
from dashboard.models.webhook import Attempt, Outcome, Webhook, WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.vault import Vault
from tests.makers import (
    NOON,
    a_body,
    a_connection,
    a_webhook,
    a_workspace,
    a_zoom_app,
)

ROLES = ", ".join(f"'{role.value}'" for role in Role)
FORMER = Path(__file__).parent / "former"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database without tables."""
    if request.param == "sqlite":
        file = tmp_path / "empty.db"
        file.touch()  # no file is made inside a transaction
        database = Database(f"sqlite:///{file}")
    else:
        database = _new_postgresql(request.getfixturevalue("postgresql_server"))
    yield database
    database.close()


@pytest.fixture
def former(empty: Database) -> Database:
    """Give a database that the five migrations before the first release made."""
    name = "sqlite" if empty.is_sqlite else "postgresql"
    statements = (FORMER / f"{name}.sql").read_text().split(";\n")
    with empty.writing() as session:
        for statement in filter(str.strip, statements):
            session.connection().exec_driver_sql(statement)
    return empty


def _new_postgresql(server: str) -> Database:
    name = f"empty_{uuid4().hex[:8]}"
    maker = Database(server)
    with maker.writer.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    maker.close()
    url = make_url(server).set(database=name)
    return Database(url.render_as_string(hide_password=False))


def _run(database: Database, *statements: str) -> None:
    with database.writing() as session:
        for statement in statements:
            session.connection().exec_driver_sql(statement)


def _fill(database: Database, vault: Vault) -> None:
    """Add rows to several tables that refer to one another.

    The tables may be of a former version: columns that they lack are left out.
    """
    workspace = a_workspace(vault)
    app = a_zoom_app(vault, workspace_id=workspace.id)
    rows: list[SQLModel] = [
        Staff(
            id=uuid4(),
            email="a@b.org",
            role=Role.ADMIN,
            password_hash="x",
            created_at=NOON,
        ),
        workspace,
        app,
        a_connection(app),
    ]
    for number, outcome in ((1, Outcome.WAITING), (2, Outcome.DELIVERED)):
        webhook = a_webhook(app, id=number, dedupe=bytes([number]), outcome=outcome)
        attempt = Attempt(
            id=number + 10,
            webhook_id=number,
            started_at=NOON,
            latency_ms=12.5,
            status=503,
            answer="busy",
            verdict="Later.",
            sent_sha256="abc",
        )
        rows += [webhook, a_body(vault, webhook), attempt]
    with database.writing() as session:
        for row in rows:
            now = _table(type(row))
            there = _columns(session, now)
            # Not `now` itself: SQLAlchemy would add the defaults of what is not there.
            then = table(now.name, *(column(name, now.c[name].type) for name in there))
            values = {name: getattr(row, name) for name in there}
            found = inspect(session.connection()).get_columns(now.name)
            for name in _FORMER.keys() & {each["name"] for each in found}:
                then.append_column(column(name))
                values[name] = _FORMER[name]
            session.connection().execute(then.insert().values(values))


_FORMER = {"session_epoch": 0}
"""Columns without a default that are gone by now."""

_TABLES = (Staff, Workspace, ZoomApp, Connection, Webhook, WebhookBody, Attempt)


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


def _columns(session: Session, table: Table) -> list[str]:
    found = inspect(session.connection()).get_columns(table.name)
    return [each["name"] for each in found if each["name"] in table.c]


def _rows(database: Database) -> list[dict[str, object]]:
    with database.reading() as session:
        return [
            dict(row)
            for model in _TABLES
            for row in session.connection()
            .execute(
                select(
                    *(
                        _table(model).c[name]
                        for name in _columns(session, _table(model))
                    )
                ).order_by(text("1"))
            )
            .mappings()
        ]


def test_migrations_go_up_down_and_up(empty: Database) -> None:
    for _ in range(2):
        schema.upgrade(empty)
        assert revisions.current_revision(empty) == revisions.newest_revision()
        schema.downgrade(empty, "base")


def test_the_models_are_the_migrated_schema(database: Database) -> None:
    assert schema.differences(database) == []


def test_old_tables_are_refused_with_the_command_that_fixes_it(
    sqlite: Database,
) -> None:
    schema.downgrade(sqlite, "base")

    with pytest.raises(DashboardError, match="dashboard db upgrade"):
        revisions.require_newest(sqlite)


def test_a_former_database_is_carried_over_with_its_data(
    former: Database, vault: Vault
) -> None:
    _fill(former, vault)
    before = _rows(former)

    schema.upgrade(former)

    assert revisions.current_revision(former) == revisions.newest_revision()
    assert schema.differences(former) == []
    after = [
        {name: row[name] for name in kept}
        for row, kept in zip(_rows(former), before, strict=True)
    ]
    assert after == before
    assert len(before) == 10  # one of each of four tables, two of each of three


def test_a_carried_over_database_takes_new_rows(former: Database, vault: Vault) -> None:
    schema.upgrade(former)

    _fill(former, vault)

    with former.reading() as session:
        states = session.exec(select(Connection.token_state)).all()
    assert states == [TokenState.HEALTHY]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "DROP INDEX ix_erasure_zoom_app_id",
            "index ix_erasure_zoom_app_id of",
        ),
        ("DROP INDEX ix_webhook_dead", "index ix_webhook_dead of webhook is missing"),
        ("DROP TABLE page_design", "table page_design is missing"),
        ("ALTER TABLE staff ADD COLUMN age INTEGER", "column staff.age is unknown"),
        ("CREATE INDEX ix_mine ON staff (role)", "index ix_mine of staff is unknown"),
    ],
)
def test_a_former_database_that_differs_is_left_alone(
    former: Database, statement: str, sentence: str
) -> None:
    _run(former, statement)

    with pytest.raises(SchemaError, match=sentence):
        schema.upgrade(former)

    assert revisions.current_revision(former) == "0005"


def test_an_older_database_needs_the_former_version_first(former: Database) -> None:
    _run(former, "UPDATE alembic_version SET version_num = '0003'")

    with pytest.raises(SchemaError, match="to revision 0005 with the former"):
        schema.upgrade(former)

    assert revisions.current_revision(former) == "0003"


def test_emails_of_an_older_database_are_put_in_lower_case(
    empty: Database, vault: Vault
) -> None:
    schema.upgrade(empty)
    with empty.writing() as session:
        app = a_zoom_app(vault)
        session.add(app)
        session.flush()
        row = a_connection(app, email="Ana.Nowak@Example.com")
        session.add(row)
        session.flush()
        session.add(
            AccountMember(
                connection_id=row.id,
                zoom_user_id="u",
                email="Ben@Example.com",
                seen_at=NOON,
            )
        )

    schema.downgrade(empty, "0007_erasure_reason")
    schema.upgrade(empty)

    with empty.reading() as session:
        found = [*session.exec(select(Connection.email))]
        found += session.exec(select(AccountMember.email))
    assert found == ["ana.nowak@example.com", "ben@example.com"]


def test_a_dropped_index_is_a_difference(empty: Database) -> None:
    schema.upgrade(empty)
    _run(empty, "DROP INDEX ix_connection_search_text_connected_at_id")

    assert schema.differences(empty) == [
        "index ix_connection_search_text_connected_at_id of connection is missing"
    ]


CHANGES = [
    pytest.param(
        "staff",
        ("email VARCHAR(254)", "email INTEGER"),
        "ALTER TABLE staff ALTER COLUMN email TYPE integer USING 0",
        "column staff.email differs in its type",
        id="a type",
    ),
    pytest.param(
        "staff",
        ("created_at DATETIME", "created_at VARCHAR(40)"),
        "ALTER TABLE staff ALTER COLUMN created_at TYPE timestamp without time zone",
        "column staff.created_at differs in its type",
        id="a time's type",
    ),
    pytest.param(
        "staff",
        ("email VARCHAR(254) NOT NULL", "email VARCHAR(254)"),
        "ALTER TABLE staff ALTER COLUMN email DROP NOT NULL",
        "column staff.email differs in its nullable",
        id="a value may be missing",
    ),
    pytest.param(
        "staff",
        ("disabled_at DATETIME", "disabled_at DATETIME NOT NULL DEFAULT 0"),
        "ALTER TABLE staff ALTER COLUMN disabled_at SET NOT NULL",
        "column staff.disabled_at differs in its nullable",
        id="a value must be there",
    ),
    pytest.param(
        "webhook",
        (" BOOLEAN DEFAULT 0", " BOOLEAN"),
        "ALTER TABLE webhook ALTER COLUMN is_unreadable DROP DEFAULT",
        "column webhook.is_unreadable differs in its default",
        id="a default is missing",
    ),
    pytest.param(
        "webhook",
        (" BOOLEAN DEFAULT 0", " BOOLEAN DEFAULT 1"),
        "ALTER TABLE webhook ALTER COLUMN is_unreadable SET DEFAULT true",
        "column webhook.is_unreadable differs in its default",
        id="another default",
    ),
    pytest.param(
        "staff",
        ("UNIQUE (email)", "UNIQUE (email, id)"),
        "ALTER TABLE staff DROP CONSTRAINT uq_staff_email",
        "constraint uq_staff_email of staff is missing",
        id="unique",
    ),
    pytest.param(
        "held_grant",
        ("PRIMARY KEY (connection_id)", "PRIMARY KEY (connection_id, key_hash)"),
        "ALTER TABLE held_grant DROP CONSTRAINT pk_held_grant",
        "primary key of held_grant differs",
        id="the primary key",
    ),
    pytest.param(
        "held_grant",
        (
            "REFERENCES connection (id)",
            "REFERENCES zoom_app (id)",
        ),
        "ALTER TABLE held_grant DROP CONSTRAINT fk_held_grant_connection_id_connection",
        "fk fk_held_grant_connection_id_connection of held_grant is missing",
        id="a foreign key",
    ),
    pytest.param(
        "held_grant",
        (" ON DELETE CASCADE", ""),
        "ALTER TABLE held_grant "
        "DROP CONSTRAINT fk_held_grant_connection_id_connection, "
        "ADD CONSTRAINT fk_held_grant_connection_id_connection "
        "FOREIGN KEY (connection_id) REFERENCES connection (id)",
        "fk fk_held_grant_connection_id_connection of held_grant is missing",
        id="what a foreign key deletes",
    ),
    pytest.param(
        "staff",
        (
            f"CONSTRAINT ck_staff_role CHECK (role IN ({ROLES}))",
            "CHECK (1)",
        ),
        "ALTER TABLE staff DROP CONSTRAINT ck_staff_role",
        "check ck_staff_role of staff is missing",
        id="a check",
    ),
    pytest.param(
        "staff",
        ("'support'", "'support', 'owner'"),
        "ALTER TABLE staff DROP CONSTRAINT ck_staff_role, ADD CONSTRAINT "
        f"ck_staff_role CHECK (role IN ({ROLES}, 'owner'))",
        "check ck_staff_role of staff differs in its values",
        id="the values of a check",
    ),
    pytest.param(
        "staff",
        (
            "CONSTRAINT uq_staff_email",
            "CONSTRAINT ck_short CHECK (length(email) < 9), CONSTRAINT uq_staff_email",
        ),
        "ALTER TABLE staff ADD CONSTRAINT ck_short CHECK (length(email) < 9)",
        "check ck_short of staff is unknown to this version",
        id="a check of somebody else",
    ),
    pytest.param(
        "ix_webhook_timing",
        ("timing IS NOT NULL", "timing IS NULL"),
        "DROP INDEX ix_webhook_timing;"
        "CREATE INDEX ix_webhook_timing ON webhook (timing, id) WHERE timing IS NULL",
        "index ix_webhook_timing of webhook differs in its condition",
        id="the condition of an index",
    ),
    pytest.param(
        "ix_webhook_timing",
        ("WHERE timing IS NOT NULL", ""),
        "DROP INDEX ix_webhook_timing;"
        "CREATE INDEX ix_webhook_timing ON webhook (timing, id)",
        "index ix_webhook_timing of webhook differs in its condition",
        id="an index over all rows",
    ),
]


@pytest.mark.parametrize(("name", "rewritten", "statements", "sentence"), CHANGES)
def test_what_was_changed_in_a_table_is_a_difference(
    database: Database,
    name: str,
    rewritten: tuple[str, str],
    statements: str,
    sentence: str,
) -> None:
    """The change is undone at the end: the tables are shared by other tests."""
    with _changed(database, name, rewritten, statements) as connection:
        found = schema._differences(connection, SQLModel.metadata)

    assert sentence in found
    assert schema.differences(database) == []


@contextmanager
def _changed(
    database: Database, name: str, rewritten: tuple[str, str], statements: str
) -> Iterator[Any]:
    """Change the tables in a transaction that is rolled back."""
    with database.writer.connect() as connection, connection.begin() as all_of_it:
        if database.is_sqlite:
            change = connection.exec_driver_sql
            old = change(
                "SELECT sql FROM sqlite_master WHERE name = ?", (name,)
            ).scalar_one()
            assert rewritten[0] in old
            change("PRAGMA writable_schema = ON")
            change(
                "UPDATE sqlite_master SET sql = ? WHERE name = ?",
                (old.replace(*rewritten), name),
            )
            change("PRAGMA writable_schema = RESET")
        else:
            for statement in statements.split(";"):
                connection.exec_driver_sql(statement)
        yield connection
        all_of_it.rollback()


def test_an_intact_database_has_no_damage(database: Database) -> None:
    assert schema.damage(database) == []


def test_a_row_that_an_index_lacks_is_damage(empty_file: Path) -> None:
    with closing(sqlite3.connect(empty_file, isolation_level=None)) as damaged:
        damaged.execute("PRAGMA writable_schema = ON")
        [index] = damaged.execute(
            "SELECT * FROM sqlite_master WHERE name = 'ix_staff_session_staff_id'"
        )
        damaged.execute("DELETE FROM sqlite_master WHERE name = ?", (index[1],))
    with closing(sqlite3.connect(empty_file, isolation_level=None)) as damaged:
        damaged.execute(
            "INSERT INTO staff_session (id, staff_id, created_at, last_used_at, "
            "address, user_agent) VALUES ('a', 'nobody', '2026', '2026', '', '')"
        )
        damaged.execute("PRAGMA writable_schema = ON")
        damaged.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", index)

    assert found_in(empty_file) == [
        "row 1 missing from index ix_staff_session_staff_id",
        "wrong # of entries in index ix_staff_session_staff_id",
        "row 1 of staff_session refers to a row that staff lacks",
    ]


def test_a_great_deal_of_damage_is_said_in_a_few_lines(empty_file: Path) -> None:
    with closing(sqlite3.connect(empty_file, isolation_level=None)) as damaged:
        row = (
            "INSERT INTO staff_session (id, staff_id, created_at, last_used_at, "
            "address, user_agent) VALUES (?, 'nobody', '2026', '2026', '', '')"
        )
        for n in range(50):
            damaged.execute(row, (str(n),))

    assert len(found_in(empty_file)) == 10


def test_a_file_without_a_write_ahead_log_is_named(
    empty_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network drive: this way of locking files has no shared memory."""
    monkeypatch.chdir(empty_file.parent)
    with closing(sqlite3.connect(empty_file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")

    [found] = found_in(f"file:{empty_file}?vfs=unix-dotfile&uri=true")

    assert found.startswith("the journal mode is delete instead of wal")
    assert not Path("file:").exists()


@pytest.fixture
def empty_file(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """Give the file of a database with tables and without rows."""
    return Path(shutil.copyfile(migrated_sqlite, tmp_path / "own.db"))


def found_in(file: Path | str) -> list[str]:
    database = Database(f"sqlite:///{file}")
    try:
        return schema.damage(database)
    finally:
        database.close()


def test_what_postgresql_did_not_finish_is_damage(postgresql_server: str) -> None:
    database = _new_postgresql(postgresql_server)
    schema.upgrade(database)
    row = (
        "INSERT INTO staff_session "
        "VALUES ('{}', gen_random_uuid(), now(), now(), '', '')"
    )
    key = "fk_staff_session_staff_id_staff"
    _run(
        database,
        f"ALTER TABLE staff_session DROP CONSTRAINT {key}",
        row.format("a"),
        row.format("b"),
        f"ALTER TABLE staff_session ADD CONSTRAINT {key} FOREIGN KEY (staff_id) "
        "REFERENCES staff (id) ON DELETE CASCADE NOT VALID",
    )
    apart = database.writer.execution_options(isolation_level="AUTOCOMMIT")
    with apart.connect() as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql(
            "CREATE UNIQUE INDEX CONCURRENTLY ix_twice ON staff_session (address)"
        )

    found = schema.damage(database)

    database.close()
    assert found == [
        "index ix_twice is not finished: drop it and create it again",
        f"constraint {key} of staff_session was never validated",
    ]


def test_the_newest_revision_is_the_one_that_none_follows(tmp_path: Path) -> None:
    (tmp_path / "0001_initial.py").write_text(
        'revision = "0001_initial"\ndown_revision = None\n'
    )
    (tmp_path / "a_name_without_a_number.py").write_text(
        'revision = "meeting_topics"\ndown_revision = "0001_initial"\n'
    )

    assert revisions.newest_revision(tmp_path) == "meeting_topics"


def test_migrations_with_two_ends_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            f'revision = "{name}"\ndown_revision = None\n'
        )

    with pytest.raises(SchemaError, match="2 ends instead of one"):
        revisions.newest_revision(tmp_path)
