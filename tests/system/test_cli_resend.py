"""`dashboard webhooks resend`: what would be sent is said first, then asked for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.resend import Redelivery, Resend, ResendState
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import a_webhook, saved_app

__all__ = ["terminal"]

RESEND = ("webhooks", "resend")


class Log:
    """The webhooks of an installation: 3 dead, 2 delivered, 1 waiting."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'dashboard.db'}")
        hour_ago = datetime.now(UTC) - timedelta(hours=1)  # noqa: TID251 - of a process in real time
        outcomes = [Outcome.DEAD] * 3 + [Outcome.DELIVERED] * 2 + [Outcome.WAITING]
        with self.database.writing() as session:
            app_id = saved_app(session, Vault(parse_keys(new_key())))
            app = session.get_one(ZoomApp, app_id)
            rows = [
                a_webhook(app, received_at=hour_ago, outcome=each) for each in outcomes
            ]
            session.add_all(rows)
        self.database.close()
        self.app_id, self.ids = app_id, [row.id for row in rows]

    def resends(self) -> list[Resend]:
        with self.database.reading() as session:
            return list(session.exec(select(Resend)))

    def owed(self) -> list[int]:
        query = select(Redelivery.webhook_id).order_by(col(Redelivery.id))
        with self.database.reading() as session:
            return list(session.exec(query))


@pytest.fixture
def log(terminal: Terminal) -> Log:
    terminal.run("db", "upgrade")
    terminal.run("db", "check")
    return Log(terminal.folder)


def test_many_are_previewed_then_begun(terminal: Terminal, log: Log) -> None:
    done = terminal.run(*RESEND, "--outcome", "dead", "--yes")

    [resend] = log.resends()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 webhooks: 3 failed, 0 already delivered.\n")
    assert (
        "Recall may reject them because their timestamps are 60 min old." in done.stdout
    )
    assert f"/webhooks/resends/{resend.id}" in done.stdout
    assert (resend.state, resend.query, resend.expected) == (
        ResendState.GATHERING,
        "outcome=dead",
        3,
    )
    assert resend.asked_by.startswith("command line (")


def test_json_without_yes_looks_and_begins_nothing(
    terminal: Terminal, log: Log
) -> None:
    words = (*RESEND, "--zoom-app", str(log.app_id), "--since", "2020-01-01", "--json")

    looked, begun = terminal.run(*words), terminal.run(*words, "--yes")

    seen, made = json.loads(looked.stdout), json.loads(begun.stdout)
    assert seen["resend_id"] is None
    assert seen["preview"] == made["preview"]
    assert (seen["preview"]["total"], seen["preview"]["waiting"]) == (5, 1)
    assert [str(each.id) for each in log.resends()] == [made["resend_id"]]


def test_whoever_does_not_agree_begins_nothing(terminal: Terminal, log: Log) -> None:
    asked = terminal.run(*RESEND, "--all")  # nobody is there to answer

    assert asked.returncode != 0
    assert "5 webhooks" in asked.stdout
    assert "Left out: 1 already queued" in asked.stdout
    assert log.resends() == []


def test_one_is_owed_once_more(terminal: Terminal, log: Log) -> None:
    first = terminal.run(*RESEND, str(log.ids[0]))
    again = terminal.run(*RESEND, str(log.ids[0]))

    assert first.returncode == 0, first.stderr
    assert (again.returncode, "already queued" in again.stderr) == (1, True)
    assert log.owed() == [log.ids[0]]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("1", "--outcome", "dead"),
        ("--all", "--outcome", "dead"),
        ("--outcome", "lost"),
        ("--since", "yesterday"),
        ("--zoom-app", "00000000-0000-0000-0000-000000000000", "--yes"),
    ],
    ids=["nothing", "two ways", "all and some", "outcome", "time", "zoom app"],
)
def test_what_is_not_clear_is_refused_in_a_sentence(
    terminal: Terminal, log: Log, words: tuple[str, ...]
) -> None:
    refused = terminal.run(*RESEND, *words)

    assert refused.returncode != 0
    assert refused.stderr.startswith("dashboard: ")
    assert refused.stderr.strip().count("\n") == 0
    assert log.resends() == []


@pytest.mark.usefixtures("log")
def test_nobody_is_asked_while_the_dashboard_runs(terminal: Terminal) -> None:
    running = Database(f"sqlite:///{terminal.folder / 'dashboard.db'}")
    running.lock()

    refused = terminal.run(*RESEND, "--outcome", "dead", "--yes")
    running.close()

    assert refused.returncode == 1
    assert "Stop it first, or use its pages." in refused.stderr
    assert refused.stdout == ""
