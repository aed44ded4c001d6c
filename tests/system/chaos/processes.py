"""The dashboard's commands as processes of their own, to be killed and started."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

_READY_WITHIN_S = 90.0
_STOPS_WITHIN_S = 40.0
_LOOKS_EVERY_S = 0.1


class ProcessError(Exception):
    """A process does not start; where its log is."""


class Process:
    """One command, running or not; ended with all its children.

    Args:
        name: For people: "web 1".
        arguments: Of `dashboard`.
        environment: Its DASHBOARD_ variables, all of them.
        log: Standard error of every run is appended to it.
        health_url: Answers 200 when it is ready.
        ready_line: Is logged when it is ready, for what has no address.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        health_url: str | None = None,
        ready_line: str = "",
    ) -> None:
        self.name = name
        self.log = log
        self.deaths = 0  # that nobody asked for
        self._arguments = [sys.executable, "-m", "dashboard.cli", *arguments]
        self._environment = {**_surroundings(), **environment}
        self._health_url = health_url
        self._ready_line = ready_line.encode()
        self._log_began = 0  # where this run's lines begin, in bytes
        self._running: subprocess.Popen[bytes] | None = None
        self._changing = threading.RLock()

    @property
    def pid(self) -> int | None:
        """Of the command itself; None when it was ended."""
        return self._running.pid if self._running is not None else None

    def start(self) -> None:
        """Start it, again and again as a service manager would, until it is ready.

        Raises:
            ProcessError: It is not, for a long time.
        """
        with self._changing:
            self._spawn()
            ends = time.monotonic() + _READY_WITHIN_S
            while not self.is_ready():
                if time.monotonic() > ends:
                    raise ProcessError(f"{self.name} is not ready; see {self.log}.")
                if self._running is None or self._running.poll() is not None:
                    time.sleep(_LOOKS_EVERY_S)
                    self._spawn()
                time.sleep(_LOOKS_EVERY_S)

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        with self._changing:
            self._signal(signal.SIGKILL)
            self._reap()

    def kill_child(self) -> None:
        """End the child that serves; the command is to replace it by itself."""
        with self._changing:
            for pid in _children(self.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it where it is, as a paused machine does, while the block runs."""
        with self._changing:
            self._signal(signal.SIGSTOP)
            try:
                yield
            finally:
                self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, as a service manager does, and wait.

        Raises:
            ProcessError: It does not end in time.
        """
        with self._changing:
            if self._running is None:
                return
            self._running.terminate()
            try:
                self._running.wait(_STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                raise ProcessError(
                    f"{self.name} does not stop; see {self.log}."
                ) from None
            self._reap()

    def revive(self) -> None:
        """Count and undo a death that nobody asked for."""
        if not self._changing.acquire(blocking=False):
            return  # somebody is at it
        try:
            if self._running is not None and self._running.poll() is not None:
                self.deaths += 1
                self.start()
        finally:
            self._changing.release()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._log_began = log.tell()
            self._running = subprocess.Popen(
                self._arguments,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _signal(self, number: int) -> None:
        if self._running is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, number)

    def _reap(self) -> None:
        if self._running is not None:
            self._running.wait()
            self._running = None

    def is_ready(self) -> bool:
        """Whether it runs and, where it can be asked, says that it is ready."""
        if self._running is None or self._running.poll() is not None:
            return False
        if self._health_url is not None:
            return _answers(self._health_url)
        return self._ready_line in self.log.read_bytes()[self._log_began :]


def until(holds: Callable[[], bool], *, within_s: float, every_s: float = 0.2) -> bool:
    """Wait until it holds; return whether it did in time."""
    ends = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(every_s)
    return True


def _answers(url: str) -> bool:
    with suppress(httpx2.TransportError):
        return httpx2.get(url, timeout=2, trust_env=False).status_code == 200
    return False


def _children(pid: int | None) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(each) for each in listed.read_text().split()]
    except OSError:
        return []


def _surroundings() -> dict[str, str]:
    """Return the environment without what would configure another dashboard."""
    return {k: v for k, v in os.environ.items() if not k.startswith("DASHBOARD_")}  # noqa: TID251 - a child's environment
