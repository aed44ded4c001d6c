"""`serve` on SQLite while it receives and delivers webhooks."""

import time
from dataclasses import dataclass

from benchmarks import load
from benchmarks.load import Outcome, Requests
from benchmarks.processes import dashboard
from benchmarks.sites import BenchmarkError, Sites
from benchmarks.upstream import upstream

WARM_UP_S = 1
HIGHEST_RATE = 12_000
"""Events prepared for each second: more than any server here receives."""


@dataclass(frozen=True, kw_only=True)
class ServeOutcome:
    """Result of one run.

    Attributes:
        ingest: What the senders saw.
        delivered_rate: Webhooks that the upstream answered per second.
    """

    ingest: Outcome
    delivered_rate: float


def serve_and_deliver(
    sites: Sites, requests: Requests, *, clients: int, seconds: int, delay_ms: int
) -> ServeOutcome:
    """Run `serve` on a new database with its worker delivering, under full load.

    Raises:
        StageError: Events repeated, which are cheaper.
    """
    with upstream(sites.folder, delay_ms=delay_ms) as there:
        site = sites.site("sqlite", in_recall=True, recall_url=there.url)
        with dashboard(site, "serve") as running:
            load.run(running.port, warm_up(sites), clients=clients, seconds=WARM_UP_S)
            before, began = there.answered(), time.perf_counter()
            outcome = load.run(running.port, requests, clients=clients, seconds=seconds)
            delivered = there.answered() - before
            took_s = time.perf_counter() - began
    require_distinct(outcome)
    return ServeOutcome(ingest=outcome, delivered_rate=delivered / took_s)


def warm_up(sites: Sites) -> Requests:
    """Return requests that `prepare` does not repeat."""
    path = sites.folder / "warm-up"
    if path.exists():
        return Requests(
            path=path, length=path.stat().st_size // HIGHEST_RATE, count=HIGHEST_RATE
        )
    return load.write(path, HIGHEST_RATE, first=10**9)


def prepare(sites: Sites, seconds: int) -> Requests:
    """Write as many distinct requests as could be sent in so many seconds.

    They may be sent again only to another database.
    """
    return load.write(sites.folder / "requests", HIGHEST_RATE * seconds)


def require_distinct(outcome: Outcome) -> None:
    """Refuse figures with duplicate events.

    Raises:
        StageError: Events were sent twice.
    """
    if outcome.again:
        raise BenchmarkError("Events repeated: raise HIGHEST_RATE in delivering.py.")
