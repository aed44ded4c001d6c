"""Processor time of the staff pages at 50,000 connections and 1,000,000 webhooks.

`python -m benchmarks.pages`; asked as support. The databases are kept and reused. The
time is that of this process, as the server would need it, without what PostgreSQL's
own processes compute, which stands beside it.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time

import psycopg
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks import kept, report
from benchmarks import town as rows
from benchmarks.sites import APP_ID, BenchmarkError, Site
from benchmarks.town import Town
from dashboard import logs
from dashboard.models.staff import Role
from dashboard.services.runtime import Runtime

_LIST_MS, _ONE_MS = 40, 25

Ask = Callable[[FlaskClient, Town], str]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page, and at most how many milliseconds of processor time it should take."""

    limit_ms: float
    ask: Ask


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A filled database, and a browser in which support is signed in."""

    kind: str
    site: Site
    town: Town
    runtime: Runtime
    browser: FlaskClient


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one page took; `database_ms` of PostgreSQL's own processes."""

    cpu_ms: float
    database_ms: float | None
    statements: int
    kilobytes: float


def main() -> None:
    """Create what is missing, measure, print."""
    options = _options()
    with kept.locked(options.cache) as sites, ExitStack() as stack:
        print(report.machine(sites, options.databases))
        subjects = []
        for kind in options.databases:
            site, town = rows.kept_town(
                sites,
                kind,
                options.connections,
                options.webhooks,
                is_fresh=options.fresh,
            )
            runtime = stack.enter_context(site.runtime(town.clock))
            subjects.append(
                Subject(
                    kind=kind,
                    site=site,
                    town=town,
                    runtime=runtime,
                    browser=kept.browser(runtime, Role.SUPPORT),
                )
            )
        lines = [
            _line(name, page, [_measured(each, page, options) for each in subjects])
            for name, page in _pages().items()
            if options.only in name
        ]
        exported = [f"{each.kind} {_exported(each):,.0f}" for each in subjects]
    print(report.table(_heads(options.databases), lines))
    print(f"Rows of CSV a second, on the wall: {', '.join(exported)}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=50_000)
    parser.add_argument("--webhooks", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=5, help="of each page")
    kinds = ["sqlite", "postgresql"]
    parser.add_argument("--databases", nargs="+", choices=kinds, default=kinds)
    parser.add_argument(
        "--cache", type=Path, default=rows.CACHE, help="where they stay"
    )
    parser.add_argument("--fresh", action="store_true", help="create them again")
    parser.add_argument("--only", default="", help="pages whose name has this")
    return parser.parse_args()


def _pages() -> Mapping[str, Page]:
    """Return what is measured, by name."""
    connection = rows.connection_id(10)
    webhooks = {
        "": "",
        ", failed": "?outcome=dead",
        ", event": "?event=meeting.created",
        ", zoom app": f"?zoom_app={APP_ID}",
        ", meeting": f"?meeting={rows.meeting_id(1000)}",
        " of a connection": f"?connection={connection}",
    }
    return {
        "overview": _get("/"),
        "zoom app": _get(f"/zoom-apps/{APP_ID}"),
        "zoom apps": _get("/zoom-apps/"),
        **{
            f"connections, {name}": _get(f"/connections/{query}")
            for name, query in _connections().items()
        },
        **{
            f"webhooks{name}": _get(f"/webhooks/{query}")
            for name, query in webhooks.items()
        },
        "connection": _get(f"/connections/{connection}", _ONE_MS),
        "connection, authorization ended": _get(
            f"/connections/{rows.connection_id(1)}", _ONE_MS
        ),
        "webhook": Page(
            limit_ms=_ONE_MS, ask=lambda _, town: f"/webhooks/{town.whole}"
        ),
        **{f"Explain, {name}": _explain(text) for name, text in _questions().items()},
    }


def _get(path: str, limit_ms: float = _LIST_MS) -> Page:
    return Page(limit_ms=limit_ms, ask=lambda _, __: path)


def _connections() -> Mapping[str, str]:
    """Return what is listed, by the query string."""
    return {
        "all": "",
        "by name": "?sort=name",
        "by next check": "?sort=due",
        "healthy": "?state=healthy",
        "last seen healthy": "?state=last_seen_healthy",
        "unhealthy": "?state=unhealthy_in_recall",
        "reconnect needed, by name": "?state=reconnect_needed&sort=name",
        "who: user": "?who=user",
        "who: host": "?who=host",
        "who: admin": "?who=admin",
        "who: you": "?who=you",
        "who: nobody": "?who=nobody",
        "a small zoom app": f"?app={rows.ACCOUNTS_APP}",
        "sync failed": "?sync=failed",
        "last checked long ago": "?checked=old",
        "token storage with none": "?custody=dashboard",
        "search one email": f"?q={rows.email(11)}",
        "search a PMI": f"?q={rows.pmi(11)}",
        "search a meeting": f"?q={rows.meeting_id(1000)}",
        "search user0042": "?q=user0042",
        "search 1 in 10 by name": "?q=chiara&sort=name",
        "search all": "?q=example.com",
        "search, no match": "?q=zebra",
    }


def _questions() -> Mapping[str, Callable[[Town], str]]:
    """Return what support asks; each town has an answer to it, whatever its size."""

    def stranger(town: Town) -> str:
        return str(rows.meeting_id(town.meeting_of(town.users - 1)))

    def invitation(town: Town) -> str:
        return (
            "Person is inviting you to a scheduled Zoom meeting.\nJoin Zoom Meeting\n"
            f"https://example.zoom.us/j/{rows.meeting_id(town.dead_meeting())}"
            "?pwd=abc\n\nPasscode: 123456"
        )

    return {
        "email of a connected user": lambda _: rows.email(10),
        "name and email, copied from an email": lambda _: f"A B <{rows.email(11)}>",
        "email, authorization ended": lambda _: rows.email(1),
        "email, missing scopes": lambda _: rows.email(2),
        "email, not known right now": lambda _: rows.email(4),
        "email of an invited user": lambda _: "invited000004@example.com",
        "email of a user who declined": lambda _: "invited000002@example.com",
        "email of a user who never came back": lambda _: "invited000001@example.com",
        "unknown email": lambda _: "nobody@example.com",
        "your own ID of an invited user": lambda _: "crm-000005",
        "Zoom user id": lambda _: rows.user_id(20),
        "Zoom account id of half of them": lambda _: "AbCdEfGhIjKlMnOp000000",
        "email within a connected account": lambda _: "member000123@example.com",
        "join link of a mapped meeting": lambda _: (
            f"https://example.zoom.us/j/{rows.meeting_id(1000)}?pwd=abc"
        ),
        "whole invitation, its webhook failed": invitation,
        "meeting number, host not connected": stranger,
        "email and another user's meeting": lambda town: (
            f"{rows.email(10)} {stranger(town)}"
        ),
        "PMI of two": lambda _: str(rows.pmi(0)),
        "PMI of before": lambda _: str(9_550_000_007),
        "Recall credential id": lambda _: str(rows.credential_id(30)),
    }


def _explain(text: Callable[[Town], str]) -> Page:
    known = cache(text)  # to find a meeting is the benchmark's own work

    def ask(browser: FlaskClient, town: Town) -> str:
        answer = browser.post("/explain/", data={"q": known(town)})
        if answer.status_code != 200:
            raise BenchmarkError(f"Explain was answered {answer.status_code}.")
        return answer.text

    return Page(limit_ms=_ONE_MS, ask=ask)


def _measured(subject: Subject, page: Page, options: argparse.Namespace) -> Figures:
    """Ask once to warm up, then as often as is wished."""
    _text(subject, page)
    cpu, size = [], 0
    with _counted() as statements, _database_ms(subject) as database_ms:
        for _ in range(options.requests):
            began = thread_time()
            size = len(_text(subject, page).encode())
            cpu.append((thread_time() - began) * 1000)
    return Figures(
        cpu_ms=median(cpu),
        database_ms=sum(database_ms) / options.requests if database_ms else None,
        statements=len(statements) // options.requests,
        kilobytes=size / 1024,
    )


def _text(subject: Subject, page: Page) -> str:
    text = page.ask(subject.browser, subject.town)
    if not text.startswith("/"):
        return text
    answer = subject.browser.get(text)
    if answer.status_code != 200:
        raise BenchmarkError(f"{text} was answered {answer.status_code}.")
    return answer.text


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Collect the statements that any database is asked meanwhile."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def _database_ms(subject: Subject) -> Iterator[list[float]]:
    """Collect the processor time of PostgreSQL's processes for us; none of SQLite."""
    took: list[float] = []
    if subject.kind == "sqlite":
        yield took
        return
    uri = subject.site.database_url.replace("+psycopg", "")
    with psycopg.connect(uri, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        pids = [pid for (pid,) in connection.execute(query)]
        before = sum(map(_process_ms, pids))
        yield took
        took.append(sum(map(_process_ms, pids)) - before)


def _process_ms(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def _heads(kinds: list[str]) -> list[str]:
    heads = ["page", "aim, ms", "KB"]
    for kind in kinds:
        heads += [f"{kind}, ms", "statements"]
        heads += ["its own ms"] if kind == "postgresql" else []
    return heads


def _line(name: str, page: Page, found: list[Figures]) -> list[str]:
    line = [name, f"{page.limit_ms:.0f}", f"{found[0].kilobytes:.0f}"]
    for figures in found:
        written = f"{figures.cpu_ms:.1f}"
        is_more = figures.cpu_ms > page.limit_ms
        line += [f"**{written}**" if is_more else written, f"{figures.statements}"]
        if figures.database_ms is not None:
            line.append(f"{figures.database_ms:.1f}")
    return line


def _exported(subject: Subject) -> float:
    """Return how many connections a second are written as CSV."""
    began = perf_counter()
    answer = subject.browser.get("/connections/?format=csv")
    number = answer.get_data().count(b"\r\n") - 1
    if number < subject.town.connections:
        raise BenchmarkError(f"The CSV has {number:,} rows.")
    return number / (perf_counter() - began)


if __name__ == "__main__":
    logs.set_up()
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
