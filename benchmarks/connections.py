"""How long the server works on the list of connections, at 5,000 and at 50,000.

`python -m benchmarks.connections`; the databases stay in a folder and are used again.
"""

import argparse
import base64
import fcntl
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from urllib.parse import urlencode
from uuid import UUID, uuid5

import psycopg
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import insert
from sqlmodel import SQLModel

from benchmarks import connection_rows, report
from benchmarks.connection_rows import OTHER_ID
from benchmarks.stage import (
    APP_ID,
    NOWHERE,
    Site,
    Stage,
    StageError,
    end_cleanly,
    new_workspace,
    new_zoom_app,
)
from dashboard import logs, schema
from dashboard.app import create_app
from dashboard.clock import Clock
from dashboard.db import Database, revisions
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
)
from dashboard.models.staff import Role
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.settings import new_key, read_or_make_file

_CACHE = Path(tempfile.gettempdir()) / "dashboard-benchmark-connections"
_LAYOUT = 1
_PERSON = ("admin@example.com", SecretStr("correct horse battery"))
_WARM_UPS = 2
_CHUNK = 5000


@dataclass(frozen=True, kw_only=True)
class Subject:
    """So many connections on one database, with a browser of a signed-in admin."""

    kind: str
    size: int
    browser: FlaskClient


def main() -> None:
    """Fill what is not there, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--requests", type=int, default=9, help="of each page")
    kinds = ["sqlite", "postgresql"]
    parser.add_argument("--databases", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--cache", type=Path, default=_CACHE, help="where they stay")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    with _alone(options.cache) as here, ExitStack() as stack:
        print(report.machine(here, options.databases))
        subjects = [
            stack.enter_context(_subject(here, kind, size))
            for kind in options.databases
            for size in options.sizes
        ]
        rows = [
            [name, *_measured(subjects, query, options.requests)]
            for name, query in _pages().items()
        ]
        rows.append(["CSV, rows a second", *map(_exported, subjects)])
    heads = [f"{subject.kind}, {subject.size:,}" for subject in subjects]
    print(report.table(["median (of it our processor time)", *heads], rows))


def _pages() -> Mapping[str, Mapping[str, str]]:
    """What is asked, by the words of the query string; `{}` is filled by the size."""
    return {
        "first page": {},
        "last page": {"cursor": "last"},
        "by name": {"sort": "name"},
        "by next look": {"sort": "due"},
        "state healthy, 91 in 100": {"state": "healthy"},
        "state missing scopes, 2 in 100": {"state": "missing_scopes"},
        "the same by name": {"state": "missing_scopes", "sort": "name"},
        "the user must act, 8 in 100": {"who": "user"},
        "an admin must act, 1 in 100": {"who": "admin"},
        "the host must act, 1 in 1,000": {"who": "host"},
        "nobody must act": {"who": "nobody"},
        "zoom app of 1 in 50": {"app": str(OTHER_ID)},
        "sync failed, 1 in 200": {"sync": "failed"},
        "tokens are with the dashboard: none": {"custody": "dashboard"},
        "last checked more than a day ago": {"checked": "old"},
        "search: one e-mail": {"q": "user{last}@example.com"},
        "search: a PMI": {"q": "{pmi}"},
        "search: a meeting number": {"q": "{meeting}"},
        "search: part of a name, 1 in 10": {"q": "chiara"},
        "the same part by name": {"q": "chiara", "sort": "name"},
        "search: part of one e-mail": {"q": "er{last}@exa"},
        "search: nobody": {"q": "zebra"},
        "search: all": {"q": "example.com", "sort": "email"},
    }


def _address(query: Mapping[str, str], size: int) -> str:
    last = size - 1
    pmi, meeting = 2_000_000_000 + last, 90_000_000_000 + last
    words = {"last": last, "pmi": pmi, "meeting": meeting}
    filled = {name: value.format(**words) for name, value in query.items()}
    if filled.get("cursor") == "last":
        filled["cursor"] = _first_cursor()
    return f"/connections/?{urlencode(filled)}"


def _first_cursor() -> str:
    """Return the cursor of the page that ends with the oldest: all are newer."""
    place = ["connected", 1, "2000-01-01T00:00:00+00:00", str(UUID(int=0))]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _measured(
    subjects: Sequence[Subject], query: Mapping[str, str], requests: int
) -> list[str]:
    took: list[list[tuple[float, float]]] = [[] for _ in subjects]
    for _ in range(_WARM_UPS + requests):
        for subject, times in zip(subjects, took, strict=True):
            began, began_cpu = perf_counter(), thread_time()
            answer = subject.browser.get(
                _address(query, subject.size), headers={"HX-Request": "true"}
            )
            answer.get_data()
            cpu_ms = (thread_time() - began_cpu) * 1000
            times.append(((perf_counter() - began) * 1000, cpu_ms))
            if answer.status_code != 200:
                raise StageError(f"{query} was answered {answer.status_code}.")
    return [
        f"{median(wall_ms for wall_ms, _ in times[_WARM_UPS:]):.1f} ms "
        f"({median(cpu_ms for _, cpu_ms in times[_WARM_UPS:]):.1f})"
        for times in took
    ]


def _exported(subject: Subject) -> str:
    began = perf_counter()
    answer = subject.browser.get("/connections/?format=csv")
    rows = answer.get_data().count(b"\r\n") - 1
    if rows != subject.size:
        raise StageError(f"The CSV has {rows:,} of {subject.size:,} rows.")
    return f"{rows / (perf_counter() - began):,.0f}"


@contextmanager
def _alone(cache: Path) -> Iterator[Stage]:
    """Open the folder's stage; a second run would stop PostgreSQL under the first."""
    end_cleanly()
    key, _ = read_or_make_file(cache / "key", new_key())
    here = Stage(folder=cache, key=key)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(f"Another run uses {cache}.") from None
        try:
            yield here
        finally:
            here.close()


@contextmanager
def _subject(here: Stage, kind: str, size: int) -> Iterator[Subject]:
    name = f"connections_{_LAYOUT}_{revisions.newest_revision()}_{size}"
    done = here.folder / f"{kind}-{name}.done"
    site = _site(here, kind, name, is_there=done.exists())
    if not done.exists():
        _fill(site, size)
        done.touch()
    with site.runtime() as runtime:
        yield Subject(kind=kind, size=size, browser=_browser(runtime))


def _site(here: Stage, kind: str, name: str, *, is_there: bool) -> Site:
    if kind == "sqlite":
        url = f"sqlite:///{here.folder / name}.db"
        for end in () if is_there else ("", "-wal", "-shm"):
            (here.folder / f"{name}.db{end}").unlink(missing_ok=True)
    else:
        url = here.postgresql_url(name) if is_there else here.new_postgresql(name)
    return Site(folder=here.folder, database_url=url, key=here.key, recall_url=NOWHERE)


def _fill(site: Site, size: int) -> None:
    database = Database(site.database_url)
    schema.upgrade(database)
    database.close()
    now = Clock().now()
    tables = SQLModel.metadata.tables
    with site.runtime() as runtime:
        with runtime.database.writing() as session:
            workspace = new_workspace(runtime.vault)
            session.add(workspace)
            session.flush()
            for app_id, name in ((APP_ID, "Main"), (OTHER_ID, "Other")):
                app = new_zoom_app(runtime.vault, app_id, name)
                app.workspace_id = workspace.id
                app.recall_app_id = uuid5(app_id, "in Recall")
                session.add(app)
            email, password = _PERSON
            accounts.add(
                session, email=email, role=Role.ADMIN, password=password, now=now
            )
        for begin in range(0, size, _CHUNK):
            numbers = range(begin, min(begin + _CHUNK, size))
            with runtime.database.writing() as session:
                session.connection().execute(
                    insert(tables[str(Connection.__tablename__)]),
                    [connection_rows.row(number, now) for number in numbers],
                )
                session.connection().execute(
                    insert(tables[str(MeetingMapping.__tablename__)]),
                    [connection_rows.mapping(number, now) for number in numbers],
                )
    if site.database_url.startswith("postgresql"):
        uri = site.database_url.replace("+psycopg", "")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


def _browser(runtime: Runtime) -> FlaskClient:
    app = create_app(runtime)
    app.config.update(WTF_CSRF_ENABLED=False)
    browser = app.test_client()
    email, password = _PERSON
    form = {"email": email, "password": password.get_secret_value()}
    answer = browser.post("/sign-in", data=form)
    if answer.status_code != 303:
        raise StageError(f"Signing in was answered {answer.status_code}.")
    return browser


if __name__ == "__main__":
    logs.set_up()
    try:
        main()
    except StageError as error:
        sys.exit(str(error))
