"""Migrations: up, down, compared with the models; former databases carried over."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Table, column, inspect, make_url, table, text
from sqlmodel import Session, SQLModel, select

from dashboard import schema
from dashboard.db import Database, revisions
from dashboard.errors import DashboardError, SchemaError
from dashboard.models.connection import Connection, TokenState
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

FORMER = Path(__file__).parent / "former"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database without tables."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
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


def test_a_dropped_index_is_a_difference(empty: Database) -> None:
    schema.upgrade(empty)
    _run(empty, "DROP INDEX ix_connection_search_text_connected_at_id")

    assert schema.differences(empty) == [
        "index ix_connection_search_text_connected_at_id of connection is missing"
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
