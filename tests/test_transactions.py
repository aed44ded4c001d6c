"""No slow work inside a writing transaction: webhooks wait for it on SQLite."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard import transactions
from dashboard.clients.http.client import make_http
from dashboard.clock import Clock
from dashboard.db import Database


def _ask() -> None:
    with make_http("http://127.0.0.1:9") as http:
        http.get("/")


SLOW: dict[str, Callable[[Path], object]] = {
    "a request to 127.0.0.1": lambda _: _ask(),
    "a wait": lambda _: Clock().sleep(0),
    "subprocess.Popen": lambda _: subprocess.run([sys.executable, "-V"], check=True),
    "socket.getaddrinfo": lambda _: socket.create_connection(("127.0.0.1", 9)),
    "open": lambda folder: (folder / "file").write_text("text"),
}


@pytest.mark.parametrize("what", SLOW)
@pytest.mark.parametrize("fast", [False, True], ids=["writing", "writing_fast"])
def test_slow_work_is_refused_inside_a_transaction_and_free_outside(
    database: Database, tmp_path: Path, what: str, *, fast: bool
) -> None:
    opening = database.writing_fast() if fast else database.writing()

    with pytest.raises(RuntimeError, match=f"{what}.* inside a writing"), opening:
        SLOW[what](tmp_path)

    assert transactions.number() == 0


def test_reading_a_file_is_no_slow_work(database: Database) -> None:
    with database.writing():
        assert Path(__file__).read_text()
