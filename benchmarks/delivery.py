"""Webhooks delivered per second to an upstream of 50 ms.

`python -m benchmarks.delivery`: `serve` on SQLite that receives and delivers at once,
then one and two workers on PostgreSQL that deliver a backlog.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlmodel import col, func, select

from benchmarks import report
from benchmarks.delivering import ServeOutcome, prepare, serve_and_deliver
from benchmarks.load import fill_backlog
from benchmarks.processes import dashboard
from benchmarks.sites import BenchmarkError, Site, Sites, open_sites
from benchmarks.upstream import Upstream, upstream
from dashboard.clock import Clock
from dashboard.models.webhook import Outcome, Webhook

_GIVEN_UP_S = 180
_WRITTEN_BACK_S = 20
_LOOK_S = 0.02


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    relayed: list[ServeOutcome] = []
    drained: dict[int, list[float]] = {number: [] for number in options.workers}
    with open_sites(options.folder) as sites:
        print(report.machine(sites, ["postgresql"] if options.workers else []))
        requests = prepare(sites, options.seconds) if options.clients else None
        full = sites.site("postgresql", in_recall=True) if options.workers else None
        if full is not None:
            fill_backlog(full, options.backlog)
        for _ in range(options.repeats):
            if requests is not None:
                relayed.append(
                    serve_and_deliver(
                        sites,
                        requests,
                        clients=options.clients,
                        seconds=options.seconds,
                        delay_ms=options.upstream_ms,
                    )
                )
            for number, rates in drained.items():
                if full is not None:
                    rates.append(_drain(sites, full, number, options))
    print(_table(options, relayed, drained))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--clients", type=int, default=16, help="that post to serve; 0 leaves it out"
    )
    parser.add_argument("--seconds", type=int, default=10, help="of posting to serve")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2], metavar="N")
    parser.add_argument("--backlog", type=int, default=20_000, help="webhooks to drain")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs")
    parser.add_argument("--upstream-ms", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    return parser.parse_args()


def _drain(
    sites: Sites, full: Site, workers: int, options: argparse.Namespace
) -> float:
    """Return how many a second the upstream answered since all workers were there."""
    backlog: int = options.backlog
    with ExitStack() as stack:
        there = stack.enter_context(
            upstream(sites.folder, delay_ms=options.upstream_ms)
        )
        site = sites.copy(full, recall_url=there.url)
        for _ in range(workers):
            stack.enter_context(dashboard(site, "worker"))
        began, before = Clock().now().timestamp(), there.answered()
        _wait_for(there, backlog)
        _require_written_back(site, backlog)
        if there.answered() != backlog:
            raise BenchmarkError(f"{there.answered()} sent of {backlog}.")
        return (backlog - before) / (there.last_s() - began)


def _wait_for(there: Upstream, count: int) -> None:
    answered, until = 0, time.monotonic() + _GIVEN_UP_S
    while answered < count:
        time.sleep(_LOOK_S)
        answered = there.answered()
        if time.monotonic() > until:
            raise BenchmarkError(f"{answered} of {count} delivered in {_GIVEN_UP_S} s.")


def _require_written_back(site: Site, count: int) -> None:
    until = time.monotonic() + _WRITTEN_BACK_S
    query = select(func.count()).where(col(Webhook.outcome) == Outcome.DELIVERED)
    with site.database() as database, database.reading() as session:
        while (found := session.exec(query).one()) < count:
            if time.monotonic() > until:
                raise BenchmarkError(f"{found} of {count} are noted as delivered.")
            time.sleep(_LOOK_S)


def _table(
    options: argparse.Namespace,
    relayed: Sequence[ServeOutcome],
    drained: dict[int, list[float]],
) -> str:
    rows = []
    if relayed:
        rows.append(
            [
                f"serve, SQLite, {options.clients} clients",
                report.middle(each.ingest.rate for each in relayed),
                report.middle(each.delivered_rate for each in relayed),
                report.ratio(
                    (each.delivered_rate for each in relayed),
                    (each.ingest.rate for each in relayed),
                ),
                next((e.ingest.errors for e in relayed if e.ingest.errors), ""),
            ]
        )
    usual = next(iter(drained.values()), [])
    for number, rates in drained.items():
        word = "worker" if number == 1 else "workers"
        rows.append(
            [
                f"{number} {word}, PostgreSQL, backlog of {options.backlog:,}",
                "",
                report.middle(rates),
                report.ratio(rates, usual),
                "",
            ]
        )
    return report.table(["", "answered/s", "delivered/s", "ratio", "errors"], rows)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
