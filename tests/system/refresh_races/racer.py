"""One of the two processes: renews what it is told to, until it is killed."""

import signal
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from dashboard.app import build_runtime
from dashboard.clients.http.client import make_http
from dashboard.errors import DashboardError
from dashboard.services.grants import refreshing
from dashboard.settings import load

_MODULES = [
    "dashboard.app",
    "dashboard.services.grants.refreshing",
    "tests.system.refresh_races.racer",
]
_SPAWN_TIMEOUT_S = 60.0

# The certificates are read once, before a process is forked off: that takes longest.
make_http("http://127.0.0.1:9").close()
_context = get_context("forkserver")
_context.set_forkserver_preload(_MODULES)


@dataclass(frozen=True, kw_only=True)
class Where:
    """How a process reaches everything."""

    instance: Path
    database_url: str
    zoom_url: str
    recall_url: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """One refresh.

    Attributes:
        ahead: By how much its clock is ahead: as if so much time had passed.
        patience_s: How long it waits for another one's refresh.
    """

    connection_id: UUID
    ahead: timedelta = timedelta(0)
    patience_s: float = 0.5


class Racer:
    """A process of its own, started again after it was killed."""

    def __init__(self, where: Where) -> None:
        self._where = where
        self._start()

    def begin(self, task: Task) -> None:
        """Let it begin; returns at once."""
        self._await_ready()
        self._pipe.send(task)

    def end(self) -> str:
        """Wait until it has ended; return in a word how."""
        if not self._pipe.poll(_SPAWN_TIMEOUT_S):
            raise RuntimeError("a process does not answer")
        return str(self._pipe.recv())

    def kill(self) -> None:
        """SIGKILL, wait until the kernel has done it, and start another."""
        self.close()
        self._start()

    def close(self) -> None:
        """End it for good."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _start(self) -> None:
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(
            target=_work, args=(self._where, theirs), daemon=True
        )
        self._process.start()
        theirs.close()
        self._is_ready = False

    def _await_ready(self) -> None:
        if not self._is_ready:
            if not self._pipe.poll(_SPAWN_TIMEOUT_S):
                raise RuntimeError("a process did not start")
            self._pipe.recv()
        self._is_ready = True


def _work(where: Where, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = load(
        instance=where.instance,
        public_url="https://dashboard.example.com",
        database_url=where.database_url,
        zoom_url=where.zoom_url,
        zoom_api_url=where.zoom_url,
        recall_url=where.recall_url,
    )
    runtime = build_runtime(settings, listens_on="https://dashboard.example.com")
    pipe.send("ready")
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        runtime.clock.set(None)
        runtime.clock.set(runtime.clock.now() + task.ahead)
        try:
            refreshing.live_token(
                runtime,
                task.connection_id,
                at_least_s=2 * 3600,  # more than any token has: it must be renewed
                wait_s=task.patience_s,
            )
        except DashboardError as error:
            told = type(error).__name__
        else:
            told = "token"
        runtime.flights.wait()
        pipe.send(told)
