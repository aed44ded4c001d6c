"""`dashboard serve` on a SQLite file: one process does it all."""

import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dashboard.db import Database
from tests.fixtures.ports import free_ports
from tests.system.chaos.processes import Process
from tests.system.chaos.stage import (
    FELT_AFTER_S,
    Act,
    Lasts,
    Stage,
    killing,
    killing_child,
    outlast,
    restarting,
)

# Ends without closing the file: a close might checkpoint, which only the dashboard may.
_LOCKER = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
os._exit(0)
"""


class SqliteStage(Stage):
    """One `serve`; its file is on the disk that can be full."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = self.disk.folder / "dashboard.db"
        self._door = f"http://127.0.0.1:{free_ports(1)[0]}"
        self._database = Database(f"sqlite:///{self._file}")

    @property
    def database(self) -> Database:
        """The file."""
        return self._database

    @property
    def acts(self) -> Mapping[str, Act]:
        """What can be done to it."""
        serve = self.processes
        acts: dict[str, Act] = {
            "kill -9 of serve": killing(serve),
            "kill -9 of serve's child": killing_child(serve),
            "restart of serve": restarting(serve),
            "database locked": self._hold_the_lock,
        }
        if self.disk.can_be_full:
            acts["disk full"] = self.fill_the_disk
        return acts

    @property
    def _doors(self) -> Sequence[str]:
        return [self._door]

    def _make_processes(self) -> list[Process]:
        port = self._door.rpartition(":")[2]
        serve = self._process(
            "serve",
            ["serve", "--port", port],
            health_url=f"{self._door}/healthz",
            database_url=f"sqlite:///{self._file}",
        )
        return [serve]

    def _hold_the_lock(self, lasts: Lasts, _draw: random.Random) -> None:
        locker = subprocess.Popen(
            [sys.executable, "-c", _LOCKER, self._file],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with locker:
            assert locker.stdout is not None
            locker.stdout.readline()
            outlast(lasts, FELT_AFTER_S)
