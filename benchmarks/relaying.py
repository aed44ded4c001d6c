"""`serve` on SQLite taking webhooks in and delivering them at the same time."""

import time
from dataclasses import dataclass

from benchmarks import load
from benchmarks.load import Outcome, Requests
from benchmarks.processes import dashboard
from benchmarks.stage import Stage, StageError
from benchmarks.upstream import upstream

WARM_UP_S = 1
HIGHEST_RATE = 12_000
"""Events prepared for each second: more than any server here takes in."""


@dataclass(frozen=True, kw_only=True)
class Relayed:
    """What one run did.

    Attributes:
        ingest: What the senders saw.
        delivered_rate: Webhooks that the upstream answered, a second, meanwhile.
    """

    ingest: Outcome
    delivered_rate: float


def relay(
    here: Stage, requests: Requests, *, clients: int, seconds: int, delay_ms: int
) -> Relayed:
    """Run `serve` on a new database with its worker delivering, under full load.

    Raises:
        StageError: Events repeated, which are cheaper.
    """
    with upstream(here.folder, delay_ms=delay_ms) as there:
        site = here.site("sqlite", in_recall=True, recall_url=there.url)
        with dashboard(site, "serve") as running:
            load.run(running.port, warm_up(here), clients=clients, seconds=WARM_UP_S)
            before, began = there.answered(), time.perf_counter()
            outcome = load.run(running.port, requests, clients=clients, seconds=seconds)
            delivered = there.answered() - before
            took_s = time.perf_counter() - began
    require_distinct(outcome)
    return Relayed(ingest=outcome, delivered_rate=delivered / took_s)


def warm_up(here: Stage) -> Requests:
    """Return requests that none of `prepare`'s repeat."""
    path = here.folder / "warm-up"
    if path.exists():
        return Requests(
            path=path, length=path.stat().st_size // HIGHEST_RATE, count=HIGHEST_RATE
        )
    return load.write(path, HIGHEST_RATE, first=10**9)


def prepare(here: Stage, seconds: int) -> Requests:
    """Write as many distinct requests as could be sent in so many seconds.

    They may be sent again to another database only.
    """
    return load.write(here.folder / "requests", HIGHEST_RATE * seconds)


def require_distinct(outcome: Outcome) -> None:
    """Refuse figures for which events were sent twice.

    Raises:
        StageError: They were.
    """
    if outcome.again:
        raise StageError("Events repeated: raise HIGHEST_RATE in relaying.py.")
