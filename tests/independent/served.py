"""A dashboard as processes between a `World`'s Zoom and Recall.

`dashboard serve` on SQLite; on PostgreSQL `dashboard web` and `dashboard worker`, so
that the worker may die alone. Their clocks and the worker run on; a test says in a file
how much time has passed meanwhile, and how far somebody has set the host's clock.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from sqlmodel import col, select

from dashboard import app
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import Connection
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.heartbeats import heartbeats
from dashboard.services.staff import accounts
from dashboard.settings import new_key
from tests.conftest import PASSWORD
from tests.fixtures.ports import free_ports
from tests.independent.browser import Browser
from tests.independent.stage import ADMIN, SUPPORT, MakeWorld
from tests.independent.world import World
from tests.makers import FakeClock

_FILE, _ROUNDS = "TEST_CLOCK_FILE", "TEST_ROUNDS_FILE"
_SETTLES_WITHIN_S = 60.0
_ANSWERS_WITHIN_S = 300.0
_NO_TIME = timedelta(0)
_COMMAND = (sys.executable, "-m", "tests.independent.served")


class MovedClock(Clock):
    """The process's clock: real time, moved by what the file says."""

    def __init__(self) -> None:
        super().__init__()
        self._file = Path(os.environ[_FILE])  # noqa: TID251 - of a child

    def now(self) -> datetime:
        moved = self._read()
        return super().now() + timedelta(seconds=moved["passed_s"] + moved["set_s"])

    def drift_s(self) -> float:
        return super().drift_s() + self._read()["set_s"]

    def _read(self) -> dict[str, float]:
        return dict(json.loads(self._file.read_text()))


class Rounds:
    """The last chore of the process's worker: counts its rounds in a file."""

    def __init__(self) -> None:
        self._file = Path(os.environ[_ROUNDS])  # noqa: TID251 - of a child
        self._done = 0

    def __call__(self) -> int:
        self._done += 1
        _put(self._file, str(self._done))
        return 0


def _put(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def _wait(holds: Callable[[], bool], what: str) -> None:
    ends_at_s = time.monotonic() + _ANSWERS_WITHIN_S
    while not holds():
        assert time.monotonic() < ends_at_s, f"{what} did not come"
        time.sleep(0.05)


class RunningClock(FakeClock):
    """The true time: it runs on from where a test sets it."""

    def __init__(self) -> None:
        self.passed = _NO_TIME

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed  # noqa: TID251 - a process runs in it

    def __call__(self) -> datetime:
        return self.now()

    def set(self, instant: datetime | None) -> None:
        raise NotImplementedError("ServedStage.jump moves it")


class ServedStage:
    """As `stage.Stage`, but the dashboard is processes; nobody steps its worker.

    Args:
        folder: For its files.
        database: Migrated and empty; on SQLite nothing else may write to it.
        make_world: Makes its Zoom and Recall.
    """

    def __init__(self, folder: Path, database: Database, make_world: MakeWorld) -> None:
        self.clock = self.true = RunningClock()
        self.world: World = make_world(self.clock)
        self._moved, self._rounds = folder / "clock.json", folder / "rounds"
        _put(self._rounds, "0")
        self._set = _NO_TIME
        self._browsers: list[Browser] = []
        self._write()
        self.is_sqlite = database.is_sqlite
        for email, role in ((ADMIN, Role.ADMIN), (SUPPORT, Role.SUPPORT)):
            accounts.add(
                database,
                email=email,
                role=role,
                password=PASSWORD,
                now=self.clock.now(),
                actor=audit.COMMAND_LINE,
            )
        url = database.url.render_as_string(hide_password=False)
        database.close()  # the process is the only one that may write
        self._database_url = url
        self._port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("DASH")},  # noqa: TID251 - a child's environment
            _FILE: str(self._moved),
            _ROUNDS: str(self._rounds),
            "DASHBOARD_DATABASE_URL": url,
            "DASHBOARD_INSTANCE_DIR": str(folder),
            "DASHBOARD_ENCRYPTION_KEYS": new_key(),
            "DASHBOARD_PUBLIC_URL": self.url,
            "DASHBOARD_ZOOM_URL": self.world.zoom_url,
            "DASHBOARD_ZOOM_API_URL": self.world.zoom_url,
            "DASHBOARD_RECALL_URL": self.world.recall_url,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        web = "serve" if self.is_sqlite else "web"
        self._processes = {web: self._started(web, "--port", str(self._port))}
        if not self.is_sqlite:
            self._processes["worker"] = self._started("worker")
        try:
            _wait(self._is_ready, "an answer")
        except AssertionError:
            self._kill_all()
            raise
        self.database = Database(self._database_url)

    def stop(self) -> None:
        """Stop it, as a crash does."""
        self._kill_all()
        self.database.close()

    def command(self, *words: str) -> str:
        """Run another command of the dashboard's; return what it prints."""
        done = subprocess.run(
            [*_COMMAND, *words],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def _started(self, *command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*_COMMAND, *command],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def has_worker(self) -> bool:
        """Whether a worker runs; when set to False it is killed."""
        return self.is_sqlite or "worker" in self._processes

    @has_worker.setter
    def has_worker(self, is_wanted: bool) -> None:
        assert not is_wanted
        self._kill("worker")

    def _kill_all(self) -> None:
        for name in list(self._processes):
            self._kill(name)

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        self.stop()
        for browser in self._browsers:
            browser.close()
        self.world.close()

    def run_due(self) -> None:
        """Let Zoom and Recall do what is due; return when the dashboard has settled."""
        for _ in range(2):
            self.world.run_due()
            if not self.has_worker:
                return
            ends_at_s = time.monotonic() + _SETTLES_WITHIN_S
            while (left := self._left()) and time.monotonic() < ends_at_s:
                time.sleep(0.1)
            if left:  # the question shows whether that matters
                sys.stdout.write(f"Still to be done: {left}.\n")
            self._finish_a_round()

    def _finish_a_round(self) -> None:
        """Wait until the worker has done each of its chores, begun after now."""
        begun = int(self._rounds.read_text())
        _wait(lambda: int(self._rounds.read_text()) >= begun + 2, "a round of chores")

    def pass_time(self, amount: timedelta, *, step: timedelta) -> None:
        self.jump(amount)
        self.run_due()

    def jump(self, amount: timedelta) -> None:
        """Let time pass, for everybody."""
        self.clock.passed += amount
        self._write()

    def set_wrong(self, amount: timedelta) -> None:
        """Set the clock of the dashboard's host alone."""
        self._set += amount
        self._write()

    def sign_in(self, email: str = ADMIN) -> Browser:
        browser = Browser(self.url)
        self._browsers.append(browser)
        page = browser.submit(
            browser.get("/sign-in"),
            "/sign-in",
            email=email,
            password=PASSWORD.get_secret_value(),
        )
        assert page.path == "/", page.text
        return browser

    def _write(self) -> None:
        moved = {
            "passed_s": self.clock.passed.total_seconds(),
            "set_s": self._set.total_seconds(),
        }
        _put(self._moved, json.dumps(moved))

    def _is_ready(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        return False

    def _left(self) -> str:
        """Return what the dashboard has still to do now; "" for nothing."""
        now = self.clock.now() + self._set
        unread = select(Webhook.id).where(col(Webhook.is_unread))
        held = select(OpenCircuit.id).where(col(OpenCircuit.is_holding))
        unsent = (
            select(Webhook.id)
            .join(ZoomApp, col(ZoomApp.id) == col(Webhook.zoom_app_id))
            .where(
                col(Webhook.outcome) == Outcome.WAITING,
                col(Webhook.due_at) <= now,
                col(ZoomApp.recall_app_id).is_not(None),
                ~held.exists(),
            )
        )
        unchecked = (
            select(Connection.id)
            .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
            .where(
                col(Connection.due_at) <= now, col(ZoomApp.pair_doubted_at).is_(None)
            )
        )
        with self.database.reading() as session:
            if not heartbeats.find(session, now=now).is_alive:
                return "a heartbeat"  # it reports every 15 s
            left = {
                "a webhook to read": session.exec(unread.limit(1)).first(),
                "a webhook to send": session.exec(unsent.limit(1)).first(),
                "a connection to check": session.exec(unchecked.limit(1)).first(),
            }
        return ", ".join(name for name, row in left.items() if row is not None)


@contextmanager
def a_served_stage(
    folder: Path, database: Path | Database, make_world: MakeWorld
) -> Iterator[ServedStage]:
    """Run it until the end.

    Args:
        folder: For its files.
        database: PostgreSQL's, or a migrated file of SQLite to copy.
        make_world: Makes its Zoom and Recall.
    """
    if isinstance(database, Path):
        own = folder / "dashboard.db"
        own.write_bytes(database.read_bytes())
        database = Database(f"sqlite:///{own}")
    stage = ServedStage(folder, database, make_world)
    try:
        yield stage
    finally:
        stage.close()


if __name__ == "__main__":
    from dashboard import serving
    from dashboard.cli import main

    counted = lambda runtime: [*app.chores(runtime), Rounds()]  # noqa: E731 - of one use
    setattr(serving, "chores", counted)  # noqa: B010 - as below
    setattr(app, "Clock", MovedClock)  # noqa: B010 - mypy: a class is no variable
    main()
