"""Processor time of the staff pages at 50,000 connections and 1,000,000 webhooks.

`python -m benchmarks.pages`; asked as support. The databases are kept and reused.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

from flask.testing import FlaskClient

from benchmarks import explain_rows, kept, report
from benchmarks.explain_rows import Town
from benchmarks.sites import APP_ID, BenchmarkError
from dashboard import logs
from dashboard.models.staff import Role

_WARM_UPS = 2

Ask = Callable[[FlaskClient, Town], str]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page, and at most how many milliseconds of processor time it should take."""

    limit_ms: float
    ask: Ask


def main() -> None:
    """Create what is missing, measure, print."""
    options = _options()
    with kept.locked(options.cache) as sites, ExitStack() as stack:
        print(report.machine(sites, options.databases))
        browsers = []
        for kind in options.databases:
            site, town = explain_rows.kept_town(
                sites,
                kind,
                options.connections,
                options.webhooks,
                is_fresh=options.fresh,
            )
            runtime = stack.enter_context(site.runtime())
            browsers.append((kept.browser(runtime, Role.SUPPORT), town))
        rows = [
            [name, f"{page.limit_ms:.0f}"]
            + [_measured(*each, page, options.requests) for each in browsers]
            for name, page in _pages().items()
            if options.only in name
        ]
    heads = ["page", "aim, ms", *options.databases]
    print(report.table(heads, rows))
    print("Median of our processor time (of the time on the wall), in ms, and KB.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=50_000)
    parser.add_argument("--webhooks", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=9, help="of each page")
    kinds = ["sqlite", "postgresql"]
    parser.add_argument("--databases", nargs="+", choices=kinds, default=kinds)
    parser.add_argument(
        "--cache", type=Path, default=explain_rows.CACHE, help="where they stay"
    )
    parser.add_argument("--fresh", action="store_true", help="create them again")
    parser.add_argument("--only", default="", help="pages whose name has this")
    return parser.parse_args()


def _pages() -> Mapping[str, Page]:
    """Return what is measured, by name."""

    def at(path: str, limit_ms: float = 40) -> Page:
        return Page(limit_ms=limit_ms, ask=lambda _, __: path)

    def explain(text: Callable[[Town], str]) -> Page:
        known = cache(text)  # to find a meeting is the benchmark's own work

        def ask(browser: FlaskClient, town: Town) -> str:
            answer = browser.post("/explain/", data={"q": known(town)})
            if answer.status_code != 200:
                raise BenchmarkError(f"Explain was answered {answer.status_code}.")
            return answer.text

        return Page(limit_ms=25, ask=ask)

    connection = explain_rows.connection_id(10)
    return {
        "overview": at("/"),
        "zoom app": at(f"/zoom-apps/{APP_ID}"),
        "connections": at("/connections/"),
        "connections, unhealthy": at("/connections/?state=unhealthy_in_recall"),
        "connections, who: user": at("/connections/?who=user"),
        "connections, search user0042": at("/connections/?q=user0042"),
        "connections, search example.com": at("/connections/?q=example.com"),
        "connections, search one email": at(
            f"/connections/?q={explain_rows.email(11)}"
        ),
        "connections by name": at("/connections/?sort=name"),
        "webhooks": at("/webhooks/"),
        "webhooks, dead": at("/webhooks/?outcome=dead"),
        "webhooks, event": at("/webhooks/?event=meeting.created"),
        "webhooks of a connection": at(f"/webhooks/?connection={connection}"),
        "connection": at(f"/connections/{connection}", 25),
        "webhook": Page(limit_ms=25, ask=lambda _, town: f"/webhooks/{town.whole}"),
        "Explain, an email": explain(lambda _: explain_rows.email(10)),
        "Explain, a mapped meeting": explain(
            lambda _: str(explain_rows.meeting_id(1000))
        ),
        "Explain, a dead webhook": explain(
            lambda town: str(explain_rows.meeting_id(town.dead_meeting()))
        ),
        "Explain, nobody's meeting": explain(
            lambda town: str(explain_rows.meeting_id(town.meeting_of(town.users - 1)))
        ),
    }


def _measured(browser: FlaskClient, town: Town, page: Page, requests: int) -> str:
    wall, cpu, size = [], [], 0
    for _ in range(_WARM_UPS + requests):
        began, began_cpu = perf_counter(), thread_time()
        text = page.ask(browser, town)
        if text.startswith("/"):
            answer = browser.get(text)
            if answer.status_code != 200:
                raise BenchmarkError(f"{text} was answered {answer.status_code}.")
            text = answer.text
        cpu.append((thread_time() - began_cpu) * 1000)
        wall.append((perf_counter() - began) * 1000)
        size = len(text)
    cpu, wall = cpu[_WARM_UPS:], wall[_WARM_UPS:]
    return f"{median(cpu):.0f} ({median(wall):.0f}), {size / 1024:.0f} KB"


if __name__ == "__main__":
    logs.set_up()
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
