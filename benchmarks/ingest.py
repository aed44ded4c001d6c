"""Webhooks received durably per second, compared with an empty Flask view.

`python -m benchmarks.ingest`; a quick run: `--clients 16 --seconds 3 --repeats 1`.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlmodel import func, select

from benchmarks import load, report
from benchmarks.delivering import WARM_UP_S, prepare, require_distinct, warm_up
from benchmarks.load import Outcome, Requests
from benchmarks.processes import answers, dashboard, free_port, process
from benchmarks.sites import BenchmarkError, Site, Sites, open_sites
from benchmarks.upstream import upstream
from dashboard.models.webhook import Webhook

FLASK = "empty Flask view"
SQLITE = "serve, SQLite"
DELIVERING = "serve, SQLite, delivering"
POSTGRESQL = "web, PostgreSQL"
_VARIANTS = {
    "flask": [FLASK],
    "sqlite": [SQLITE, DELIVERING],
    "postgresql": [POSTGRESQL],
}
_UPSTREAM_MS = 50

Figures = dict[tuple[str, int], list[Outcome]]


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    variants = [
        name for kind in ("flask", *options.databases) for name in _VARIANTS[kind]
    ]
    found: Figures = defaultdict(list)
    with open_sites(options.folder) as sites:
        print(report.machine(sites, options.databases))
        warm, requests = warm_up(sites), prepare(sites, options.seconds)
        for repeat in range(options.repeats):
            for clients in options.clients:
                for name in variants:
                    outcome = _measure(sites, name, requests, warm, clients, options)
                    found[name, clients].append(outcome)
                    _print(repeat, name, clients, outcome)
    print(_table(variants, options.clients, found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--clients", type=int, nargs="+", default=[1, 16, 64, 256], metavar="N"
    )
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs")
    parser.add_argument(
        "--databases",
        nargs="+",
        choices=["sqlite", "postgresql"],
        default=["sqlite", "postgresql"],
    )
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    return parser.parse_args()


def _measure(  # noqa: PLR0913, PLR0917 - one cell of the table
    sites: Sites,
    name: str,
    requests: Requests,
    warm: Requests,
    clients: int,
    options: argparse.Namespace,
) -> Outcome:
    """Run one server from its start on a new database, so that no event repeats."""
    with _server(sites, name) as (port, site):
        warmed = load.run(port, warm, clients=clients, seconds=WARM_UP_S)
        outcome = load.run(port, requests, clients=clients, seconds=options.seconds)
    if site is not None:
        require_distinct(outcome)
        _require_stored(site, outcome, warmed)
    return outcome


@contextmanager
def _server(sites: Sites, name: str) -> Iterator[tuple[int, Site | None]]:
    with ExitStack() as stack:
        if name == FLASK:
            yield stack.enter_context(_empty_flask(sites)), None
            return
        site = sites.site("postgresql" if name == POSTGRESQL else "sqlite")
        if name == DELIVERING:
            there = stack.enter_context(upstream(sites.folder, delay_ms=_UPSTREAM_MS))
            site = sites.site("sqlite", in_recall=True, recall_url=there.url)
        command = "web" if name == POSTGRESQL else "serve"
        yield stack.enter_context(dashboard(site, command)).port, site


@contextmanager
def _empty_flask(sites: Sites) -> Iterator[int]:
    port = free_port()
    with process(
        [sys.executable, "-m", "benchmarks.empty_flask", "--port", str(port)],
        lambda: answers(f"http://127.0.0.1:{port}/healthz"),
        log=sites.folder / "flask.log",
    ):
        yield port


def _require_stored(site: Site, *outcomes: Outcome) -> None:
    """Make sure that what was answered 200 is there, after a kill -9."""
    answered = sum(each.requests - each.refused for each in outcomes)
    with site.database() as database, database.reading() as session:
        stored = session.exec(select(func.count()).select_from(Webhook)).one()
    if stored < answered:
        raise BenchmarkError(f"{answered} were answered 200 and {stored} are stored.")


def _print(repeat: int, name: str, clients: int, outcome: Outcome) -> None:
    print(
        f"run {repeat + 1}: {name}, {clients} clients: {outcome.rate:,.0f}/s, "
        f"p99 {outcome.p99_ms:.1f} ms {outcome.errors}",
        file=sys.stderr,
        flush=True,
    )


def _table(variants: Sequence[str], clients: Sequence[int], found: Figures) -> str:
    rows = []
    for number in clients:
        usual = [each.rate for each in found[FLASK, number]]
        for name in variants:
            runs = found[name, number]
            errors = next((each.errors for each in runs if each.errors), "")
            rows.append(
                [
                    name,
                    str(number),
                    report.middle(each.rate for each in runs),
                    report.ratio((each.rate for each in runs), usual),
                    report.middle((each.p50_ms for each in runs), 1),
                    report.middle((each.p99_ms for each in runs), 1),
                    f"{max(each.worst_ms for each in runs):,.0f}",
                    errors,
                ]
            )
    heads = ["", "clients", "requests/s", "of Flask", "p50 ms", "p99 ms", "worst ms"]
    return report.table([*heads, "errors"], rows)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
