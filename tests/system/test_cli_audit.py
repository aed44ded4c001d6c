"""`dashboard audit verify` ends with 0 when whole, else with a line that says where."""

import re
import sqlite3
from contextlib import closing

import pytest

from tests.fixtures.terminal import Terminal, terminal

__all__ = ["terminal"]


@pytest.fixture
def filled(terminal: Terminal) -> Terminal:
    terminal.run("db", "upgrade")
    terminal.run("db", "backup")
    terminal.run("keys", "rotate")
    return terminal


def test_a_whole_log_ends_with_0_and_names_the_newest_entry(filled: Terminal) -> None:
    done = filled.run("audit", "verify")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The audit log is whole: 3 entries.\n")
    found = re.search(r"Newest entry: (3:[0-9a-f]{64})\n", done.stdout)
    assert found is not None

    assert filled.run("audit", "verify", "--anchor", found[1]).returncode == 0
    other = filled.run("audit", "verify", "--anchor", f"3:{'0' * 64}")
    assert other.returncode == 1
    assert "Entry 3 is not the one that was noted" in other.stderr


def test_a_broken_log_ends_with_1_and_one_line(filled: Terminal) -> None:
    with closing(sqlite3.connect(filled.folder / "dashboard.db")) as connection:
        connection.execute("DROP TRIGGER audit_entry_no_delete")
        connection.execute("DELETE FROM audit_entry WHERE seq = 2")
        connection.commit()

    done = filled.run("audit", "verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "dashboard: The audit log is not whole. Entry 2 is missing. Nothing was "
    )


def test_commands_are_named_with_the_user_of_the_system(filled: Terminal) -> None:
    with closing(sqlite3.connect(filled.folder / "dashboard.db")) as connection:
        rows = connection.execute("SELECT act, actor FROM audit_entry ORDER BY seq")
        acts, actors = zip(*rows, strict=True)

    assert acts == ("database.upgraded", "database.backed_up", "keys.rotated")
    assert all(re.fullmatch(r"command line \(.+\)", actor) for actor in actors)
