"""`dashboard zoom-app rotate` ends with the status of its halves."""

import json

import pytest

from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from tests.fixtures.rotation import API
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import API_KEY
from tests.system.test_cli import add_zoom_app

__all__ = ["terminal"]

NEW = "test-secret-token-0002"


@pytest.fixture
def app_id(terminal: Terminal, sandbox: RunningSandbox) -> str:
    terminal.run("db", "upgrade")
    return str(json.loads(add_zoom_app(terminal, sandbox).stdout)["id"])


def create_in_recall(terminal: Terminal, sandbox: RunningSandbox, app_id: str) -> None:
    key = API_KEY.get_secret_value()
    sandbox.recall_world.add_workspace("us-east-1", key)
    done = terminal.run(
        *("zoom-app", "create-in-recall", app_id, "--region", "us-east-1"),
        *("--api-key-file", terminal.file("key", key)),
    )
    assert done.returncode == 0, done.stderr


def rotate(terminal: Terminal, app_id: str, *words: str) -> tuple[int, str, str]:
    token = terminal.file("new-token", NEW)
    done = terminal.run(
        "zoom-app", "rotate", app_id, "--secret-token-file", token, *words
    )
    assert NEW not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def test_both_halves_end_with_0(
    terminal: Terminal, sandbox: RunningSandbox, app_id: str
) -> None:
    create_in_recall(terminal, sandbox, app_id)

    status, said, _ = rotate(terminal, app_id, "--json")

    [there] = sandbox.recall_world.apps.values()
    assert (status, json.loads(said)["in_recall"]) == (0, True)
    assert there.webhook_secret == NEW


def test_recalls_half_missing_ends_with_3_and_says_why(
    terminal: Terminal, sandbox: RunningSandbox, app_id: str
) -> None:
    create_in_recall(terminal, sandbox, app_id)
    fault = Fault(kind=FaultKind.HTML_403, path=API, method="PATCH")
    sandbox.recall_faults.set([fault])

    status, said, error = rotate(terminal, app_id, "--json")

    assert status == 3
    assert json.loads(said) | {"recall_error": ""} == {
        "id": app_id,
        "stored": True,
        "in_recall": False,
        "recall_error": "",
    }
    assert "Stored here. Not sent to Recall yet" in error
    assert "firewall" in error


def test_an_app_that_is_not_in_recall_has_one_half(
    terminal: Terminal, app_id: str
) -> None:
    status, said, _ = rotate(terminal, app_id)

    assert (status, said) == (0, "Stored here.\n")


def test_nothing_to_rotate_is_said(terminal: Terminal, app_id: str) -> None:
    done = terminal.run("zoom-app", "rotate", app_id)

    assert done.returncode == 1
    assert "Nothing to rotate" in done.stderr
