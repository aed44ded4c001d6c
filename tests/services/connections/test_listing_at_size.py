"""Lists with thousands of matches are read along an index, whatever is asked."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import event, insert
from sqlmodel import Session, SQLModel

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import listing
from dashboard.services.connections.listing import FEW, Filters, Sort
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Shown
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
    seen: list[tuple[Any, Any]] = []

    def note(*args: Any) -> None:
        seen.append((args[2], args[3]))

    with database.reading() as session:
        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        listing.page(session, filters)
        event.remove(engine, "before_cursor_execute", note)
        statement, parameters = seen[-1]
        explained = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", parameters
        )
        return [row.detail for row in explained]
