"""Server time of the list of connections, at 5,000 and at 50,000.

`python -m benchmarks.connections`; the databases are kept and reused.
"""

import argparse
import base64
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid5

from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlmodel import SQLModel

from benchmarks import kept, report
from benchmarks.sites import (
    APP_ID,
    BenchmarkError,
    Sites,
    new_workspace,
    new_zoom_app,
)
from dashboard import logs
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenCause,
    TokenState,
)
from dashboard.models.ids import first_id
from dashboard.services.runtime import Runtime

_CACHE = Path(tempfile.gettempdir()) / "dashboard-benchmark-connections"
_LAYOUT = 1
_WARM_UPS = 2
_CHUNK = 5000
_OTHER_ID = uuid5(APP_ID, "other app")
# Of a hundred; all others are healthy.
_STATES = {
    **dict.fromkeys(range(6), TokenState.RECONNECT_NEEDED),
    **dict.fromkeys(range(6, 8), TokenState.MISSING_SCOPES),
    8: TokenState.UNKNOWN,
}
_FIRST = ("Ana", "Ben", "Chiara", "Dmitri", "Ewa", "Femi", "Gül", "Hana", "Ivan", "Jo")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """So many connections on one database, with a browser of a signed-in admin."""

    kind: str
    size: int
    browser: FlaskClient


def main() -> None:
    """Create what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--requests", type=int, default=9, help="of each page")
    kinds = ["sqlite", "postgresql"]
    parser.add_argument("--databases", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--cache", type=Path, default=_CACHE, help="where they stay")
    options = parser.parse_args()
    with kept.locked(options.cache) as sites, ExitStack() as stack:
        print(report.machine(sites, options.databases))
        subjects = [
            stack.enter_context(_subject(sites, kind, size))
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
        "by next check": {"sort": "due"},
        "state healthy, 91 in 100": {"state": "healthy"},
        "state missing scopes, 2 in 100": {"state": "missing_scopes"},
        "the same by name": {"state": "missing_scopes", "sort": "name"},
        "the user must act, 8 in 100": {"who": "user"},
        "an admin must act, 1 in 100": {"who": "admin"},
        "the host must act, 1 in 1,000": {"who": "host"},
        "no one must act": {"who": "nobody"},
        "zoom app of 1 in 50": {"app": str(_OTHER_ID)},
        "sync failed, 1 in 200": {"sync": "failed"},
        "token storage: dashboard, none": {"custody": "dashboard"},
        "last checked more than a day ago": {"checked": "old"},
        "search: one email": {"q": "user{last}@example.com"},
        "search: a PMI": {"q": "{pmi}"},
        "search: a meeting number": {"q": "{meeting}"},
        "search: part of a name, 1 in 10": {"q": "chiara"},
        "the same part by name": {"q": "chiara", "sort": "name"},
        "search: part of one email": {"q": "er{last}@exa"},
        "search: no match": {"q": "zebra"},
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
                raise BenchmarkError(f"{query} was answered {answer.status_code}.")
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
        raise BenchmarkError(f"The CSV has {rows:,} of {subject.size:,} rows.")
    return f"{rows / (perf_counter() - began):,.0f}"


@contextmanager
def _subject(sites: Sites, kind: str, size: int) -> Iterator[Subject]:
    name = f"connections_{_LAYOUT}_{size}"
    site, _ = kept.site(sites, kind, name, lambda runtime: _fill(runtime, size))
    with site.runtime() as runtime:
        yield Subject(kind=kind, size=size, browser=kept.browser(runtime))


def _fill(runtime: Runtime, size: int) -> str:
    now = runtime.clock.now()
    tables = SQLModel.metadata.tables
    with runtime.database.writing() as session:
        workspace = new_workspace(runtime.vault)
        session.add(workspace)
        session.flush()
        for app_id, name in ((APP_ID, "Main"), (_OTHER_ID, "Other")):
            app = new_zoom_app(runtime.vault, app_id, name)
            app.workspace_id = workspace.id
            app.recall_app_id = uuid5(app_id, "in Recall")
            session.add(app)
    for begin in range(0, size, _CHUNK):
        numbers = range(begin, min(begin + _CHUNK, size))
        with runtime.database.writing() as session:
            session.connection().execute(
                insert(tables[str(Connection.__tablename__)]),
                [_connection_row(number, now) for number in numbers],
            )
            session.connection().execute(
                insert(tables[str(MeetingMapping.__tablename__)]),
                [_mapping_row(number, now) for number in numbers],
            )
    return ""


def _connection_row(number: int, now: datetime) -> dict[str, Any]:
    """Return the columns of one connection."""
    place = number * 37 % 100
    state = _STATES.get(place, TokenState.HEALTHY)
    name = f"{_FIRST[number * 7 % 10]} Nowak-{number * 7919 % 100_003:05d}"
    email = f"user{number}@example.com"
    is_blocked = number % 1000 == 999
    return {
        "id": _connection_id(number),
        "zoom_app_id": _OTHER_ID if number % 50 == 7 else APP_ID,
        "recall_credential_id": uuid5(APP_ID, f"credential {number}"),
        "zoom_user_id": f"zUsEr{number:017d}",
        "zoom_account_id": "AbCdEfGhIjKlMnOpQrStUv",
        "display_name": name,
        "email": email,
        "search_text": f"{email} {name}".lower(),
        "pmi": 2_000_000_000 + number,
        "previous_pmi": 3_000_000_000 + number if number % 20 == 0 else None,
        "token_state": state,
        "token_cause": TokenCause.KEY_REFUSED
        if state is TokenState.UNKNOWN
        else TokenCause.NONE,
        "token_reason": "One sentence of usual length that says what the problem is.",
        "token_evidence": "Zoom answered a real call with a token from Recall.",
        "recall_status": "healthy",
        "recording_block": "Only the host records." if is_blocked else "",
        "sync_status": SyncStatus.FAILED if number % 200 == 9 else SyncStatus.COMPLETED,
        "token_checked_at": now - timedelta(seconds=number * 61 % 90_000),
        "connected_at": now - timedelta(minutes=5 * number),
        # Never while the benchmark runs.
        "due_at": now + timedelta(days=3650, seconds=number * 31 % 72_000),
    }


def _mapping_row(number: int, now: datetime) -> dict[str, Any]:
    """Return the columns of its mapped meeting."""
    return {
        "id": first_id(now) + number,
        "connection_id": _connection_id(number),
        "meeting_id": 90_000_000_000 + number,
        "synced_at": now.astimezone(UTC),
        "seen_at": now,
    }


def _connection_id(number: int) -> UUID:
    return uuid5(APP_ID, f"connection {number}")


if __name__ == "__main__":
    logs.set_up()
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
