"""`serve` beside an Express receiver that forwards before it answers.

`python -m benchmarks.against_express`; both deliver to the same upstream of 50 ms.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load, report
from benchmarks.delivering import ServeOutcome, prepare, serve_and_deliver, warm_up
from benchmarks.load import Outcome, Requests
from benchmarks.sites import BenchmarkError, Sites, open_sites
from benchmarks.upstream import express, install_express, upstream

_EXPRESS = "Express, forwards, then answers"
_SERVE = "serve, SQLite: stores, answers, delivers"


def main() -> None:
    """Measure, print, clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[16, 64], metavar="N")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs")
    parser.add_argument("--upstream-ms", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    options = parser.parse_args()
    theirs: dict[int, list[Outcome]] = defaultdict(list)
    ours: dict[int, list[ServeOutcome]] = defaultdict(list)
    with open_sites(options.folder) as sites:
        folder = sites.folder / "express"
        folder.mkdir()
        version = install_express(folder)
        print(f"{report.machine(sites)}; Express {version}")
        requests = prepare(sites, options.seconds)
        for _ in range(options.repeats):
            for clients in options.clients:
                theirs[clients].append(
                    _express(sites, folder, requests, clients, options)
                )
                ours[clients].append(
                    serve_and_deliver(
                        sites,
                        requests,
                        clients=clients,
                        seconds=options.seconds,
                        delay_ms=options.upstream_ms,
                    )
                )
    print(_table(options.clients, theirs, ours))


def _express(
    sites: Sites,
    folder: Path,
    requests: Requests,
    clients: int,
    options: argparse.Namespace,
) -> Outcome:
    with (
        upstream(sites.folder, delay_ms=options.upstream_ms) as there,
        express(folder, there) as port,
    ):
        load.run(port, warm_up(sites), clients=clients, seconds=1)
        return load.run(port, requests, clients=clients, seconds=options.seconds)


def _table(
    clients: Sequence[int],
    theirs: dict[int, list[Outcome]],
    ours: dict[int, list[ServeOutcome]],
) -> str:
    rows = []
    for number in clients:
        there = theirs[number]
        rows.append(_row(_EXPRESS, number, there, there, [x.rate for x in there]))
        sites = [each.ingest for each in ours[number]]
        delivered = [each.delivered_rate for each in ours[number]]
        rows.append(_row(_SERVE, number, sites, there, delivered))
    heads = ["", "clients", "answered/s", "of Express", "p50 ms", "p99 ms"]
    return report.table([*heads, "delivered/s", "errors"], rows)


def _row(
    name: str,
    clients: int,
    runs: Sequence[Outcome],
    usual: Sequence[Outcome],
    delivered: Sequence[float],
) -> list[str]:
    return [
        name,
        str(clients),
        report.middle(each.rate for each in runs),
        report.ratio((each.rate for each in runs), (each.rate for each in usual)),
        report.middle((each.p50_ms for each in runs), 1),
        report.middle((each.p99_ms for each in runs), 1),
        report.middle(delivered),
        next((each.errors for each in runs if each.errors), ""),
    ]


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
