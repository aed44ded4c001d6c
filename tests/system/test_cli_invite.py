"""`dashboard invite`: links on standard output, what is wrong on standard error."""

import json
import re
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlmodel import select

from dashboard.cli.invite import command
from dashboard.db import Database
from dashboard.errors import InvalidInputError
from dashboard.models.invitation import Invitation
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.terminal import logs_as_before
from tests.makers import saved_app

LINK = r"https://dashboard\.example\.com/connect/notetaker-[0-9a-f]+/i/[\w-]{43}"


class Terminal:
    """The command within this process, on a database of its own."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        with database.writing() as session:
            self.app_id: UUID = saved_app(session, Vault(parse_keys(new_key())))
        database.close()  # the command is the one that may write

    def run(self, *words: str) -> Result:
        with logs_as_before():
            return CliRunner().invoke(
                command,
                [str(self.app_id), *words],
                env={
                    "DASHBOARD_INSTANCE_DIR": str(self.folder),
                    "DASHBOARD_ENCRYPTION_KEYS": new_key(),
                    "DASHBOARD_PUBLIC_URL": "https://dashboard.example.com",
                    "DASHBOARD_DATABASE_URL": f"sqlite:///{self.database.url.database}",
                },
            )

    def links(self) -> list[Invitation]:
        with self.database.reading() as session:
            return list(session.exec(select(Invitation)))


@pytest.fixture
def terminal(tmp_path: Path, sqlite: Database) -> Terminal:
    return Terminal(tmp_path, sqlite)


def test_one_link_is_printed_bare(terminal: Terminal) -> None:
    done = terminal.run("--email", "Ana@example.com", "--expires-days", "3")

    [row] = terminal.links()
    assert re.fullmatch(LINK + "\n", done.stdout)
    assert row.email == "ana@example.com"
    assert row.made_by.startswith("command line (")
    assert (row.expires_at - row.created_at).days == 3


def test_a_list_is_printed_as_json(terminal: Terminal) -> None:
    people = terminal.folder / "people.csv"
    people.write_text("email,user_ref\nana@example.com,u-1\n,u-2\n")

    done = terminal.run("--csv", str(people), "--json")

    found = json.loads(done.stdout)["invitations"]
    assert [one["user_ref"] for one in found] == ["u-1", "u-2"]
    assert all(re.fullmatch(LINK, one["link"]) for one in found)


def test_a_wrong_line_is_named_and_nothing_is_made(terminal: Terminal) -> None:
    people = terminal.folder / "people.csv"
    people.write_text("ana@example.com\nnobody\n")

    done = terminal.run("--csv", str(people))

    assert done.stderr == "Line 2: This is not an email address.\n"
    assert isinstance(done.exception, InvalidInputError)
    assert "1 line is wrong" in str(done.exception)
    assert terminal.links() == []


def test_a_list_and_one_person_do_not_go_together(terminal: Terminal) -> None:
    people = terminal.folder / "people.csv"
    people.write_text("ana@example.com\n")

    done = terminal.run("--csv", str(people), "--email", "bo@example.com")

    assert done.exit_code == 2
    assert "Use either --csv, or --email" in done.stderr
