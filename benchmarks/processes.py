"""Real processes, started for a block and then killed with all their children."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.sites import BenchmarkError, Site

_READY_S = 60.0
_NEVER = "It did not become ready. Its last words:"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A process with all its children.

    Attributes:
        pid: Of the first, which leads the group.
        port: Where it listens; 0 when nowhere.
    """

    pid: int
    port: int


@contextmanager
def dashboard(site: Site, command: str) -> Iterator[Running]:
    """Run `dashboard serve|web|worker` until the block ends, then kill it."""
    port = 0 if command == "worker" else free_port()
    arguments = [sys.executable, "-m", "dashboard.cli", command]
    if port:
        arguments += ["--port", str(port)]
    log = site.folder / f"{command}-{port}.log"

    def is_ready() -> bool:
        if not port:
            return b"worker.started" in log.read_bytes()
        return answers(f"http://127.0.0.1:{port}/healthz")

    with process(arguments, is_ready, log=log, environment=site.environment) as pid:
        yield Running(pid=pid, port=port)


@contextmanager
def process(
    arguments: Sequence[str],
    is_ready: Callable[[], bool],
    *,
    log: Path,
    environment: dict[str, str] | None = None,
) -> Iterator[int]:
    """Run a command in a process group of its own until the block ends; give its id."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            arguments,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(running, is_ready, log)
        yield running.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        # The children end a moment later; the next run must not share with them.
        while _is_group_alive(running.pid):
            time.sleep(0.01)


def answers(url: str) -> bool:
    """Whether a server answers 200 there."""
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(url, timeout=2).status_code == 200
    return False


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait(
    running: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path
) -> None:
    until = time.monotonic() + _READY_S
    while not is_ready():
        if running.poll() is not None or time.monotonic() > until:
            raise BenchmarkError(f"{_NEVER}\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def _is_group_alive(group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False
