"""The commands that checks and operators rely on."""

import json
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from tests.fixtures.terminal import Done, Terminal, terminal

__all__ = ["terminal"]


def add_zoom_app(
    terminal: Terminal, sandbox: RunningSandbox, *, secret: str | None = None
) -> Done:
    made = sandbox.zoom_world.add_app(name="Recorder")
    return terminal.run(
        *("zoom-app", "add", "--name", "Recorder", "--environment", "development"),
        *("--kind", "user_level", "--client-id", made.client_id),
        *("--custody", "dashboard"),
        "--client-secret-file",
        terminal.file("client-secret", (secret or made.client_secret) + "\n"),
        "--secret-token-file",
        terminal.file("secret-token", made.secret_token + "\n"),
        "--json",
    )


def test_from_nothing_to_an_app_in_recall(
    terminal: Terminal, sandbox: RunningSandbox
) -> None:
    workspace = sandbox.recall_world.add_workspace("us-east-1")
    key_file = terminal.file("api-key", workspace.api_key)
    password = terminal.file("password", "correct horse battery\n")

    upgraded = terminal.run_apart("db", "upgrade")
    person = terminal.run_apart(
        *("staff", "add", "--email", "ana@example.com", "--role", "admin"),
        *("--password-file", password),
    )
    added = add_zoom_app(terminal, sandbox)
    made = json.loads(added.stdout)
    create = (
        *("zoom-app", "create-in-recall", made["id"], "--region", "us-east-1"),
        *("--api-key-file", key_file, "--json"),
    )
    created, again = terminal.run_apart(*create), terminal.run_apart(*create)
    shown = terminal.run_apart("zoom-app", "show", made["id"], "--json")

    assert (upgraded.returncode, person.returncode) == (0, 0)
    assert set(made) == {"id", "webhook_url", "connect_url"}
    assert made["webhook_url"] == (
        f"https://dashboard.example.com/hooks/zoom/{made['id']}"
    )
    recall = json.loads(created.stdout)
    assert set(recall) == {"recall_app_id", "recall_webhook_url"}
    assert json.loads(again.stdout) == recall
    assert len(sandbox.recall_world.apps) == 1
    told = json.loads(shown.stdout)
    assert told["recall_app_id"] == recall["recall_app_id"]
    assert told["token_custody"] == "dashboard"


def test_a_wrong_pair_is_one_sentence_and_not_saved(
    terminal: Terminal, sandbox: RunningSandbox
) -> None:
    terminal.run("db", "upgrade")
    terminal.run("db", "check")

    refused = add_zoom_app(terminal, sandbox, secret="hunter2-hunter2")
    listed = terminal.run("zoom-app", "list", "--json")

    assert refused.returncode == 1
    assert "Zoom rejected this client ID and client secret" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "hunter2" not in refused.stderr
    assert json.loads(listed.stdout) == {"zoom_apps": []}


def test_a_pair_that_zoom_cannot_be_asked_about_is_saved_as_unchecked(
    terminal: Terminal, sandbox: RunningSandbox
) -> None:
    terminal.run("db", "upgrade")
    sandbox.zoom_faults.set([Fault(kind=FaultKind.DOWN, path="/oauth/")])

    added = add_zoom_app(terminal, sandbox)

    assert added.returncode == 0
    assert json.loads(added.stdout)["id"]
    assert "not verified with Zoom" in added.stderr


def test_an_app_that_is_not_activated_is_saved_and_told_as_such(
    terminal: Terminal, sandbox: RunningSandbox
) -> None:
    terminal.run("db", "upgrade")
    sandbox.zoom_world.switch(app_activation="disabled")

    added = add_zoom_app(terminal, sandbox)

    assert added.returncode == 0
    assert json.loads(added.stdout)["id"]
    assert '"The app has been disabled by the developer"' in added.stderr
    assert "belong together" not in added.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("staff", "list"), "dashboard db upgrade"),
        (("web",), "dashboard serve"),
        (("worker",), "dashboard serve"),
    ],
    ids=["no tables yet", "web on SQLite", "worker on SQLite"],
)
def test_a_refusal_is_one_sentence_on_standard_error(
    terminal: Terminal, words: tuple[str, ...], sentence: str
) -> None:
    refused = terminal.run(*words)

    assert refused.returncode != 0
    assert sentence in refused.stderr
    assert refused.stderr.strip().count("\n") == 0
    assert refused.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("zoom-app", "show", "no-id"),
        ("staff", "add", "--email", "ana@example.com"),
        ("staff", "add", "--email", "a@example.com", "--role", "emperor"),
        ("zoom-app", "show", "00000000-0000-0000-0000-000000000000"),
        ("webhooks", "resend", "9" * 23),
        ("serve", "--port", "99999"),
        ("db", "backup", "/no/such/folder/copy.db"),
    ],
    ids=[
        *("unknown command", "no id", "option missing", "wrong role", "unknown app"),
        *("number too large", "no such port", "no such folder"),
    ],
)
def test_a_slip_of_the_hand_is_one_sentence_too(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    terminal.run("db", "upgrade")
    terminal.run("db", "check")

    refused = terminal.run(*words)

    assert refused.returncode != 0
    assert refused.stderr.startswith("dashboard: ")
    assert refused.stderr.strip().count("\n") == 0


@pytest.mark.parametrize(
    ("words", "option"),
    [(("serve",), "--port"), (("demo",), "--port"), (("sandbox",), "--zoom-port")],
    ids=["serve", "demo", "sandbox"],
)
def test_a_port_that_is_taken_is_said_before_anything_begins(
    terminal: Terminal, words: tuple[str, ...], option: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        refused = terminal.run(*words, option, port)

    assert refused.returncode == 1
    assert f"Port {port} of 127.0.0.1 can't be used" in refused.stderr
    assert option in refused.stderr
    assert refused.stderr.strip().count("\n") == 0
    assert not (terminal.folder / "dashboard.db").exists()


def test_a_wrong_setting_stops_every_command_without_its_value(
    terminal: Terminal,
) -> None:
    refused = terminal.run("staff", "list", DASHBOARD_ENCRYPTION_KEYS="hunter2")

    assert refused.returncode != 0
    assert "DASHBOARD_ENCRYPTION_KEYS" in refused.stderr
    assert "hunter2" not in refused.stderr


def test_a_command_that_writes_says_so_while_the_dashboard_runs(
    terminal: Terminal,
) -> None:
    terminal.run("db", "upgrade")
    terminal.run("db", "check")
    running = Database(f"sqlite:///{terminal.folder / 'dashboard.db'}")
    running.lock()

    refused = terminal.run(
        *("staff", "add", "--email", "ana@example.com", "--role", "admin"),
        *("--password-file", terminal.file("password", "correct horse battery")),
    )
    running.close()

    assert refused.returncode == 1
    assert "The dashboard is running" in refused.stderr


def test_a_backup_can_be_restored(terminal: Terminal) -> None:
    password = terminal.file("password", "correct horse battery")
    terminal.run("db", "upgrade")
    copy = str(terminal.folder / "copy.db")
    kept = terminal.run("db", "backup", copy)
    terminal.run(
        *("staff", "add", "--email", "ana@example.com", "--role", "admin"),
        *("--password-file", password),
    )

    restored = terminal.run("db", "restore", copy)
    people = terminal.run("staff", "list")

    assert (kept.returncode, restored.returncode) == (0, 0)
    assert people.stdout == ""
    assert "Everything is checked again after the start." in restored.stdout
    with sqlite3.connect(terminal.folder / "dashboard.db") as file:
        assert file.execute("SELECT kind FROM host_event").fetchall() == [("restore",)]


NEWER_SQLITE = """
import sqlite3
sqlite3.sqlite_version_info = (3, 51, 3)
"""


@pytest.mark.parametrize("version", ["this", "newer"])
def test_nothing_writes_or_restores_beside_a_server(
    terminal: Terminal, tmp_path: Path, version: str
) -> None:
    if version == "newer":
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(NEWER_SQLITE)
    path = f"{tmp_path / 'site'}:{Path(__file__).parents[2]}"
    terminal.run("db", "upgrade")
    copy = str(terminal.folder / "copy.db")
    terminal.run("db", "backup", copy)
    file = terminal.folder / "dashboard.db"
    before = file.stat().st_ino
    running = Database(f"sqlite:///{file}")
    running.lock()
    password = terminal.file("password", "correct horse battery")

    restored = terminal.run_apart("db", "restore", copy, PYTHONPATH=path)
    added = terminal.run_apart(
        *("staff", "add", "--email", "ana@example.com", "--role", "admin"),
        *("--password-file", password),
        PYTHONPATH=path,
    )
    running.close()

    for refused in (restored, added):
        assert refused.returncode == 1
        assert "The dashboard is running" in refused.stderr
    assert file.stat().st_ino == before


def test_nothing_is_restored_under_a_reader(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    copy = str(terminal.folder / "copy.db")
    terminal.run("db", "backup", copy)
    file = terminal.folder / "dashboard.db"
    reader = sqlite3.connect(file)
    reader.execute("SELECT count(*) FROM staff").fetchone()
    before = file.stat().st_ino

    refused = terminal.run("db", "restore", copy)
    reader.close()
    restored = terminal.run("db", "restore", copy)

    assert (refused.returncode, restored.returncode) == (1, 0)
    assert "Another program has dashboard.db open" in refused.stderr
    assert file.stat().st_ino != before


def test_a_damaged_database_is_replaced(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    copy = terminal.folder / "copy.db"
    terminal.run("db", "backup", str(copy))
    file = terminal.folder / "dashboard.db"
    for tail in ("-wal", "-shm"):
        file.with_name(file.name + tail).unlink(missing_ok=True)
    file.write_bytes(b"x" * 100_000)

    restored = terminal.run("db", "restore", str(copy))

    assert restored.returncode == 0, restored.stderr
    assert terminal.run("db", "check").returncode == 0


def test_a_check_says_what_is_damaged_and_what_differs(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    fine = terminal.run("db", "check")
    file = terminal.folder / "dashboard.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP INDEX ix_webhook_timing")
        connection.execute("CREATE INDEX ix_webhook_timing ON webhook (timing, id)")
    differing = terminal.run("db", "check")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO staff_session (id, staff_id, created_at, last_used_at, "
            "address, user_agent) VALUES ('a', 'nobody', '2026', '2026', '', '')"
        )
    damaged = terminal.run("db", "check")

    assert fine.returncode == 0
    assert "Tables, columns, indexes and constraints match" in fine.stdout
    assert (differing.returncode, damaged.returncode) == (1, 1)
    assert "index ix_webhook_timing of webhook differs" in differing.stderr
    assert "row 1 of staff_session refers to a row that staff lacks" in damaged.stderr
    assert "match this version" not in differing.stdout + damaged.stdout


def test_a_backup_is_never_open_to_others(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.run("db", "upgrade")
    modes: list[tuple[Path, int]] = []
    connect = sqlite3.connect

    def note(path: Any, *args: Any, **options: Any) -> Any:
        if ".backup." in str(path):
            modes.append((Path(path).parent, Path(path).stat().st_mode & 0o777))
        return connect(path, *args, **options)

    monkeypatch.setattr(sqlite3, "connect", note)
    elsewhere = terminal.folder / "elsewhere"
    elsewhere.mkdir()
    copied = terminal.run("db", "backup", str(elsewhere / "copy.db"))
    inside = terminal.run("db", "backup", str(elsewhere))

    assert (copied.returncode, inside.returncode) == (0, 0)
    # Where it stays: moved to another file system it would be copied, open to all.
    assert modes == [(elsewhere, 0o600)] * 2
    found = {each.stat().st_mode & 0o777 for each in elsewhere.iterdir()}
    assert (len(list(elsewhere.iterdir())), found) == (2, {0o600})


def test_what_is_restored_is_never_open_to_others(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.run("db", "upgrade")
    copy = terminal.folder / "copy.db"
    terminal.run("db", "backup", str(copy))
    copy.chmod(0o644)
    modes: list[int] = []
    copyfile = shutil.copyfile

    def note(source: Any, target: Any) -> Any:
        modes.append(Path(target).stat().st_mode & 0o777 if target.exists() else -1)
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", note)
    restored = terminal.run("db", "restore", str(copy))

    assert restored.returncode == 0, restored.stderr
    assert modes == [0o600]
    assert (terminal.folder / "dashboard.db").stat().st_mode & 0o777 == 0o600


def test_keys_are_rotated(terminal: Terminal, sandbox: RunningSandbox) -> None:
    terminal.run("db", "upgrade")
    add_zoom_app(terminal, sandbox)
    file = terminal.folder / "encryption_keys"
    newest = "A" * 43 + "="
    file.write_text(f"{newest},{file.read_text().strip()}\n")

    rotated = terminal.run("keys", "rotate")
    file.write_text(f"{newest}\n")
    checked = terminal.run("db", "check")

    assert rotated.stdout.startswith("Re-encrypted 3 values")
    assert checked.returncode == 0


def test_a_manifest_is_printed_alone_and_trouble_beside_it(
    terminal: Terminal, sandbox: RunningSandbox
) -> None:
    terminal.run("db", "upgrade")
    made = json.loads(add_zoom_app(terminal, sandbox).stdout)

    printed = terminal.run("zoom-app", "manifest", made["id"])
    local = terminal.run(
        "zoom-app", "manifest", made["id"], DASHBOARD_PUBLIC_URL="http://localhost:1"
    )
    nobody = terminal.run("zoom-app", "manifest", str(UUID(int=1)))

    assert (printed.returncode, printed.stderr) == (0, "")
    assert made["webhook_url"] in json.dumps(json.loads(printed.stdout))
    assert "localhost" in local.stderr
    assert json.loads(local.stdout)
    assert (nobody.returncode, nobody.stdout) == (1, "")


def test_a_copy_of_a_newer_version_is_named_as_such(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    copy = terminal.folder / "copy.db"
    terminal.run("db", "backup", str(copy))
    with closing(sqlite3.connect(copy, isolation_level=None)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999_of_tomorrow'")

    restored = terminal.run("db", "restore", str(copy))

    assert restored.returncode == 1
    assert "of a newer version than this program" in restored.stderr


def test_a_database_that_was_carried_over_is_marked(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")

    marked = terminal.run("db", "restored")

    assert marked.returncode == 0, marked.stderr
    with sqlite3.connect(terminal.folder / "dashboard.db") as file:
        assert file.execute("SELECT kind FROM host_event").fetchall() == [("restore",)]


def test_links_and_waits_are_for_the_command_line_too(terminal: Terminal) -> None:
    terminal.run("db", "upgrade")
    who = ("--email", "ana@example.com")

    added = terminal.run("staff", "add", *who, "--role", "admin")
    reset = terminal.run("staff", "reset-password", *who)
    weak = terminal.run(
        *("staff", "reset-password", *who),
        *("--password-file", terminal.file("weak", "password1234")),
    )
    unlocked = terminal.run("staff", "unlock", *who, "--address", "192.0.2.1")
    nothing = terminal.run("staff", "unlock")
    removed = terminal.run("staff", "remove-second-factor", *who)

    links = [
        answer.stdout.rsplit("/password/")[-1].strip() for answer in (added, reset)
    ]
    assert [len(link) for link in links] == [43, 43]
    assert links[0] != links[1]
    assert weak.returncode == 1
    assert "easy to guess" in weak.stderr
    assert "password1234" not in weak.stderr
    assert (unlocked.returncode, nothing.returncode, removed.returncode) == (0, 2, 0)
