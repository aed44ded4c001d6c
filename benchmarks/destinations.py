"""Whether Recall's deliveries keep their pace beside slow and dead destinations.

`python -m benchmarks.destinations`: a steady rate of events to `serve` on SQLite, with
no destination, one that answers at once, one that takes 30 s, and one that is down.
"""

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from sqlmodel import col, func, select

from benchmarks import report
from benchmarks.processes import dashboard
from benchmarks.sites import APP_ID, NOWHERE, BenchmarkError, Site, Sites, open_sites
from benchmarks.slow_upstream import offer
from benchmarks.upstream import upstream
from dashboard.models.endpoint import DeliveryOutcome, EndpointDelivery
from dashboard.models.webhook import Attempt, Outcome, Webhook
from dashboard.services import audit
from dashboard.services.endpoints import endpoints

_USUAL = "none"
_DESTINATIONS: dict[str, tuple[int | None, ...]] = {
    _USUAL: (),
    "one that answers at once": (0,),
    "one that takes 30 s": (30_000,),
    "one that is down": (None,),
    "all three": (0, 30_000, None),
}
_GIVEN_UP_S = 120
_ACTOR = audit.Actor(name="benchmark")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How soon Recall had each webhook after its arrival, in milliseconds."""

    p50_ms: float
    p99_ms: float
    delivered: int
    copied: int


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    found: dict[str, list[Pace]] = defaultdict(list)
    with open_sites(options.folder) as sites:
        print(f"{report.machine(sites, ['sqlite'])}; {options.rate}/s offered")
        for _ in range(options.repeats):
            for name in _DESTINATIONS:
                found[name].append(_measure(sites, name, options))
    print(_table(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="events a second")
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    return parser.parse_args()


def _measure(sites: Sites, name: str, options: argparse.Namespace) -> Pace:
    with ExitStack() as stack:
        there = stack.enter_context(upstream(sites.folder, delay_ms=0))
        site = sites.site("sqlite", in_recall=True, recall_url=there.url)
        for delay_ms in _DESTINATIONS[name]:
            url = NOWHERE
            if delay_ms is not None:
                its = upstream(sites.folder, delay_ms=delay_ms)
                url = stack.enter_context(its).url
            with site.runtime() as runtime:
                endpoints.add_destination(
                    runtime, APP_ID, SecretStr(f"{url}/copies"), actor=_ACTOR
                )
        with dashboard(site, "serve") as running:
            asyncio.run(offer(running.port, options))
            _wait(site)
        return _pace(site)


def _wait(site: Site) -> None:
    """Wait until Recall has everything.

    Raises:
        BenchmarkError: It takes too long.
    """
    ends = time.monotonic() + _GIVEN_UP_S
    query = select(func.count()).where(col(Webhook.outcome) == Outcome.WAITING)
    with site.database() as database:
        while True:
            with database.reading() as session:
                if not session.exec(query.select_from(Webhook)).one():
                    return
            if time.monotonic() > ends:
                raise BenchmarkError("Recall does not get everything.")
            time.sleep(0.5)


def _pace(site: Site) -> Pace:
    with site.database() as database, database.reading() as session:
        query = select(Webhook.received_at, Attempt.started_at, Attempt.latency_ms)
        joined = query.join(Attempt, col(Attempt.webhook_id) == col(Webhook.id))
        took = sorted(
            (began - came).total_seconds() * 1000 + latency_ms
            for came, began, latency_ms in session.exec(joined)
        )
        copies = select(func.count()).where(
            col(EndpointDelivery.outcome) == DeliveryOutcome.DELIVERED
        )
        copied = session.exec(copies.select_from(EndpointDelivery)).one()
    return Pace(
        p50_ms=took[len(took) // 2],
        p99_ms=took[len(took) * 99 // 100],
        delivered=len(took),
        copied=copied,
    )


def _table(found: dict[str, list[Pace]]) -> str:
    usual = found[_USUAL]
    rows = [
        [
            name,
            report.middle((each.p50_ms for each in runs), 1),
            report.ratio((x.p50_ms for x in runs), (x.p50_ms for x in usual)),
            report.middle((each.p99_ms for each in runs), 1),
            report.ratio((x.p99_ms for x in runs), (x.p99_ms for x in usual)),
            f"{sum(each.delivered for each in runs):,}",
            f"{sum(each.copied for each in runs):,}",
        ]
        for name, runs in found.items()
    ]
    heads = [
        "destinations",
        *("p50 ms", "of none", "p99 ms", "of none"),
        *("Recall has", "copies"),
    ]
    return report.table(heads, rows)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
