"""Says that no background worker runs, from the process that answers pages.

Alerts are the worker's. While none has reported for a minute, this thread makes the
rounds and sends the messages instead; claims keep it apart from a worker that returns.
"""

import threading

import structlog

from dashboard.errors import StorageError
from dashboard.logs import Outage
from dashboard.services.alerts import sending
from dashboard.services.alerts.rounds import EVERY, Rounds
from dashboard.services.heartbeats import heartbeats
from dashboard.services.runtime import Runtime

_GRACE_S = 90.0
"""A worker that starts together with this process has reported by then."""

_JOIN_S = 5.0
_log = structlog.get_logger(__name__)


class StandIn:
    """A thread of a process that serves pages."""

    def __init__(self, runtime: Runtime, *, grace_s: float = _GRACE_S) -> None:
        self._runtime = runtime
        self._grace_s = grace_s
        self._rounds = Rounds(runtime)
        self._sender = sending.sender(runtime, takes_over=False)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End; what is being sent ends, or is sent again by someone else."""
        self._stopping.set()
        self._sender.close()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def work(self) -> bool:
        """Do the worker's part if none runs; return whether that was needed. Commits.

        Raises:
            StorageError: The database can't be used.
        """
        runtime = self._runtime
        with runtime.database.reading() as session:
            if heartbeats.find(session, now=runtime.clock.now()).is_alive:
                return False
        self._rounds()
        self._sender()
        return True

    def _run(self) -> None:
        failing = Outage(
            _log,
            "stand_in.failed",
            "stand_in.still_failing",
            "stand_in.recovered",
            calm_s=60.0,
        )
        wait_s = self._grace_s
        while not self._stopping.wait(wait_s):
            wait_s = EVERY.total_seconds()
            try:
                self.work()
                failing.end()
            except StorageError:
                pass  # logged by the database; what waits is sent later
            except Exception:  # noqa: BLE001 - logged with its trace; the next turn may succeed
                failing.record(exc_info=True)
