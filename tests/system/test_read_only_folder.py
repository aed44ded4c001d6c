"""The instance folder cannot be written: one sentence, and nothing is begun."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.ports import free_ports

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that its user may read and not write."""
    made = tmp_path / "instance"
    made.mkdir()
    for each in (made, *made.parents):  # a user without rights reaches it
        if each.owner() == Path.home().owner() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o055)
    made.chmod(0o555)
    yield made
    made.chmod(0o755)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder as a user who is not root."""
    prefix = []
    if os.geteuid() == 0:  # who can write everywhere; setpriv is on every Debian
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    inherited = os.environ.items()  # noqa: TID251 - what a child inherits
    environment = {k: v for k, v in inherited if not k.startswith("DASHBOARD_")}
    return subprocess.run(
        [*prefix, sys.executable, "-m", "dashboard.cli", *words],
        env={**environment, "DASHBOARD_INSTANCE_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [("serve", "--port", "PORT"), ("db", "upgrade"), ("demo", "--port", "PORT")],
    ids=" ".join,
)
def test_an_empty_folder_that_cannot_be_written_is_one_sentence(
    folder: Path, words: tuple[str, ...]
) -> None:
    port = str(free_ports(1)[0])

    done = run(folder, *(port if each == "PORT" else each for each in words))

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("dashboard: ")
    assert str(folder) in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [("serve", "--port", "PORT"), ("db", "upgrade")])
def test_a_database_that_cannot_be_written_is_one_sentence(
    folder: Path, migrated_sqlite: Path, words: tuple[str, ...]
) -> None:
    folder.chmod(0o755)
    for name, content in (
        ("dashboard.db", migrated_sqlite.read_bytes()),
        ("encryption_keys", b"A" * 43 + b"=\n"),
        ("secret_key", b"s" * 64),
    ):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o444)
    folder.chmod(0o555)
    before = {each.name for each in folder.iterdir()}
    port = str(free_ports(1)[0])

    done = run(folder, *(port if each == "PORT" else each for each in words))

    assert done.returncode == 1, done.stderr
    [line] = [each for each in done.stderr.splitlines() if each[:1] != "{"]
    assert line.startswith("dashboard: ")
    assert "Traceback" not in done.stderr
    assert {each.name for each in folder.iterdir()} == before
