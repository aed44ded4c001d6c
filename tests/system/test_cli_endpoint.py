"""`dashboard endpoint` and `destination`: added, tested for real, rotated, removed."""

import json
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from dashboard.sandbox.serving import RunningSandbox
from tests.fixtures.endpoints import OwnServer, own
from tests.fixtures.terminal import Done, Terminal, terminal

__all__ = ["own", "terminal"]


class Shell:
    """A terminal of an installation that may call this machine."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal, self.folder = terminal, terminal.folder
        self.run("db", "upgrade")

    def run(self, *words: str) -> Done:
        return self._terminal.run(*words, DASHBOARD_ALLOW_PRIVATE_ENDPOINTS="true")

    def add(self, url: str) -> dict[str, str]:
        done = self.run(
            *("endpoint", "add", "--url", url, "--event", "connection.created"),
            *("--event", "webhook.dead", "--json"),
        )
        assert done.returncode == 0, done.stderr
        made: dict[str, str] = json.loads(done.stdout)
        return made


@pytest.fixture
def shell(terminal: Terminal) -> Shell:
    return Shell(terminal)


def test_an_endpoint_is_added_tested_rotated_and_removed(
    shell: Shell, own: OwnServer
) -> None:
    made = shell.add(own.url)
    assert set(made) == {"id", "secret"}
    assert made["secret"].startswith("whsec_")

    tested = shell.run("endpoint", "test", made["id"])
    assert (tested.returncode, tested.stdout) == (
        0,
        "The endpoint accepted it (200).\n",
    )
    [came] = own.came
    assert Webhook(made["secret"]).verify(came.body, came.headers)["type"] == (
        "endpoint.test"
    )

    rotated = json.loads(shell.run("endpoint", "rotate", made["id"], "--json").stdout)
    assert rotated["secret"] != made["secret"]
    shell.run("endpoint", "test", made["id"])
    for secret in (made["secret"], rotated["secret"]):
        Webhook(secret).verify(own.came[-1].body, own.came[-1].headers)

    [listed] = json.loads(shell.run("endpoint", "list", "--json").stdout)
    assert (listed["id"], listed["waiting"], listed["failed"]) == (made["id"], 0, 0)
    assert shell.run("endpoint", "remove", made["id"]).returncode == 0
    assert json.loads(shell.run("endpoint", "list", "--json").stdout) == []


def test_a_test_that_is_not_accepted_says_why_and_is_tried_again(
    shell: Shell, own: OwnServer
) -> None:
    made = shell.add(own.url)
    own.status = 503

    tested = shell.run("endpoint", "test", made["id"])

    assert (tested.returncode, tested.stdout) == (1, "")
    assert tested.stderr == (
        "dashboard: The endpoint rejected it (503). It is tried again as other "
        "deliveries are.\n"
    )
    [listed] = json.loads(shell.run("endpoint", "list", "--json").stdout)
    assert listed["waiting"] == 1


def test_a_private_address_is_refused_where_that_is_not_allowed(
    terminal: Terminal,
) -> None:
    terminal.run("db", "upgrade")
    done = terminal.run(
        *("endpoint", "add", "--url", "https://10.0.0.1/in"),
        *("--event", "connection.created"),
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "private address" in done.stderr


def test_an_endpoint_that_is_not_there_is_said(shell: Shell) -> None:
    done = shell.run("endpoint", "test", str(uuid4()))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("dashboard: There is no such endpoint.\n")


def test_a_destination_gets_a_test_as_zoom_signs_it(
    shell: Shell, own: OwnServer, sandbox: RunningSandbox
) -> None:
    made = sandbox.zoom_world.add_app(name="Recorder")
    files = {}
    for name, text in (("secret", made.client_secret), ("token", made.secret_token)):
        files[name] = shell.folder / name
        files[name].write_text(f"{text}\n")
    added = shell.run(
        *("zoom-app", "add", "--name", "Recorder", "--environment", "development"),
        *("--kind", "user_level", "--client-id", made.client_id),
        *("--client-secret-file", str(files["secret"])),
        *("--secret-token-file", str(files["token"]), "--json"),
    )
    assert added.returncode == 0, added.stderr
    app_id = json.loads(added.stdout)["id"]

    there = shell.run("destination", "add", app_id, "--url", own.url, "--json")
    destination = json.loads(there.stdout)
    assert set(destination) == {"id"}
    assert shell.run("endpoint", "test", destination["id"]).returncode == 0

    [came] = own.came
    assert came.headers["x-zm-signature"].startswith("v0=")
    assert b"endpoint.url_validation" in came.body
