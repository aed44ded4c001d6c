"""Fixtures for every test: time, databases, simulators, the app and its people."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from jinja2 import FileSystemBytecodeCache
from pydantic import SecretStr
from sqlmodel import Session

from dashboard import transactions
from dashboard.app import build_runtime, create_app
from dashboard.db import Database
from dashboard.models.staff import Role, Staff
from dashboard.sandbox import serving
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.heartbeats import heartbeats
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts, passwords, sessions
from dashboard.settings import Settings, load, new_key, parse_keys
from dashboard.vault import Vault
from dashboard.web.live.watcher import watcher_of
from tests.fixtures.routing import use_lazy_rules
from tests.fixtures.slow_work import refuse_slow_work
from tests.fixtures.terminal import logs_as_before
from tests.makers import NOON, FakeClock

pytest_plugins = ["tests.fixtures.connect", "tests.fixtures.databases"]

HTTPS = "https://dashboard.example.com"
PASSWORD = SecretStr("correct horse battery")

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

use_lazy_rules()
refuse_slow_work()
passwords.hash_with(QUICK_HASHER)

SignIn = Callable[[Role], FlaskClient]


# A busy machine fails no property: no example has a deadline, none is drawn too slowly.
hypothesis_settings.register_profile(
    "busy",
    hypothesis_settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Switch pytest-flask's off: `g` would outlive requests and mix people up."""


@pytest.fixture(autouse=True)
def _leave_no_transaction_open() -> Iterator[None]:
    yield
    assert not transactions.number(), "a writing transaction is open after the test"


@pytest.fixture(autouse=True)
def _leave_logs_as_they_were() -> Iterator[None]:
    with logs_as_before():
        yield


@pytest.fixture
def real_heartbeats() -> None:
    """Ask for it where the test is about whether a background worker runs."""


@pytest.fixture(autouse=True)
def _worker_runs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretend that a background worker reports, whatever a test's clock says."""
    if "real_heartbeats" in request.fixturenames:
        return

    def find(_session: Session, *, now: datetime) -> heartbeats.WorkerStatus:
        return heartbeats.WorkerStatus(
            is_alive=True, last_at=now, command="dashboard serve", now=now
        )

    monkeypatch.setattr(heartbeats, "find", find)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(parse_keys(new_key()))


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[RunningSandbox]:
    """Run the simulated Zoom and Recall over HTTP for the session."""
    running = serving.start(
        host="127.0.0.1", zoom_port=0, recall_port=0, allow_local=True
    )
    yield running
    running.close()


@pytest.fixture
def sandbox(running_sandbox: RunningSandbox) -> RunningSandbox:
    """Give the simulators empty, without faults, and at noon until a test moves it."""
    running_sandbox.reset()
    running_sandbox.clock.stop()
    running_sandbox.clock.set(NOON)
    return running_sandbox


@pytest.fixture
def settings(sandbox: RunningSandbox, sqlite: Database, tmp_path: Path) -> Settings:
    return load(
        instance=tmp_path,
        public_url=HTTPS,
        database_url=sqlite.url.render_as_string(hide_password=False),
        zoom_url=sandbox.zoom_url,
        zoom_api_url=sandbox.zoom_url,
        recall_url=sandbox.recall_url,
        require_second_factor="none",
    )


@pytest.fixture
def runtime(
    settings: Settings, sqlite: Database, clock: FakeClock
) -> Iterator[Runtime]:
    clock_: Any = clock
    made = build_runtime(settings, listens_on=HTTPS, clock=clock_, database=sqlite)
    yield made
    made.close()


@pytest.fixture(scope="session")
def compiled_templates(
    tmp_path_factory: pytest.TempPathFactory,
) -> FileSystemBytecodeCache:
    """Keep templates that were compiled: each app would do so anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app(
    runtime: Runtime, compiled_templates: FileSystemBytecodeCache
) -> Iterator[Flask]:
    made = create_app(runtime)
    made.jinja_env.bytecode_cache = compiled_templates
    made.config.update(
        TESTING=True,
        WTF_CSRF_ENABLED=False,
        PROPAGATE_EXCEPTIONS=False,
        SERVER_NAME=HTTPS.removeprefix("https://"),
        PREFERRED_URL_SCHEME="https",
    )
    yield made
    watcher_of(made).close()  # its thread outlives a stream that a test leaves open


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A browser in which nobody is signed in."""
    return _browser(app)


@pytest.fixture(scope="session")
def password_hash() -> str:
    return QUICK_HASHER.hash(PASSWORD.get_secret_value())


@pytest.fixture
def as_role(app: Flask, runtime: Runtime, password_hash: str) -> SignIn:
    """Give a browser in which a person of the role has signed in already."""

    def sign_in(role: Role) -> FlaskClient:
        email = f"{role.value}@example.com"
        with runtime.database.writing() as session:
            person = accounts.find_by_email(session, email)
            if person is None:
                person = Staff(
                    email=email,
                    role=role,
                    password_hash=password_hash,
                    created_at=runtime.clock.now(),
                )
                session.add(person)
                session.flush()
            secret = a_session(session, person)
        browser = _browser(app)
        with browser.session_transaction() as kept:
            kept["_user_id"] = secret
            kept.permanent = True
        return browser

    return sign_in


def a_session(session: Session, person: Staff) -> str:
    """Begin a session that lasts, wherever a test moves the clock; give its secret."""
    return sessions.begin(
        session,
        person.id,
        address="",
        user_agent="",
        second_factor="passkey",
        now=NOON + timedelta(days=3650),
    )


def _browser(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base["HTTP_REFERER"] = f"{HTTPS}/"
    return client
