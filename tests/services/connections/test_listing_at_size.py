"""Lists with thousands of matches are read along an index, whatever is asked."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import event, insert
from sqlmodel import Session, SQLModel, select

from dashboard.db import Database
from dashboard.models.connection import (
    Connection,
    SyncStatus,
    TokenCause,
    TokenState,
)
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import listing
from dashboard.services.connections.listing import FEW, Filters, Sort
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Reader, Shown
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app

MANY = FEW + 100
WIDE = {
    "all": Filters(),
    "by name": Filters(sort=Sort.NAME),
    "by e-mail": Filters(sort=Sort.EMAIL),
    "by next look": Filters(sort=Sort.DUE),
    "a state": Filters(state=Shown.HEALTHY, as_of=NOON),
    "a state by name": Filters(state=Shown.HEALTHY, sort=Sort.NAME, as_of=NOON),
    "nobody must act": Filters(who=Who.NOBODY),
    "part of all e-mails": Filters(search="example.com"),
    "part of all e-mails, by name": Filters(search="example.com", sort=Sort.NAME),
    "one account": Filters(search="aCcOuNt"),
    "long unchecked": Filters(unchecked_since=NOON + timedelta(days=1)),
}
NARROW = {
    "the host must act": Filters(who=Who.HOST, as_of=NOON),
    "an admin must act": Filters(who=Who.ADMIN, as_of=NOON),
    "the user must act, by name": Filters(who=Who.USER, sort=Sort.NAME, as_of=NOON),
    "sync failed": Filters(sync=SyncStatus.FAILED, as_of=NOON),
    "a state": Filters(state=Shown.RECONNECT_NEEDED, as_of=NOON),
}
ODD: Sequence[dict[str, Any]] = (
    {"recording_block": "Only the host records."},
    {"token_state": TokenState.UNKNOWN, "token_cause": TokenCause.KEY_REFUSED},
    {"token_state": TokenState.RECONNECT_NEEDED},
    {"sync_status": SyncStatus.FAILED},
)


def fill(database: Database, vault: Vault) -> None:
    app = a_zoom_app(vault, recall_app_id=UUID(int=9))
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.connection().execute(
            insert(SQLModel.metadata.tables["connection"]),
            [_columns(a_row(app, number)) for number in range(MANY)],
        )


def a_row(app: ZoomApp, number: int) -> Connection:
    return a_connection(
        app,
        email=f"user{number}@example.com",
        display_name=f"Name {number % 7}",
        zoom_account_id="aCcOuNt",
        search_text=f"user{number}@example.com name",
        connected_at=NOON - timedelta(seconds=number),
    )


def _columns(row: Connection) -> dict[str, object]:
    return {name: getattr(row, name) for name in type(row).model_fields}


def test_pages_of_many_are_whole(database: Database, vault: Vault) -> None:
    fill(database, vault)

    with database.reading() as session:
        found = {name: _all(session, filters) for name, filters in WIDE.items()}

    assert found == dict.fromkeys(WIDE, MANY)


def test_sqlite_sorts_no_more_than_a_few(sqlite: Database, vault: Vault) -> None:
    fill(sqlite, vault)

    plans = {name: _plan(sqlite, filters) for name, filters in WIDE.items()}

    # Of the last term it may: those are rows of one and the same e-mail or instant.
    bad = ("USE TEMP B-TREE FOR ORDER BY", "SCAN connection")
    assert {name: plan for name, plan in plans.items() if set(plan) & set(bad)} == {}


def test_sqlite_finds_few_among_many_by_an_index(
    sqlite: Database, vault: Vault
) -> None:
    fill(sqlite, vault)
    with sqlite.writing() as session:
        rows = session.exec(select(Connection).limit(len(ODD)))
        for row, odd in zip(rows, ODD, strict=True):
            for name, value in odd.items():
                setattr(row, name, value)

    plans = {name: _plans(sqlite, filters) for name, filters in NARROW.items()}

    bad = "SCAN connection"
    assert {
        name: each for name, plan in plans.items() for each in plan if bad in each
    } == {}
    with sqlite.reading() as session:
        found = {name: _all(session, each) for name, each in NARROW.items()}
    assert found == dict.fromkeys(NARROW, 1)


def _all(session: Session, filters: Filters) -> int:
    seen: set[UUID] = set()
    cursor: str | None = None
    while True:
        page = listing.page(session, filters, cursor=cursor, limit=999)
        seen |= {row.id for row in page.rows}
        if (cursor := page.older) is None:
            return len(seen)


def _plan(database: Database, filters: Filters) -> Sequence[str]:
    """Return how SQLite reads the page itself; the look before it is bounded."""
    return _explained(database, lambda session: listing.page(session, filters))[-1]


def _plans(database: Database, filters: Filters) -> Sequence[str]:
    """Return how SQLite finds a page and counts what matches, all statements."""

    def ask(session: Session) -> None:
        listing.listed(session, filters, read=Reader(session, now=NOON))

    return [each for plan in _explained(database, ask) for each in plan]


def _explained(
    database: Database, ask: Callable[[Session], object]
) -> Sequence[Sequence[str]]:
    seen: list[tuple[Any, Any]] = []

    def note(*args: Any) -> None:
        seen.append((args[2], args[3]))

    with database.reading() as session:
        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        ask(session)
        event.remove(engine, "before_cursor_execute", note)
        connection = session.connection()
        return [
            [
                row.detail
                for row in connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
            ]
            for statement, parameters in seen
        ]
