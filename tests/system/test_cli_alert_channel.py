"""`dashboard alert-channel`: added from a file, tested for real, removed."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from dashboard.cli.alert_channel import group
from dashboard.db import Database
from dashboard.errors import DashboardError
from dashboard.settings import new_key
from tests.fixtures.alerts import box
from tests.fixtures.mailbox import Mailbox
from tests.fixtures.ports import free_ports
from tests.fixtures.terminal import logs_as_before

__all__ = ["box"]


class Terminal:
    """The command within this process, on a database of its own."""

    def __init__(self, folder: Path, database: Database, box: Mailbox) -> None:
        self.folder, self.database, self.box = folder, database, box
        self.key = new_key()
        database.close()

    def run(self, *words: str) -> Result:
        settings = {
            "DASHBOARD_INSTANCE_DIR": str(self.folder),
            "DASHBOARD_ENCRYPTION_KEYS": self.key,
            "DASHBOARD_PUBLIC_URL": "https://dashboard.example.com",
            "DASHBOARD_DATABASE_URL": f"sqlite:///{self.database.url.database}",
            "DASHBOARD_SMTP_URL": self.box.url,
            "DASHBOARD_SMTP_FROM": "dashboard@example.com",
            "DASHBOARD_ALLOW_PRIVATE_ENDPOINTS": "true",
        }
        with logs_as_before():
            return CliRunner().invoke(group, list(words), env=settings)

    def add(self, kind: str, url: str, *words: str) -> Result:
        file = self.folder / "url"
        file.write_text(f"{url}\n")
        return self.run("add", "--kind", kind, "--url-file", str(file), *words)


@pytest.fixture
def terminal(tmp_path: Path, sqlite: Database, box: Mailbox) -> Terminal:
    return Terminal(tmp_path, sqlite, box)


def test_a_channel_is_added_tested_listed_and_removed(terminal: Terminal) -> None:
    added = json.loads(terminal.add("email", "ops@example.com", "--json").stdout)

    assert terminal.run("test", added["id"]).exit_code == 0
    assert terminal.box.subjects == ["Test of this alert channel"]
    listed = json.loads(terminal.run("list", "--json").stdout)["channels"]
    assert [each["id"] for each in listed] == [added["id"]]
    assert listed[0]["last_sent_at"] is not None
    assert terminal.run("remove", added["id"]).exit_code == 0
    assert json.loads(terminal.run("list", "--json").stdout) == {"channels": []}


def test_an_address_is_never_shown_again(terminal: Terminal) -> None:
    url = (
        "https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/abcdefghijklmnopqrstuvwx"
    )

    shown = terminal.add("slack", url, "--json").stdout + terminal.run("list").stdout

    assert "Slack" in shown
    assert "abcdefghijkl" not in shown


def test_a_test_that_fails_says_why(terminal: Terminal) -> None:
    terminal.box.refuses["ops@example.com"] = "550 5.1.1 no such user"
    added = json.loads(terminal.add("email", "ops@example.com", "--json").stdout)

    done = terminal.run("test", added["id"])

    assert done.exit_code != 0
    assert "550 5.1.1 no such user" in str(done.exception)


def test_a_webhook_that_does_not_answer_fails_the_test(terminal: Terminal) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/hook"
    added = json.loads(terminal.add("webhook", url, "--json").stdout)

    assert terminal.run("test", added["id"]).exit_code != 0


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("email", "nobody"),
        ("slack", "https://example.com/hook"),
        (
            "discord",
            "https://hooks.slack.com/services/T0A/B0A/abcdefghijklmnopqrstuvwx",
        ),
        ("webhook", "ftp://example.com"),
        ("other", "file:///etc/passwd"),
        ("pagerduty", "short"),
    ],
)
def test_a_wrong_address_is_one_sentence(
    terminal: Terminal, kind: str, url: str
) -> None:
    done = terminal.add(kind, url)

    assert isinstance(done.exception, DashboardError)
    assert url not in str(done.exception)


def test_a_channel_that_is_not_there_is_said(terminal: Terminal) -> None:
    done = terminal.run("test", str(uuid4()))

    assert str(done.exception) == "There is no such alert channel."
