"""PostgreSQL is stopped under a running dashboard, its open pages and its commands."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from dashboard import schema
from dashboard.db import Database
from dashboard.models.zoom_app import ZoomApp
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.hooks import event
from tests.fixtures.ports import free_ports
from tests.fixtures.relay import until
from tests.fixtures.serve import add_admin
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import NOON, saved_app
from tests.system.test_serve_live import Line
from tests.system.test_serve_log import LoggedFront
from tests.web.test_outage import StoppablePostgresql

__all__ = ["terminal"]

PAGES = 5
KEY = new_key()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppablePostgresql]:
    """Run a PostgreSQL with tables that a test may stop."""
    made = StoppablePostgresql(tmp_path_factory.mktemp("stoppable"))
    database = Database(made.url)
    schema.upgrade(database)
    database.close()
    yield made
    made.stop()


@pytest.fixture
def front(
    server: StoppablePostgresql, tmp_path: Path, migrated_sqlite: Path
) -> Iterator[LoggedFront]:
    """Run a dashboard on it, with an admin and a retired zoom app."""
    made = LoggedFront(
        tmp_path,
        migrated_sqlite,
        DASHBOARD_DATABASE_URL=server.url,
        DASHBOARD_ENCRYPTION_KEYS=KEY,
    )
    database = Database(server.url)
    with database.writing() as session:
        session.connection().execute(text("DELETE FROM staff"))
        made.app_id = saved_app(session, Vault(parse_keys(made.key)))
        session.get_one(ZoomApp, made.app_id).retired_at = NOON
    add_admin(database)
    database.close()
    yield made.start()
    made.kill()
    server.start()


def test_open_pages_outlive_an_outage_and_the_log_stays_short(
    server: StoppablePostgresql, front: LoggedFront
) -> None:
    cookie = front.cookie()
    with ExitStack() as stack:
        pages = [stack.enter_context(Line(front, cookie)) for _ in range(PAGES)]
        for page in pages:
            page.next("drawn")
        before = len(front.events)

        server.stop()
        until(lambda: "database.unavailable" in front.written_log)
        for page in pages:
            page.next("beat")  # the line is open, and the page knows
        server.start()
        until(lambda: front.post_webhook(event(1)) == 200)

        for page in pages:
            while b"meeting.created" not in page.next("drawn"):
                pass
    until(lambda: "database.recovered" in front.written_log)

    said = front.events[before:]
    assert "Traceback" not in front.written_log
    assert not any("exception" in each for each in said)
    names = [each["event"] for each in said]
    assert names.count("database.unavailable") == names.count("database.recovered") == 1
    assert len(said) <= 10, names


def test_a_page_that_opens_in_an_outage_is_refused_and_comes_back(
    server: StoppablePostgresql, front: LoggedFront
) -> None:
    cookie = front.cookie()
    address = f"GET /live/stream?topics=zoom-app-{front.app_id} HTTP/1.1"

    server.stop()
    refused, _ = front.send(address, cookie, "Connection: close")
    server.start()
    until(lambda: front.send("GET /readyz HTTP/1.1")[0].status == 200)

    assert refused.status == 503
    with Line(front, cookie) as page:
        assert page.next("drawn")


COMMANDS = [
    ("db", "upgrade"),
    ("db", "check"),
    ("zoom-app", "list"),
    ("webhooks", "list"),
    ("explain", "ana@example.com"),
    ("keys", "rotate"),
    ("worker",),
    ("web", "--port", "PORT"),
    ("serve", "--port", "PORT"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_says_one_sentence_and_fails(
    server: StoppablePostgresql, terminal: Terminal, words: tuple[str, ...]
) -> None:
    server.stop()

    port = str(free_ports(1)[0])
    words = tuple(port if each == "PORT" else each for each in words)
    done = terminal.run_apart(*words, DASHBOARD_DATABASE_URL=server.url)

    server.start()
    assert done.returncode != 0
    [line] = done.stderr.splitlines()
    assert re.match(r"dashboard: .*database", line), line
    assert not re.search(r"Traceback|psycopg|sqlalche", line)
    assert done.stdout == ""
