"""Many live pages of one `dashboard serve`, and one that outlives a restart."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from dashboard.serving import THREADS
from tests.fixtures.hooks import event
from tests.fixtures.serve import LONG_S, Front

MORE_THAN_THREADS = THREADS + 4


@pytest.fixture
def front(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Front]:
    made = Front(tmp_path, migrated_sqlite).retire()
    yield made.start()
    made.kill()


class Line:
    """A page's stream over a socket of its own."""

    def __init__(self, front: Front, cookie: str, *headers: str) -> None:
        self._came = b""
        self._line: socket.socket = front.connect()
        address = f"/live/stream?topics=zoom-app-{front.app_id}"
        self._line.sendall(front.written(f"GET {address} HTTP/1.1", cookie, *headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def next(self, kind: str) -> bytes:
        """Return the next event of a kind; forget all that came before it."""
        wanted = re.compile(rb"event: %b\n.*?\n\n" % kind.encode(), re.DOTALL)
        while not (found := wanted.search(self._came)):
            part = self._line.recv(65_536)
            assert part, self._came
            self._came += part
        self._came = self._came[found.end() :]
        return found[0]


def test_more_pages_than_threads_are_told_and_others_are_still_answered(
    front: Front,
) -> None:
    cookie = front.cookie()
    with ExitStack() as stack:
        pages = [
            stack.enter_context(Line(front, cookie)) for _ in range(MORE_THAN_THREADS)
        ]
        for page in pages:
            assert b"meeting.created" not in page.next("drawn")

        assert front.post_webhook(event(1)) == 200
        answer, _ = front.send("GET /zoom-apps/ HTTP/1.1", cookie)

        assert answer.status == 200
        for page in pages:
            assert b"meeting.created" in page.next("drawn")


def test_a_page_that_comes_back_after_a_restart_is_told_only_the_news(
    front: Front,
) -> None:
    cookie = front.cookie()
    with Line(front, cookie) as page:
        [known] = re.findall(rb"\nid: (\S+)\n", page.next("drawn"))

    front.stop()
    assert front.ends_by_itself(LONG_S)
    front.start()

    with Line(front, cookie, f"Last-Event-ID: {known.decode()}") as page:
        with Line(front, cookie) as other:
            other.next("drawn")  # and so the first had its turn too
        assert front.post_webhook(event(1)) == 200
        assert b"meeting.created" in page.next("drawn")


def test_many_connections_are_allowed_as_far_as_the_system_lets() -> None:
    code = (
        "import resource as r; from dashboard import serving;"
        "r.setrlimit(r.RLIMIT_NOFILE, (64, 128)); serving.allow_many_connections();"
        "print(r.getrlimit(r.RLIMIT_NOFILE))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert said.stdout.splitlines()[-1] == b"(128, 128)"
