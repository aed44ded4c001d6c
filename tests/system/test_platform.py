"""Commands as processes on platforms that decide odd defaults."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.terminal import Terminal, terminal

__all__ = ["terminal"]

NAME = "Łódź 東京 Notetaker"


def run(
    terminal: Terminal, *words: str, unset: tuple[str, ...] = (), **settings: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process; its output is bytes."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DASHBOARD_")},  # noqa: TID251 - what a child inherits
        **terminal._settings,
        **settings,
    }
    for name in unset:
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", "dashboard.cli", *words],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


ODD = [
    pytest.param(
        {
            "LC_ALL": "tr_TR.UTF-8",
            "PYTHONIOENCODING": "latin-1",
            "TZ": "nonsense/zone:!",
        },
        (),
        id="Turkish, Latin-1, no zone",
    ),
    pytest.param(
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "TZ": "Pacific/Apia"},
        ("HOME", "PATH", "LANG"),
        id="POSIX, 14 hours ahead, no home",
    ),
]


@pytest.mark.parametrize(("settings", "unset"), ODD)
def test_a_name_in_any_script_is_stored_and_shown(
    terminal: Terminal, settings: dict[str, str], unset: tuple[str, ...]
) -> None:
    assert terminal.run("db", "upgrade").returncode == 0
    secrets = [terminal.file(name, f"{name}-s3cr3t") for name in ("one", "two")]
    words = ["zoom-app", "add", "--name", NAME, "--environment", "development"]
    words += ["--kind", "user_level", "--client-id", "cid"]
    words += ["--client-secret-file", secrets[0], "--secret-token-file", secrets[1]]

    settings = {**settings, "DASHBOARD_ZOOM_URL": "http://127.0.0.1:9"}  # no one there
    added = run(terminal, *words, unset=unset, **settings)
    listed = run(terminal, "zoom-app", "list", unset=unset, **settings)
    as_json = terminal.run("zoom-app", "list", "--json")

    for each in (added, listed):
        assert each.returncode == 0, each.stderr
        assert b"Traceback" not in each.stderr
    assert b"Notetaker" in listed.stdout
    assert NAME in json.dumps(json.loads(as_json.stdout), ensure_ascii=False)


def test_a_folder_that_cannot_be_made_is_one_sentence(terminal: Terminal) -> None:
    file = terminal.file("file", "")

    done = run(terminal, "db", "upgrade", DASHBOARD_INSTANCE_DIR=f"{file}/instance")

    assert done.returncode == 1
    assert done.stderr.startswith(b"dashboard: ")
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_certificates_that_are_not_there_are_one_sentence(terminal: Terminal) -> None:
    assert terminal.run("db", "upgrade").returncode == 0

    done = run(
        terminal,
        *("zoom-app", "list"),
        SSL_CERT_FILE="/no/such/file",
        DASHBOARD_ZOOM_URL="https://zoom.us",
    )

    assert done.returncode == 1
    assert b"SSL_CERT_FILE" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr


def test_a_backup_is_its_owner_s_alone_whatever_the_umask(terminal: Terminal) -> None:
    assert terminal.run("db", "upgrade").returncode == 0
    before = os.umask(0)
    try:
        done = terminal.run_apart("db", "backup")
    finally:
        os.umask(before)

    assert done.returncode == 0
    [copy] = Path(terminal.folder).glob("*.backup.db")
    assert copy.stat().st_mode & 0o777 == 0o600


def test_few_open_files_are_said_at_the_start() -> None:
    code = (
        "from dashboard import logs, serving; logs.set_up(); "
        "serving.allow_many_connections()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)),
        capture_output=True,
        timeout=60,
        check=True,
    )

    [said] = done.stderr.splitlines()
    assert json.loads(said)["event"] == "server.few_open_files"
    assert json.loads(said)["limit"] == 512


def test_shared_memory_that_is_missing_keeps_nothing_from_starting() -> None:
    code = (
        "import multiprocessing\n"
        "def fail(): raise OSError('no /dev/shm')\n"
        "multiprocessing.Event = fail\n"
        "from dashboard import serving\n"
        "print(serving._shared_flag())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=True
    )

    assert done.stdout.strip() == b"None"
