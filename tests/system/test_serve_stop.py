"""Live pages of `dashboard serve`, and how it ends: soon, and nothing answered lost."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.fixtures.hooks import event
from tests.fixtures.relay import until
from tests.fixtures.serve import Front

BEFORE_THE_KILL_S = 10.0
"""The server is killed 15 s after it was told to stop."""

FIRST = b"event: beat\ndata:\n\n"

Start = Callable[[], Front]


@pytest.fixture
def start(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Start]:
    made = Front(tmp_path, migrated_sqlite, DASHBOARD_LIVE_STREAMS="2")
    yield made.start
    made.kill()


def stream(front: Front, cookie: str) -> tuple[socket.socket, bytes]:
    """Open a live page's stream; return it and what came first."""
    line = front.connect()
    line.sendall(front.written("GET /live/stream?topics=webhooks HTTP/1.1", cookie))
    return line, read_until(line, FIRST, b"503")


def read_until(line: socket.socket, *wanted: bytes) -> bytes:
    got = b""
    while not any(each in got for each in wanted):
        part = line.recv(65_536)
        if not part:
            break
        got += part
    return got


def test_changes_come_one_by_one_and_places_are_given_back(start: Start) -> None:
    front = start()
    cookie = front.cookie()
    (one, _), (two, _) = stream(front, cookie), stream(front, cookie)
    full, refused = stream(front, cookie)
    full.close()

    assert b"503" in refused
    for number in (1, 2):
        assert front.post_webhook(event(number)) == 200
        assert b"data: webhooks\n" in read_until(one, b"data: webhooks\n")

    # Each browser closes in turn; its place is free at once.
    one.close()
    two.close()
    for _ in range(4):
        opened: list[socket.socket] = []
        until(lambda mine=opened: opens(front, cookie, mine))  # type: ignore[misc]  # of this turn
        assert opened
        opened[0].close()


def opens(front: Front, cookie: str, into: list[socket.socket]) -> bool:
    line, first = stream(front, cookie)
    if FIRST in first:
        into.append(line)
        return True
    line.close()
    return False


def test_an_open_live_page_does_not_hold_the_stop_up(start: Start) -> None:
    front = start()
    cookie = front.cookie()
    lines = [stream(front, cookie)[0] for _ in range(2)]

    front.stop()

    assert front.ends_by_itself(BEFORE_THE_KILL_S)
    for line in lines:
        assert read_until(line).endswith(b"0\r\n\r\n")
        line.close()


def test_what_is_answered_200_during_the_stop_is_on_disk(start: Start) -> None:
    front = start()
    answered: set[int] = set()
    odd: list[int] = []
    began = threading.Event()

    def post(first: int) -> None:
        for number in range(first, first + 2000):
            try:
                status = front.post_webhook(event(number))
            except (OSError, HTTPException):
                return
            if status == 200:
                answered.add(number)
                began.set()
            elif status != 503:
                odd.append(status)

    threads = [threading.Thread(target=post, args=(n * 10_000,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    began.wait()
    front.stop()
    ended = front.ends_by_itself(BEFORE_THE_KILL_S)
    for thread in threads:
        thread.join()

    assert ended
    assert odd == []
    assert answered
    assert answered <= front.stored()
