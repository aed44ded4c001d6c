"""One run: load and faults together, then quiet, then the books."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from dashboard.errors import StorageError
from tests.system.chaos import ledger
from tests.system.chaos.balance import Balance, balance
from tests.system.chaos.faults import LONG, SHORT, Lane, Say, recall_acts
from tests.system.chaos.load import Load
from tests.system.chaos.postgresql_stage import PostgresqlStage
from tests.system.chaos.processes import until
from tests.system.chaos.sqlite_stage import SqliteStage
from tests.system.chaos.stage import Stage

STAGES: dict[str, Callable[[Path], Stage]] = {
    "sqlite": SqliteStage,
    "postgresql": PostgresqlStage,
}
_SHORT_RUN_S = 60.0
_REVIVES_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run showed.

    Attributes:
        answers: Of the receiver, by status; 0 is none within Zoom's three seconds.
        faults: How often each struck.
        deaths: Processes that ended though nobody ended them.
        drained_s: How long the backlog took after the load; None: it is still there.
    """

    balance: Balance
    answers: Counter[int]
    faults: Counter[str]
    deaths: int
    drained_s: float | None
    latencies_ms: list[float]

    def text(self) -> str:
        """Return the tables people read."""
        p50, p99 = _percentiles(self.latencies_ms)
        drained = "not in time" if self.drained_s is None else f"{self.drained_s:.0f} s"
        lines = ["Faults:"]
        lines += [f"  {name:<26}{times:>4}" for name, times in self.faults.items()]
        lines += ["Answers (0: none):"]
        lines += [f"  {code:<16}{n:>9,}" for code, n in sorted(self.answers.items())]
        lines += [f"  200 after {p50:.0f} ms (p50), {p99:.0f} ms (p99)"]
        lines += [f"Processes that ended by themselves: {self.deaths}"]
        lines += [f"Backlog drained after the load: {drained}", "Balance:"]
        return "\n".join([*lines, self.balance.table()])


def play(
    stage: Stage, *, seconds: float, rate: float, seed: int, drain_s: float, say: Say
) -> Report:
    """Load and trouble an open stage for a while; return the books.

    Raises:
        Exception: What ended a lane early: a process that does not start again.
    """
    load = Load(stage.targets, rate=rate, run=f"chaos-{seed}", seed=seed)
    is_short = seconds < _SHORT_RUN_S
    acts = {**stage.acts, **({} if is_short else stage.long_acts)}
    lanes = [
        Lane(
            its_acts,
            pace=SHORT if is_short else LONG,
            draw=random.Random(f"{name} {seed}"),
            say=say,
        )
        for name, its_acts in (
            ("dashboard", acts),
            ("recall", recall_acts(stage.recall, stage.recall_apps)),
        )
    ]
    over = threading.Event()
    posting = threading.Thread(target=lambda: asyncio.run(load.run(over.is_set)))
    with _revived(stage):
        posting.start()
        for lane in lanes:
            lane.start()
        until(
            lambda: any(lane.error for lane in lanes) or not posting.is_alive(),
            within_s=seconds,
        )
        over.set()
        for lane in lanes:
            lane.stop()
        posting.join()
        for lane in lanes:
            if lane.error is not None:
                raise lane.error
        say("load and faults are over; the backlog drains")
        began = time.monotonic()
        is_drained = until(lambda: _is_drained(stage), within_s=drain_s, every_s=0.5)
        drained_s = time.monotonic() - began if is_drained else None
    return Report(
        balance=books(stage, load),
        answers=load.answers(),
        faults=Counter({name: n for lane in lanes for name, n in lane.counts.items()}),
        deaths=sum(process.deaths for process in stage.processes),
        drained_s=drained_s,
        latencies_ms=load.latencies_ms,
    )


def books(stage: Stage, load: Load) -> Balance:
    """Read the database, then Recall, and balance."""
    rows = ledger.rows(stage.database, stage.vault)
    return balance(
        load.sent,
        rows=rows,
        received=stage.recall.digests(),
        tries=ledger.tries(stage.database),
        claims=ledger.claims(stage.database),
    )


@contextmanager
def _revived(stage: Stage) -> Iterator[None]:
    """Start again what ends by itself, as a service manager would, and count it."""
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(_REVIVES_EVERY_S):
            for process in stage.processes:
                process.revive()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _is_drained(stage: Stage) -> bool:
    with suppress(StorageError):
        return ledger.waiting(stage.database) == 0
    return False


def _percentiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return 0.0, 0.0
    cuts = quantiles(values, n=100)
    return cuts[49], cuts[98]
