"""Server time of the pages of the webhook log, at 10 k, 100 k and 1 M webhooks.

`python -m benchmarks.log_pages`; the databases are kept and reused.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

from flask.testing import FlaskClient

from benchmarks import kept, log_rows, report
from benchmarks.log_rows import SPAN, Log
from benchmarks.sites import BenchmarkError, Sites
from dashboard import logs
from dashboard.clock import Clock
from dashboard.models.webhook import Outcome
from dashboard.services.runtime import Runtime
from dashboard.web.forms.webhook import WebhookFilterForm

_CACHE = Path(tempfile.gettempdir()) / "dashboard-benchmark-logs"
_ROWS_A_PAGE = 50
_FAR_PAGE = 1000
_WARM_UPS = 3
_LAYOUT = 1
"""Of the rows that log_rows.py makes: a change there creates them again."""

Address = Callable[[Log], str]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A log of one size on one database, with a browser of a signed-in admin."""

    kind: str
    log: Log
    browser: FlaskClient


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """What one page took; `cpu_ms` without what PostgreSQL itself computes."""

    wall_ms: float
    cpu_ms: float
    status: int


def main() -> None:
    """Create what is missing, measure, print."""
    options = _options()
    with kept.locked(options.cache) as sites, ExitStack() as stack:
        print(report.machine(sites, options.databases))
        subjects = [
            stack.enter_context(_subject(sites, kind, size, is_fresh=options.fresh))
            for kind in options.databases
            for size in options.sizes
        ]
        took = {
            name: _measure(subjects, address, options.requests)
            for name, address in _pages().items()
        }
    print(_table(subjects, took))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--requests", type=int, default=15, help="of each page")
    kinds = ["sqlite", "postgresql"]
    parser.add_argument("--databases", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--cache", type=Path, default=_CACHE, help="where they stay")
    parser.add_argument("--fresh", action="store_true", help="create them again")
    return parser.parse_args()


@contextmanager
def _subject(
    sites: Sites, kind: str, size: int, *, is_fresh: bool
) -> Iterator[Subject]:
    def fill(runtime: Runtime) -> str:
        began, log = perf_counter(), Log(size=size, until=Clock().now())
        log_rows.fill(runtime, log)
        print(f"{size:,} rows made in {perf_counter() - began:.0f} s", file=sys.stderr)
        return log.until.isoformat()

    name = f"log_{_LAYOUT}_{size}"
    site, until = kept.site(sites, kind, name, fill, is_fresh=is_fresh)
    log = Log(size=size, until=datetime.fromisoformat(until))
    with site.runtime() as runtime:
        yield Subject(kind=kind, log=log, browser=kept.browser(runtime))


def _pages() -> Mapping[str, Address]:
    """Return what is measured; each filter finds as many rows at every size."""

    def listed(**filters: Callable[[Log], object]) -> Address:
        def address(log: Log) -> str:
            pairs = (f"{name}={value(log)}" for name, value in filters.items())
            return f"/webhooks/?{'&'.join(pairs)}"

        return address

    pages = {
        "first page": listed(),
        f"page {_FAR_PAGE:,} (middle of a smaller log)": listed(before=_far),
        "zoom app": listed(zoom_app=lambda _: log_rows.app_id(3)),
        "event, frequent": listed(event=lambda _: "meeting.created"),
        "event, 1 in 100": listed(event=lambda _: "user.updated"),
        "outcome delivered": listed(outcome=lambda _: Outcome.DELIVERED),
        "outcome dead, 1 in 100": listed(outcome=lambda _: Outcome.DEAD),
        "meeting": listed(meeting=lambda log: log.meeting_id(log.size // 2)),
        "user": listed(user=lambda _: log_rows.user_id(4)),
        "time, a day": listed(since=lambda log: _day(log, 10), until=_next_day),
        "trace": lambda log: f"/webhooks/{log.webhook_id(log.size // 2)}",
    }
    if hasattr(WebhookFilterForm, "connection"):
        pages["connection"] = listed(connection=lambda _: log_rows.connection_id(4))
    return pages


def _far(log: Log) -> int:
    number = max(log.size - (_FAR_PAGE - 1) * _ROWS_A_PAGE, log.size // 2)
    return log.webhook_id(number)


def _day(log: Log, number: int) -> str:
    at = log.until - SPAN + timedelta(days=number)
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}"


def _next_day(log: Log) -> str:
    return _day(log, 11)


def _measure(
    subjects: Sequence[Subject], address: Address, requests: int
) -> list[list[Times]]:
    """Return what each subject's page took; they are asked in turns."""
    took: list[list[Times]] = [[] for _ in subjects]
    for _ in range(_WARM_UPS + requests):
        for subject, times in zip(subjects, took, strict=True):
            url = address(subject.log)
            began, began_cpu = perf_counter(), thread_time()
            answer = subject.browser.get(url)
            answer.get_data()
            times.append(
                Times(
                    wall_ms=(perf_counter() - began) * 1000,
                    cpu_ms=(thread_time() - began_cpu) * 1000,
                    status=answer.status_code,
                )
            )
    return [times[_WARM_UPS:] for times in took]


def _table(
    subjects: Sequence[Subject], took: Mapping[str, Sequence[Sequence[Times]]]
) -> str:
    rows = []
    for name, pages in took.items():
        usual: dict[str, float] = {}
        row = [name]
        for subject, page in zip(subjects, pages, strict=True):
            wall_ms = median(each.wall_ms for each in page)
            cpu_ms = median(each.cpu_ms for each in page)
            of = wall_ms / usual.setdefault(subject.kind, wall_ms)
            statuses = {each.status for each in page}
            row.append(
                f"{wall_ms:.1f} ms ({cpu_ms:.1f}), {of:.2f} x"
                if statuses == {200}
                else f"answered {min(statuses - {200})}"
            )
        rows.append(row)
    heads = [f"{subject.kind}, {subject.log.size:,}" for subject in subjects]
    return report.table(["median (of it our processor time)", *heads], rows)


if __name__ == "__main__":
    logs.set_up()
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
