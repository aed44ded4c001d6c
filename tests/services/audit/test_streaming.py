"""The stream: each entry at least once, in order, whatever happens to its target."""

import json
import socket
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.db import Database
from dashboard.errors import SettingsError
from dashboard.services import audit
from dashboard.services.audit import streaming
from dashboard.services.audit.streaming import Streamer
from dashboard.settings import load
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import NOON


def write(database: Database, first: int, number: int) -> None:
    for each in range(first, first + number):
        with database.writing() as session:
            audit.record(
                session,
                audit.THE_DASHBOARD,
                "bot.sent",
                subject=f"{each}\nline",
                now=NOON,
                changes=audit.changed({"on": False}, {"on": True}),
            )


def streamer(database: Database, clock: Any, target: str) -> Streamer:
    return Streamer(database, clock, target)


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


def test_a_file_has_each_entry_once_in_order_with_its_hash(
    database: Database, clock: Any, tmp_path: Path
) -> None:
    path = tmp_path / "audit log.jsonl"
    stream = streamer(database, clock, f"file://{str(path).replace(' ', '%20')}")
    write(database, 1, 3)
    assert stream() == 3
    assert stream() == 0
    write(database, 4, 2)
    stream()

    assert numbers(path) == [1, 2, 3, 4, 5]
    assert path.stat().st_mode & 0o777 == 0o600
    with database.reading() as session:
        hashes = [entry.hash for entry in session.exec(AUDIT_LOG)]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["hash"] for line in lines] == hashes
    assert lines[0]["changes"] == {"on": ["no", "yes"]}


def test_it_goes_on_after_a_restart(
    database: Database, clock: Any, tmp_path: Path
) -> None:
    target = f"file://{tmp_path}/audit.jsonl"
    write(database, 1, 2)
    streamer(database, clock, target)()
    write(database, 3, 2)
    streamer(database, clock, target)()

    assert numbers(tmp_path / "audit.jsonl") == [1, 2, 3, 4]


def test_many_batches_come_in_order(
    database: Database,
    clock: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "_AT_ONCE", 2)
    stream = streamer(database, clock, f"file://{tmp_path}/audit.jsonl")
    write(database, 1, 5)
    while stream():
        pass

    assert numbers(tmp_path / "audit.jsonl") == [1, 2, 3, 4, 5]


def test_a_target_that_fails_is_said_and_tried_again(
    database: Database, clock: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    stream = streamer(database, clock, f"file://{folder}/audit.jsonl")
    write(database, 1, 2)
    assert stream() == 0
    with database.reading() as session:
        found = streaming.problem(session)
        assert found is not None
        assert found.problem == "No such file or directory"

    folder.mkdir()
    assert stream() == 0, "it was tried a moment ago"
    clock.set(NOON + timedelta(minutes=1))
    assert stream() == 2
    assert numbers(folder / "audit.jsonl") == [1, 2]
    with database.reading() as session:
        assert streaming.problem(session) is None


def test_one_process_at_a_time_writes(
    database: Database, clock: Any, tmp_path: Path
) -> None:
    target = f"file://{tmp_path}/audit.jsonl"
    one, other = streamer(database, clock, target), streamer(database, clock, target)
    write(database, 1, 2)
    claimed = one._claim(NOON)
    assert claimed is not None
    assert other() == 0
    one._end(claimed, 0)
    assert other() == 2


def test_nothing_is_streamed_without_a_target(database: Database, clock: Any) -> None:
    write(database, 1, 1)
    assert Streamer(database, clock, None)() == 0


def test_syslog_by_udp(database: Database, clock: Any) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        port = server.getsockname()[1]
        write(database, 1, 2)
        assert streamer(database, clock, f"syslog://127.0.0.1:{port}")() == 2
        messages = [server.recv(65536).decode() for _ in range(2)]

    assert [message[:7] for message in messages] == ["<110>1 "] * 2
    assert all("\n" not in message for message in messages)
    assert json.loads(messages[1].partition(" - audit - ")[2])["number"] == 2


def test_syslog_by_tcp_counts_octets(database: Database, clock: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(30)
        port = server.getsockname()[1]
        received: list[bytes] = []

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                while part := connection.recv(65536):
                    received.append(part)

        thread = threading.Thread(target=receive)
        thread.start()
        write(database, 1, 1)
        assert streamer(database, clock, f"syslog+tcp://127.0.0.1:{port}")() == 1
        thread.join(30)

    length, _, message = b"".join(received).partition(b" ")
    assert int(length) == len(message)
    assert message.startswith(b"<110>1 ")


def test_a_syslog_server_that_is_away_loses_nothing(
    database: Database, clock: Any
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    write(database, 1, 1)
    stream = streamer(database, clock, f"syslog+tcp://127.0.0.1:{port}")

    assert stream() == 0
    with database.reading() as session:
        found = streaming.problem(session)
    assert found is not None
    assert (found.seq, found.problem) == (0, "Connection refused")


@pytest.mark.parametrize(
    "wrong",
    [
        "/var/log/x",
        "file://host/x",
        "file:///",
        "syslog://",
        "http://host",
        "syslog://h:0",
    ],
)
def test_a_wrong_target_stops_the_start(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be like file:///path"):
        load(instance=tmp_path, audit_stream=wrong)
