"""Server time of the pages of the webhook log, at 10 k, 100 k and 1 M webhooks.

`python -m benchmarks.log_pages`; the databases are kept and reused.
"""

import argparse
import fcntl
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

import psycopg
from flask.testing import FlaskClient
from pydantic import SecretStr

from benchmarks import log_rows, report
from benchmarks.log_rows import SPAN, Log
from benchmarks.sites import NOWHERE, BenchmarkError, Site, Sites, end_cleanly
from dashboard import logs, schema
from dashboard.app import create_app
from dashboard.clock import Clock
from dashboard.db import Database, revisions
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.settings import new_key, read_or_make_file
from dashboard.web.forms.webhook import WebhookFilterForm

_CACHE = Path(tempfile.gettempdir()) / "dashboard-benchmark-logs"
_ROWS_A_PAGE = 50
_FAR_PAGE = 1000
_PERSON = ("admin@example.com", SecretStr("correct horse battery"))
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
    options.cache.mkdir(parents=True, exist_ok=True)
    with _locked(options.cache) as sites, ExitStack() as stack:
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
def _locked(cache: Path) -> Iterator[Sites]:
    """Open the folder's stage; a second run would stop PostgreSQL under the first."""
    end_cleanly()
    key, _ = read_or_make_file(cache / "key", new_key())
    sites = Sites(folder=cache, key=key)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError(f"Another run uses {cache}.") from None
        try:
            yield sites
        finally:
            sites.close()


@contextmanager
def _subject(
    sites: Sites, kind: str, size: int, *, is_fresh: bool
) -> Iterator[Subject]:
    name = f"log_{_LAYOUT}_{revisions.newest_revision()}_{size}"
    done = sites.folder / f"{kind}-{name}.done"
    if is_fresh:
        done.unlink(missing_ok=True)
    site = _site(sites, kind, name, is_there=done.exists())
    if not done.exists():
        log = Log(size=size, until=Clock().now())
        _fill(site, log)
        done.write_text(log.until.isoformat())
    log = Log(size=size, until=datetime.fromisoformat(done.read_text()))
    with site.runtime() as runtime:
        yield Subject(kind=kind, log=log, browser=_browser(runtime))


def _site(sites: Sites, kind: str, name: str, *, is_there: bool) -> Site:
    if kind == "sqlite":
        url = f"sqlite:///{sites.folder / name}.db"
        for end in () if is_there else ("", "-wal", "-shm"):
            (sites.folder / f"{name}.db{end}").unlink(missing_ok=True)
    elif is_there:
        url = sites.postgresql_url(name)
    else:
        url = sites.new_postgresql(name)
    return Site(
        folder=sites.folder, database_url=url, key=sites.key, recall_url=NOWHERE
    )


def _fill(site: Site, log: Log) -> None:
    began = perf_counter()
    database = Database(site.database_url)
    schema.upgrade(database)
    database.close()
    with site.runtime() as runtime:
        log_rows.fill(runtime, log)
        email, password = _PERSON
        accounts.add(
            runtime.database,
            email=email,
            role=Role.ADMIN,
            password=password,
            actor=audit.COMMAND_LINE,
            now=runtime.clock.now(),
        )
    if site.database_url.startswith("postgresql"):
        # What autovacuum does in the course of a month.
        uri = site.database_url.replace("+psycopg", "")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
    print(f"{log.size:,} rows made in {perf_counter() - began:.0f} s", file=sys.stderr)


def _browser(runtime: Runtime) -> FlaskClient:
    app = create_app(runtime)
    app.config.update(WTF_CSRF_ENABLED=False)
    browser = app.test_client()
    email, password = _PERSON
    form = {"email": email, "password": password.get_secret_value()}
    answer = browser.post("/sign-in", data=form)
    if answer.status_code != 303:
        raise BenchmarkError(f"Signing in was answered {answer.status_code}.")
    return browser


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
