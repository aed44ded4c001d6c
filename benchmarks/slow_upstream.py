"""Whether answers to Zoom stay fast when Recall is slow or down.

`python -m benchmarks.slow_upstream`: 200 events a second at any answer time.
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import aiohttp

from benchmarks import load, report
from benchmarks.load import Event
from benchmarks.processes import dashboard
from benchmarks.sites import APP_ID, NOWHERE, BenchmarkError, Sites, open_sites
from benchmarks.upstream import upstream

_USUAL = "answers at once"
_UPSTREAMS: dict[str, int | None] = {_USUAL: 0, "takes 5 s": 5000, "down": None}
_WORDS = {"sqlite": "serve, SQLite", "postgresql": "web and worker, PostgreSQL"}
_CLIENTS = 16
_WARM_UP_S = 3
_GIVEN_UP_S = 20


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the senders saw; milliseconds from when each event was due to be sent.

    Attributes:
        refused: How many were not answered 200.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    found: dict[tuple[str, str], list[Answers]] = defaultdict(list)
    with open_sites(options.folder) as sites:
        print(f"{report.machine(sites, options.databases)}; {options.rate}/s offered")
        for _ in range(options.repeats):
            for kind in options.databases:
                for name, delay_ms in _UPSTREAMS.items():
                    with _relay(sites, kind, delay_ms) as port:
                        found[kind, name].append(asyncio.run(offer(port, options)))
    print(_table(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=200, help="events a second")
    parser.add_argument("--seconds", type=int, default=20, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs")
    parser.add_argument(
        "--databases", nargs="+", choices=list(_WORDS), default=list(_WORDS)
    )
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    return parser.parse_args()


@contextmanager
def _relay(sites: Sites, kind: str, delay_ms: int | None) -> Iterator[int]:
    """Run what takes in and delivers; give its port."""
    with ExitStack() as stack:
        url = NOWHERE
        if delay_ms is not None:
            url = stack.enter_context(upstream(sites.folder, delay_ms=delay_ms)).url
        site = sites.site(kind, in_recall=True, recall_url=url)
        if kind == "postgresql":
            stack.enter_context(dashboard(site, "worker"))
        command = "serve" if kind == "sqlite" else "web"
        yield stack.enter_context(dashboard(site, command)).port


async def offer(port: int, options: argparse.Namespace) -> Answers:
    """Send each event when its time has come, also while earlier ones wait."""
    count = options.rate * (_WARM_UP_S + options.seconds)
    ready = list(load.events(count))
    took: list[float] = []
    refused = 0
    url = f"http://127.0.0.1:{port}/hooks/zoom/{APP_ID}"

    async def send(event: Event, due: float) -> None:
        nonlocal refused
        try:
            async with session.post(url, data=event.body, headers=_headers(event)) as a:
                await a.read()
                refused += a.status != 200
        except (aiohttp.ClientError, TimeoutError):
            refused += 1
        took.append((perf_counter() - due) * 1000)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CLIENTS),
        timeout=aiohttp.ClientTimeout(total=_GIVEN_UP_S),
    ) as session:
        began, tasks = perf_counter(), []
        for number, event in enumerate(ready):
            due = began + number / options.rate
            await asyncio.sleep(max(0.0, due - perf_counter()))
            tasks.append(asyncio.create_task(send(event, due)))
            if number == options.rate * _WARM_UP_S:
                took, refused = [], 0
        await asyncio.gather(*tasks)
    took.sort()
    return Answers(
        p50_ms=took[len(took) // 2],
        p99_ms=took[len(took) * 99 // 100],
        max_ms=took[-1],
        refused=refused,
    )


def _headers(event: Event) -> dict[str, str]:
    return {
        "User-Agent": "Zoom Marketplace/1.0a",
        "Content-Type": "application/json; charset=utf-8",
        "x-zm-request-timestamp": event.timestamp,
        "x-zm-signature": event.signature,
        "clientid": "bEnChMaRkClIeNtId0001",
    }


def _table(found: dict[tuple[str, str], list[Answers]]) -> str:
    rows = []
    for (kind, name), runs in found.items():
        usual = found[kind, _USUAL]
        rows.append(
            [
                f"{_WORDS[kind]}; upstream {name}",
                report.middle((each.p50_ms for each in runs), 1),
                report.middle((each.p99_ms for each in runs), 1),
                report.ratio((x.p99_ms for x in runs), (x.p99_ms for x in usual)),
                f"{max(each.max_ms for each in runs):,.0f}",
                str(sum(each.refused for each in runs)),
            ]
        )
    heads = ["", "p50 ms", "p99 ms", "p99 of usual", "worst ms", "not 200"]
    return report.table(heads, rows)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
