"""The dashboard's own looks at each zoom app: Recall's record, its log, the probes.

A chore of the worker: a few apps at a time, each in a thread of its own, so that a
Recall that hangs delays neither the others nor the chores behind this one. See
`runtime.validation.schedule` for when, and `runtime.probes.rounds` for what.
"""

import threading
import time
from uuid import UUID

from dashboard.clients.recall.operations import Operation
from dashboard.services.probes.public_url import Pause
from dashboard.services.probes.rounds import ProbeRound
from dashboard.services.recall import rate_limits
from dashboard.services.runtime import Runtime
from dashboard.services.validation import schedule
from dashboard.services.validation.schedule import (
    ProbeClaim,
)
from dashboard.threads import WorkerThreads

__all__ = ["ProbeScheduler", "run_due"]

_AT_ONCE = 8
_A_WORKSPACE = 3
_PATIENCE_S = 1.0
_LONG_S = 120.0


def run_due(runtime: Runtime, *, pause: Pause = time.sleep) -> int:
    """Look at everything that is due, to the end; return at how many apps. Commits.

    Args:
        runtime: All of them.
        pause: Waits so many seconds between two looks at one thing.
    """
    return ProbeScheduler(runtime, patience_s=_LONG_S, pause=pause)()


class ProbeScheduler:
    """Begins the looks that are due, and does not wait long for their end.

    Args:
        runtime: Its calls to Recall yield to people.
        patience_s: How long a call waits for the looks it began, in seconds.
        pause: Waits so many seconds between two looks at one thing.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        patience_s: float = _PATIENCE_S,
        pause: Pause = time.sleep,
    ) -> None:
        self._runtime = runtime.in_background()
        self._patience_s = patience_s
        self._pause = pause
        self._threads = WorkerThreads[UUID | None]("watch", at_once=_AT_ONCE)

    def __call__(self) -> int:
        """Begin what is due and there is room for; return how many looks."""
        room = self._threads.room
        if not room:
            return 0
        now = self._runtime.clock.now()
        database = self._runtime.database
        with database.reading() as session:
            spared = rate_limits.without_room(
                session, [Operation.APPS_RETRIEVE], now=now
            )
        claimed = schedule.claim_due(
            database,
            now=now,
            limit=room,
            busy=self._threads.counts(),
            a_workspace=_A_WORKSPACE,
            spared=spared,
        )
        threads = [self._begin(each) for each in claimed]
        self._threads.wait(self._patience_s, threads)
        return len(threads)

    def close(self) -> None:
        """Begin no more; what is under way writes nothing down any more."""
        self._threads.close()

    def _begin(self, claimed: ProbeClaim) -> threading.Thread:
        look = ProbeRound(
            self._runtime, claimed, pause=self._pause, is_over=self._threads.is_over
        )
        return self._threads.begin(
            claimed.workspace_id, look.run, about=claimed.zoom_app_id
        )
