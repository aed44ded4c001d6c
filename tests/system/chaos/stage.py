"""What a run plays on: a database, the dashboard's processes, the simulated Recall."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from dashboard import schema
from dashboard.db import Database
from dashboard.models.watch import ProbeSchedule
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.ports import free_ports
from tests.makers import a_workspace, a_zoom_app
from tests.system.chaos import ledger
from tests.system.chaos.disk import Disk
from tests.system.chaos.processes import Process, ProcessError, until
from tests.system.chaos.recall import Recall

Lasts = Callable[[], bool]
"""Returns when a fault has lasted long enough, and whether all are to end now."""

Act = Callable[[Lasts, random.Random], None]
"""Brings a fault about, waits, and puts everything right again."""

_REGIONS = ("us-east-1", "eu-central-1")
_PATIENCE_S = 60.0
_LONG_AFTER = timedelta(days=365)
# Longer than the dashboard waits for its database (5 s), or it would feel nothing.
FELT_AFTER_S = 6.0


class Stage(ABC):
    """A dashboard under test and all around it; `open` first, `close` at the end.

    Two zoom apps, each of its own workspace.

    Attributes:
        database: For reading, from outside.
        recall: The simulated one.
        recall_apps: Ids of the zoom apps there.
        processes: Those of the dashboard.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = Disk(folder / "disk")
        self._key = new_key()
        self.vault = Vault(parse_keys(self._key))
        zoom_port, recall_port = free_ports(2)
        self._sandbox_urls = [f"http://127.0.0.1:{p}" for p in (zoom_port, recall_port)]
        self.recall = Recall(self._sandbox_urls[1])
        ports = ["--zoom-port", str(zoom_port), "--recall-port", str(recall_port)]
        self._sandbox = self._process(
            "sandbox",
            ["sandbox", "--empty", "--allow-local", *ports],
            health_url=f"{self._sandbox_urls[1]}/_sandbox/state",
        )
        self.recall_apps: list[str] = []
        self.processes: list[Process] = []
        self._app_ids: list[UUID] = []

    @property
    @abstractmethod
    def database(self) -> Database: ...

    @property
    @abstractmethod
    def acts(self) -> Mapping[str, Act]:
        """What can be done to the dashboard and its database, by name."""

    @property
    def long_acts(self) -> Mapping[str, Act]:
        """What takes too long for a short run."""
        return {}

    @abstractmethod
    def _make_processes(self) -> list[Process]: ...

    @property
    @abstractmethod
    def _doors(self) -> Sequence[str]:
        """URLs of the processes that take webhooks."""

    @property
    def targets(self) -> list[list[str]]:
        """URLs of the receiver, a row for each zoom app."""
        return [
            [f"{door}/hooks/zoom/{app_id}" for door in self._doors]
            for app_id in self._app_ids
        ]

    def open(self) -> None:
        """Start everything, with tables and zoom apps; returns when all are ready."""
        self._sandbox.start()
        self.recall.mend()
        schema.upgrade(self.database)
        ledger.install(self.database)
        for region in _REGIONS:
            client_id = f"simC{region:x<18}"
            there = self.recall.add_app(region, client_id=client_id)
            with self.database.writing() as session:
                workspace = a_workspace(self.vault, region=region, name=region)
                session.add(workspace)
                session.flush()
                app = a_zoom_app(
                    self.vault,
                    client_id=client_id,
                    recall_app_id=UUID(there),
                    workspace_id=workspace.id,
                )
                session.add(app)
                session.flush()
                # Its own probes would be bytes at Recall that Zoom never sent.
                never = app.created_at + _LONG_AFTER
                watch = ProbeSchedule(
                    zoom_app_id=app.id,
                    poll_due_at=never,
                    log_due_at=never,
                    probe_due_at=never,
                )
                session.add(watch)
                self.recall_apps.append(there)
                self._app_ids.append(app.id)
        self.database.close()  # else no other process may write to a SQLite file
        self.processes = self._make_processes()
        for process in self.processes:
            process.start()

    def close(self) -> None:
        """End everything, whatever state it is in."""
        for process in [*self.processes, self._sandbox]:
            process.kill()
        self.recall.close()
        self.database.close()
        self.disk.close()

    def _process(
        self,
        name: str,
        arguments: list[str],
        *,
        health_url: str | None = None,
        ready_line: str = "",
        database_url: str = "",
    ) -> Process:
        """Return a process of the dashboard, not started; it shares the one key."""
        zoom_url, recall_url = self._sandbox_urls
        environment = {
            "DASHBOARD_INSTANCE_DIR": str(self.folder),
            "DASHBOARD_DATABASE_URL": database_url,
            "DASHBOARD_ENCRYPTION_KEYS": self._key,
            "DASHBOARD_ZOOM_URL": zoom_url,
            "DASHBOARD_ZOOM_API_URL": zoom_url,
            "DASHBOARD_RECALL_URL": recall_url,
        }
        return Process(
            name,
            arguments,
            environment=environment,
            log=self.folder / f"{name.replace(' ', '-')}.log",
            health_url=health_url,
            ready_line=ready_line,
        )

    def fill_the_disk(self, lasts: Lasts, _draw: random.Random) -> None:
        """Leave no room where the database is, until it has to notice."""
        with self.disk.full():
            outlast(lasts, FELT_AFTER_S)


def killing(processes: Sequence[Process]) -> Act:
    """Kill one and its children; start it again after a while."""

    def act(lasts: Lasts, draw: random.Random) -> None:
        process = draw.choice(processes)
        process.kill()
        lasts()
        process.start()

    return act


def killing_child(processes: Sequence[Process]) -> Act:
    """Kill the child that serves; its parent is to replace it."""

    def act(lasts: Lasts, draw: random.Random) -> None:
        process = draw.choice(processes)
        process.kill_child()
        lasts()
        if not until(process.is_ready, within_s=_PATIENCE_S):
            raise ProcessError(f"{process.name} did not replace its dead child.")

    return act


def restarting(processes: Sequence[Process]) -> Act:
    """Ask one to end, wait for it, and start it again."""

    def act(lasts: Lasts, draw: random.Random) -> None:
        process = draw.choice(processes)
        process.terminate()
        lasts()
        process.start()

    return act


def outlast(lasts: Lasts, seconds: float) -> None:
    """Wait as long as the fault lasts, but longer than `seconds`."""
    ends = time.monotonic() + seconds
    while not lasts() and time.monotonic() < ends:
        pass
