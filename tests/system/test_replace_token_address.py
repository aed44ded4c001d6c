"""A token address is replaced by the button or the command, and Recall uses the new."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from bs4 import BeautifulSoup
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.models.connection import TokenState
from dashboard.models.staff import Role
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.connections import check
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage
from tests.fixtures.exchange_here import a_holding_stage, callback_of, grant_of
from tests.fixtures.terminal import Terminal, terminal

__all__ = ["terminal"]

PASSWORD = "correct horse battery"
BUTTON = "Replace token address"


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[ConnectStage]:
    """Run a dashboard over HTTP that stores tokens; Recall fetches them there."""
    with a_holding_stage(runtime, sandbox) as made:
        yield made


@pytest.fixture
def shared(
    runtime: Runtime, sandbox: RunningSandbox, postgresql: Database
) -> Iterator[ConnectStage]:
    """Run it on PostgreSQL, where commands may write meanwhile."""
    with a_holding_stage(runtime, sandbox, database=postgresql) as made:
        yield made


def said(stderr: str) -> list[str]:
    """Return the command's own lines: the stage's server logs to the same place."""
    return [line for line in stderr.splitlines() if line.startswith("dashboard:")]


def shell(terminal: Terminal, stage: ConnectStage) -> Terminal:
    """Give a shell of that dashboard."""
    url = stage.runtime.database.url
    terminal._settings.update(
        DASHBOARD_INSTANCE_DIR=str(stage.runtime.settings.instance),
        DASHBOARD_DATABASE_URL=url.render_as_string(hide_password=False),
        DASHBOARD_PUBLIC_URL=stage.runtime.public_url,
    )
    return terminal


def fetch(stage: ConnectStage, key: str) -> int:
    """Ask for a token over HTTP, as whoever knows the key."""
    return httpx2.get(f"{stage.runtime.public_url}/tokens/{key}").status_code


def test_the_command_ends_every_address_of_a_zoom_app(
    shared: ConnectStage, terminal: Terminal
) -> None:
    stage = shared
    row = stage.connect()
    former = callback_of(stage)
    before = fetch(stage, former)

    done = shell(terminal, stage).run_apart(
        "zoom-app", "replace-token-addresses", str(stage.app.id)
    )

    assert (before, done.returncode, done.stderr) == (200, 0, "")
    assert done.stdout.startswith("1 token addresses have ended.")
    assert fetch(stage, former) == 404
    assert check.now(stage.runtime, row.id).token_state is TokenState.HEALTHY
    assert callback_of(stage) != former
    assert fetch(stage, callback_of(stage)) == 200


def test_the_command_names_one_connection_and_refuses_an_unknown_one(
    shared: ConnectStage, terminal: Terminal
) -> None:
    stage = shared
    row = stage.connect()
    command = ("zoom-app", "replace-token-addresses", str(stage.app.id), "--connection")
    former = callback_of(stage)

    unknown = shell(terminal, stage).run(*command, str(stage.app.id))
    kept = fetch(stage, former)
    known = shell(terminal, stage).run(*command, str(row.id))

    assert (unknown.returncode, kept) == (1, 200)
    assert len(said(unknown.stderr)) == 1
    assert known.returncode == 0, known.stderr
    assert fetch(stage, former) == 404


def test_the_command_changes_nothing_while_recall_is_down(
    shared: ConnectStage, terminal: Terminal
) -> None:
    stage = shared
    row = stage.connect()
    former, before = callback_of(stage), grant_of(stage, row).key_hash
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN)])

    done = shell(terminal, stage).run_apart(
        "zoom-app", "replace-token-addresses", str(stage.app.id)
    )

    assert done.returncode == 1
    assert len(said(done.stderr)) == 1
    assert grant_of(stage, row).key_hash == before
    assert fetch(stage, former) == 200


def test_on_sqlite_the_command_refuses_while_the_dashboard_runs(
    stage: ConnectStage, terminal: Terminal
) -> None:
    stage.connect()
    former = callback_of(stage)

    done = shell(terminal, stage).run_apart(
        "zoom-app", "replace-token-addresses", str(stage.app.id)
    )

    assert done.returncode == 1
    assert "Stop it first, or use its pages." in done.stderr
    assert fetch(stage, former) == 200


def test_the_button_ends_the_address_and_registers_another(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    former = callback_of(stage)
    url = stage.runtime.public_url
    with signed_in(stage) as browser:
        page = browser.get(f"/connections/{row.id}")
        [form] = [
            each
            for each in BeautifulSoup(page.text, "html.parser").select("form")
            if BUTTON in each.get_text()
        ]
        fields = form.select("input")
        values = {str(each["name"]): each.get("value", "") for each in fields}

        after = browser.post(
            str(form["action"]), data=values, headers=origin(url), follow_redirects=True
        )

    assert after.status_code == 200
    assert "The former token address has ended." in after.text
    assert "Tokens fetched:" in after.text
    assert fetch(stage, former) == 404
    assert callback_of(stage) != former
    assert fetch(stage, callback_of(stage)) == 200
    with stage.runtime.database.reading() as session:
        entries = session.exec(AUDIT_LOG).all()
        [entry] = [each for each in entries if each.act == "connection.key_replaced"]
    assert entry.actor == "admin@example.com"


def test_the_page_shows_how_often_recall_fetched_a_token(stage: ConnectStage) -> None:
    row = stage.connect()
    with stage.runtime.database.writing() as session:
        grant = session.get_one(type(grant_of(stage, row)), row.id)
        grant.served_count, grant.rejected_count = 1234, 56
    with signed_in(stage) as browser:
        page = browser.get(f"/connections/{row.id}").text

    text = re.sub(r"\s+", " ", BeautifulSoup(page, "html.parser").get_text())
    assert "Tokens fetched: 1,234." in text
    assert "Requests rejected for their signature: 56." in text


@contextmanager
def signed_in(stage: ConnectStage) -> Iterator[httpx2.Client]:
    """Open a browser in which an admin has signed in with a password."""
    accounts.add(
        stage.runtime.database,
        email="admin@example.com",
        role=Role.ADMIN,
        password=SecretStr(PASSWORD),
        actor=audit.COMMAND_LINE,
        now=stage.runtime.clock.now(),
    )
    url = stage.runtime.public_url
    form = {"email": "admin@example.com", "password": PASSWORD}
    with httpx2.Client(base_url=url) as browser:
        browser.post("/sign-in", data=form, headers=origin(url))
        yield browser


def origin(url: str) -> dict[str, str]:
    return {"origin": url, "referer": f"{url}/"}
