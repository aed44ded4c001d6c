"""`dashboard serve` as a process between a `World`'s Zoom and Recall.

Its real clock and its real worker run on; a test says in a file how much time has
passed meanwhile, and how far somebody has set the host's clock.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from sqlmodel import col, select

from dashboard import app
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.staff import Role
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.heartbeats import heartbeats
from dashboard.services.staff import accounts
from dashboard.settings import new_key
from tests.conftest import PASSWORD
from tests.fixtures.ports import free_ports
from tests.fixtures.relay import until
from tests.independent.browser import Browser
from tests.independent.stage import ADMIN, SUPPORT, MakeWorld
from tests.independent.world import World
from tests.makers import FakeClock

_FILE = "TEST_CLOCK_FILE"
_SETTLES_WITHIN_S = 20.0
_CHORES_S = 1.3
_NO_TIME = timedelta(0)


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
    """As `stage.Stage`, but the dashboard is a process; nobody steps its worker."""

    has_worker = True

    def __init__(self, folder: Path, migrated: Path, make_world: MakeWorld) -> None:
        self.clock = self.true = RunningClock()
        self.world: World = make_world(self.clock)
        self._moved = folder / "clock.json"
        self._set = _NO_TIME
        self._browsers: list[Browser] = []
        self._write()
        self.file = folder / "dashboard.db"
        self.file.write_bytes(migrated.read_bytes())
        database = Database(f"sqlite:///{self.file}")
        for email, role in ((ADMIN, Role.ADMIN), (SUPPORT, Role.SUPPORT)):
            accounts.add(
                database,
                email=email,
                role=role,
                password=PASSWORD,
                now=self.clock.now(),
                actor=audit.COMMAND_LINE,
            )
        database.close()  # the process is the only one that may write
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.independent.served"),
                *("serve", "--port", str(port)),
            ],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("DASH")},  # noqa: TID251 - a child's environment
                _FILE: str(self._moved),
                "DASHBOARD_INSTANCE_DIR": str(folder),
                "DASHBOARD_ENCRYPTION_KEYS": new_key(),
                "DASHBOARD_PUBLIC_URL": self.url,
                "DASHBOARD_ZOOM_URL": self.world.zoom_url,
                "DASHBOARD_ZOOM_API_URL": self.world.zoom_url,
                "DASHBOARD_RECALL_URL": self.world.recall_url,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._is_ready)
        self.database = Database(f"sqlite:///{self.file}")

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for browser in self._browsers:
            browser.close()
        self.database.close()
        self.world.close()

    def run_due(self) -> None:
        """Let Zoom and Recall do what is due; return when the dashboard has settled."""
        for _ in range(2):
            self.world.run_due()
            ends_at_s = time.monotonic() + _SETTLES_WITHIN_S
            while not self._is_settled() and time.monotonic() < ends_at_s:
                time.sleep(0.1)
            time.sleep(_CHORES_S)

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
        new = self._moved.with_suffix(".new")
        new.write_text(json.dumps(moved))
        new.replace(self._moved)

    def _is_ready(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        return False

    def _is_settled(self) -> bool:
        now = self.clock.now() + self._set
        unread = select(Webhook.id).where(col(Webhook.is_unread))
        due = (
            select(Connection.id)
            .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
            .where(
                col(Connection.due_at) <= now, col(ZoomApp.pair_doubted_at).is_(None)
            )
        )
        with self.database.reading() as session:
            if not heartbeats.find(session, now=now).is_alive:
                return False  # it reports every 15 s
            return not any(
                session.exec(query.limit(1)).first() for query in (unread, due)
            )


@contextmanager
def a_served_stage(
    folder: Path, migrated: Path, make_world: MakeWorld
) -> Iterator[ServedStage]:
    """Run it until the end."""
    stage = ServedStage(folder, migrated, make_world)
    try:
        yield stage
    finally:
        stage.close()


if __name__ == "__main__":
    from dashboard.cli import main

    setattr(app, "Clock", MovedClock)  # noqa: B010 - mypy: a class is no variable
    main()
