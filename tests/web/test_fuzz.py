"""No request is answered 5xx, on either database: a few here, 20,000 in `make soak`.

`python -m tests.web.fuzz --database sqlite --requests 20000 --seed 1` runs the same at
length.
"""

import random
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask, got_request_exception
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.app import build_runtime
from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.staff import Role, Staff
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings, load
from tests.conftest import HTTPS, SignIn
from tests.makers import FakeClock, a_body, a_connection, a_webhook, saved_app
from tests.web.arbitrary import Arbitrary, Asked, argument_names, known_values

REQUESTS = 120
_NOWHERE = "http://127.0.0.1:9"
_EVERY = 20


@pytest.fixture
def settings(sandbox: RunningSandbox, database: Database, tmp_path: Path) -> Settings:
    return load(
        instance=tmp_path,
        public_url=_NOWHERE,
        database_url=database.url.render_as_string(hide_password=False),
        zoom_url=sandbox.zoom_url,
        zoom_api_url=sandbox.zoom_url,
        recall_url=sandbox.recall_url,
    )


@pytest.fixture
def runtime(
    settings: Settings, database: Database, clock: FakeClock
) -> Iterator[Runtime]:
    clock_: Any = clock
    made = build_runtime(settings, listens_on=HTTPS, clock=clock_, database=database)
    yield made
    made.close()


@dataclass(frozen=True, kw_only=True)
class AtLength:
    """Given to pytest as a plugin by `tests.web.fuzz`."""

    requests: int
    seed: int


@pytest.fixture
def length(request: pytest.FixtureRequest) -> AtLength:
    """Return how long to go on: a little, with another seed each time."""
    given = request.config.pluginmanager.get_plugins()
    found = next((each for each in given if isinstance(each, AtLength)), None)
    return found or AtLength(requests=REQUESTS, seed=random.randrange(10**6))


def seed_rows(runtime: Runtime) -> None:
    """Make sure that each page has something to show; what was deleted comes back."""
    with runtime.database.writing() as session:
        for person in session.exec(select(Staff)):
            person.disabled_at = None
            if person.email in {f"{role.value}@example.com" for role in Role}:
                person.role = Role(person.email.partition("@")[0])
        if session.exec(select(Connection).limit(1)).first() is not None:
            return
        app = session.get_one(ZoomApp, saved_app(session, runtime.vault))
        session.add(a_connection(app))
        for body in (b'{"event": "meeting.created"}', b"\xff", b'{"a": "\\ud800"}'):
            row = a_webhook(app)
            session.add(row)
            session.flush()
            session.add(a_body(runtime.vault, row, body=body))


def ask(browser: FlaskClient, asked: Asked) -> int:
    answer = browser.open(**asked.arguments())
    status = answer.status_code
    if answer.mimetype != "text/event-stream":
        answer.get_data()
    answer.close()
    return status


def is_meant(status: int, asked: Asked) -> bool:
    """Whether it is the answer of a connect page that isn't ready, or to a prefetch."""
    return status == 503 and asked.path.startswith("/connect/")


def test_no_request_is_answered_with_an_error_of_the_server(
    app: Flask,
    runtime: Runtime,
    as_role: SignIn,
    stranger: FlaskClient,
    length: AtLength,
) -> None:
    drawn = random.Random(length.seed)
    arbitrary = Arbitrary(app, drawn)
    raised: list[str] = []

    def keep(_sender: object, exception: BaseException, **_: object) -> None:
        raised.append("".join(traceback.format_exception(exception)[-6:]))

    statuses: Counter[int] = Counter()
    wrong: dict[str, str] = {}
    with got_request_exception.connected_to(keep, app):
        for number in range(length.requests):
            if number % _EVERY == 0:
                seed_rows(runtime)
                browsers = [as_role(Role.ADMIN), as_role(Role.SUPPORT), stranger]
                with runtime.database.reading() as session:
                    arbitrary.known = known_values(session, argument_names(app))
            asked = arbitrary.draw()
            [browser] = drawn.choices(browsers, [8, 2, 1])
            raised.clear()
            try:
                status = ask(browser, asked)
            except Exception:  # noqa: BLE001 - in front of Flask, as a server would see it
                status = 500
                raised.append(traceback.format_exc(limit=-6))
            statuses[status] += 1
            if status >= 500 and (raised or not is_meant(status, asked)):
                why = raised[-1] if raised else f"answered {status}"
                wrong.setdefault(why[-600:], f"{status} {asked}\n{why}")

    click.echo(f"{length}: {dict(sorted(statuses.items()))}")
    assert not wrong, f"{length}\n\n" + "\n\n".join(wrong.values())
