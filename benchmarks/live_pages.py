"""Cost of 200 open live pages for ingest, and how soon each shows a new status.

`python -m benchmarks.live_pages`; a quick run: `--seconds 3 --repeats 1 --deliver no`.
"""

import argparse
import itertools
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import httpx2

from benchmarks import load, report
from benchmarks.delivering import WARM_UP_S, prepare, require_distinct, warm_up
from benchmarks.load import Outcome, Requests
from benchmarks.open_pages import Page, add_people, open_pages
from benchmarks.processes import dashboard
from benchmarks.sites import (
    APP_ID,
    NOWHERE,
    SECRET_TOKEN,
    BenchmarkError,
    Sites,
    open_sites,
)
from benchmarks.upstream import upstream
from dashboard.clock import Clock
from dashboard.services.receiver.signatures import sign, signed_bytes

_PEOPLE = 20
_APART_S = 3
_GIVEN_UP_S = 15
_STATUS_WITHIN_S = 2
_RATE_KEPT = 0.8
_DELIVERS = {"no": "stores", "yes": "stores and delivers"}


@dataclass(frozen=True, kw_only=True)
class Round:
    """One server's run.

    Attributes:
        ingest: What the senders saw.
        pushes: How many times HTML came to a page, a second.
        asked: How many times pages asked for it themselves, a second.
        megabytes: What came to all pages, a second.
    """

    ingest: Outcome
    pushes: float
    asked: float
    megabytes: float


WebhookBatches = dict[tuple[str, bool], list[float]]
"""By how the server delivers and whether events came meanwhile: milliseconds."""


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    rounds: dict[tuple[str, int], list[Round]] = defaultdict(list)
    arrivals: WebhookBatches = defaultdict(list)
    with open_sites(options.folder) as sites:
        print(report.machine(sites))
        warm_up(sites)
        requests = prepare(sites, options.seconds)
        for repeat, delivers in itertools.product(
            range(options.repeats), options.deliver
        ):
            for pages in (0, options.pages):
                made = _round(sites, requests, delivers, pages, options)
                rounds[delivers, pages].append(made)
                _print(repeat, delivers, pages, made)
            _request_validation(sites, delivers, options, arrivals)
    print(_ingest_table(rounds, options))
    print()
    print(_arrival_table(arrivals))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200, help="of one zoom app")
    parser.add_argument("--clients", type=int, default=16, help="that send webhooks")
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs")
    parser.add_argument("--challenges", type=int, default=5, help="in each run")
    parser.add_argument(
        "--deliver", nargs="+", choices=list(_DELIVERS), default=list(_DELIVERS)
    )
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    return parser.parse_args()


@contextmanager
def _serving(
    sites: Sites, delivers: str, pages: int
) -> Iterator[tuple[int, list[Page]]]:
    """Run `serve` on a new database, with pages open; give its port and them."""
    with ExitStack() as stack:
        url, is_delivering = NOWHERE, delivers == "yes"
        if is_delivering:
            url = stack.enter_context(upstream(sites.folder, delay_ms=0)).url
        site = sites.site("sqlite", in_recall=is_delivering, recall_url=url)
        emails = add_people(site, min(_PEOPLE, pages))
        port = stack.enter_context(dashboard(site, "serve")).port
        load.run(port, warm_up(sites), clients=16, seconds=WARM_UP_S)
        yield port, stack.enter_context(open_pages(port, emails, pages))


def _round(
    sites: Sites,
    requests: Requests,
    delivers: str,
    pages: int,
    options: argparse.Namespace,
) -> Round:
    with _serving(sites, delivers, pages) as (port, opened):
        before, began = _totals(opened), perf_counter()
        outcome = load.run(
            port, requests, clients=options.clients, seconds=options.seconds
        )
        took_s = perf_counter() - began
        pushes, asked, size = (
            (after - earlier) / took_s
            for earlier, after in zip(before, _totals(opened), strict=True)
        )
    require_distinct(outcome)
    return Round(ingest=outcome, pushes=pushes, asked=asked, megabytes=size / 1e6)


def _totals(pages: list[Page]) -> tuple[int, int, int]:
    return (
        sum(page.pushed for page in pages),
        sum(page.fetched for page in pages),
        sum(page.bytes_read for page in pages),
    )


def _request_validation(
    sites: Sites, delivers: str, options: argparse.Namespace, into: WebhookBatches
) -> None:
    """Press Validate time and again, without events and then among them."""
    with _serving(sites, delivers, options.pages) as (port, pages):
        for number in range(options.challenges):
            into[delivers, False] += _validate(port, pages, number)
        seconds = _APART_S * (options.challenges + 2)
        events = load.write(sites.folder / "among", 3000 * seconds, first=2 * 10**9)
        sending = threading.Thread(
            target=load.run,
            args=(port, events),
            kwargs={"clients": options.clients, "seconds": seconds},
        )
        sending.start()
        for number in range(options.challenges):
            into[delivers, True] += _validate(port, pages, 100 + number)
        sending.join()


def _validate(port: int, pages: list[Page], number: int) -> list[float]:
    """Send a validation request; return when each page showed its result, in ms.

    Raises:
        StageError: It was refused, or a page never showed it.
    """
    time.sleep(_APART_S)  # at most one a second, so that they can be told apart
    now = Clock().now()
    body = json.dumps(
        {
            "event": "endpoint.url_validation",
            "event_ts": int(now.timestamp() * 1000),
            "payload": {"plainToken": f"benchmark-plain-token-{number:04d}"},
        },
        separators=(",", ":"),
    ).encode()
    timestamp = str(int(now.timestamp()))
    signature = sign(signed_bytes(timestamp, body), SECRET_TOKEN).decode()
    began = perf_counter()
    answer = httpx2.post(
        f"http://127.0.0.1:{port}/hooks/zoom/{APP_ID}",
        content=body,
        headers={
            "content-type": "application/json; charset=utf-8",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": signature,
        },
        timeout=_GIVEN_UP_S,
    )
    if answer.status_code != 200:
        raise BenchmarkError(
            f"The validation request was answered {answer.status_code}."
        )
    second = datetime.fromtimestamp(int(now.timestamp()), UTC)
    while perf_counter() < began + _GIVEN_UP_S:
        shown = [page.shown_at(second) for page in pages]
        if None not in shown:
            return [(at - began) * 1000 for at in shown if at is not None]
        time.sleep(0.05)
    missing = sum(at is None for at in shown)
    raise BenchmarkError(f"{missing} pages never showed the new status.")


def _print(repeat: int, delivers: str, pages: int, made: Round) -> None:
    print(
        f"run {repeat + 1}: {_DELIVERS[delivers]}, {pages} pages: "
        f"{made.ingest.rate:,.0f}/s, p99 {made.ingest.p99_ms:.1f} ms, "
        f"{made.pushes:.0f} pushes/s {made.ingest.errors}",
        file=sys.stderr,
        flush=True,
    )


def _ingest_table(
    found: dict[tuple[str, int], list[Round]], options: argparse.Namespace
) -> str:
    rows = []
    for (delivers, pages), runs in found.items():
        alone = [each.ingest.rate for each in found[delivers, 0]]
        rows.append(
            [
                f"serve, SQLite, {_DELIVERS[delivers]}",
                str(pages),
                report.middle(each.ingest.rate for each in runs),
                report.ratio((each.ingest.rate for each in runs), alone),
                report.middle((each.ingest.p99_ms for each in runs), 1),
                report.middle(each.pushes for each in runs),
                report.middle(each.asked for each in runs),
                report.middle((each.megabytes for each in runs), 1),
                next((x.ingest.errors for x in runs if x.ingest.errors), ""),
            ]
        )
    heads = [f"ingest at {options.clients} clients", "pages", "requests/s", "kept"]
    heads += ["p99 ms", "pushes/s", "asked/s", "MB/s", "errors"]
    return f"To be kept: {_RATE_KEPT} x.\n" + report.table(heads, rows)


def _arrival_table(found: WebhookBatches) -> str:
    rows = []
    for (delivers, is_among), took in found.items():
        ordered = sorted(took)
        rows.append(
            [
                f"serve, SQLite, {_DELIVERS[delivers]}",
                "full load" if is_among else "none",
                str(len(ordered)),
                *(
                    f"{ordered[min(len(ordered) * part // 100, len(ordered) - 1)]:,.0f}"
                    for part in (50, 99, 100)
                ),
                f"{sum(ms <= _STATUS_WITHIN_S * 1000 for ms in took) / len(took):.1%}",
            ]
        )
    heads = ["from request to page", "events", "arrivals"]
    heads += ["p50 ms", "p99 ms", "max ms", f"within {_STATUS_WITHIN_S} s"]
    return report.table(heads, rows)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
