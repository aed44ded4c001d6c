"""Two roles on PostgreSQL as docs/postgresql.md sets them up: one owns, one works."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import make_url

from dashboard.app import build_runtime, chores
from dashboard.db import Database
from dashboard.models.webhook import Outcome
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings
from dashboard.worker import Worker
from tests.conftest import HTTPS
from tests.fixtures.relay import app_id, arrive, at_recall, find, recall_app
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import FakeClock

__all__ = ["app_id", "recall_app", "terminal"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "postgresql.md"
FORBIDDEN = [
    "DROP TABLE webhook",
    "ALTER TABLE staff ADD COLUMN extra text",
    "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
    "TRUNCATE webhook",
    "CREATE TABLE extra (id int)",
    "CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "UPDATE alembic_version SET version_num = 'x'",
    "SET ROLE dashboard_owner",
]


def url(server: str, role: str | None, database: str) -> str:
    made = make_url(server).set(drivername="postgresql", database=database)
    if role is not None:
        made = made.set(username=role)
    return made.render_as_string(hide_password=False)


@pytest.fixture
def two_roles(postgresql_server: str, terminal: Terminal) -> Iterator[str]:
    """Follow the document; give the URL of the role that works."""
    begin, rights, after = re.findall(
        r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    owner = url(postgresql_server, "dashboard_owner", "dashboard")
    run(url(postgresql_server, None, "postgres"), begin)
    try:
        run(owner, rights)
        done = terminal.run("db", "upgrade", DASHBOARD_DATABASE_URL=owner)
        assert done.returncode == 0, done.stderr
        run(owner, after)
        yield url(postgresql_server, "dashboard_app", "dashboard")
    finally:
        run(
            url(postgresql_server, None, "postgres"),
            "DROP DATABASE dashboard WITH (FORCE);"
            "DROP ROLE dashboard_app; DROP ROLE dashboard_owner",
        )


def run(address: str, statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for one in filter(str.strip, statements.split(";")):
            connection.execute(one.encode())


@pytest.fixture
def runtime(settings: Settings, two_roles: str, clock: FakeClock) -> Iterator[Runtime]:
    """The dashboard, connected as the role that works."""
    database = Database(two_roles)
    given: Any = clock
    made = build_runtime(settings, listens_on=HTTPS, clock=given, database=database)
    yield made
    made.close()
    database.close()


def test_the_role_that_works_does_everything_but_change_tables(
    runtime: Runtime,
    two_roles: str,
    terminal: Terminal,
    sandbox: RunningSandbox,
    app_id: UUID,
) -> None:
    webhook_id = arrive(runtime, app_id)
    Worker(runtime).run_once(runtime.clock.now())

    assert find(runtime, webhook_id).outcome is Outcome.DELIVERED
    assert len(at_recall(sandbox)) == 1
    for chore in chores(runtime):
        chore()
    checked = terminal.run("db", "check", DASHBOARD_DATABASE_URL=two_roles)
    assert checked.returncode == 0, checked.stderr
    for statement in FORBIDDEN:
        with pytest.raises(InsufficientPrivilege):
            run(two_roles, statement)
