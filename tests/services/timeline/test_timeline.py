"""One connection's timeline: lines kept once, merged from all sources, paged by key."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import SQLModel, select

from dashboard.db import Database
from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
)
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.timeline import notes, timeline
from dashboard.services.timeline.timeline import Line
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_zoom_app

USER = "zUsEr0001AAAAAAAAAAAAA"


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault)
    add(database, added)
    return added


@pytest.fixture
def row(database: Database, zoom_app: ZoomApp) -> Connection:
    added = a_connection(
        zoom_app, zoom_user_id=USER, connected_at=NOON - timedelta(days=1)
    )
    add(database, added)
    return added


def add(database: Database, *rows: SQLModel) -> None:
    with database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def note(
    database: Database,
    row: Connection,
    words: str,
    at: datetime = NOON,
    mark: str | None = None,
) -> bool:
    with database.writing() as session:
        return notes.note(
            session,
            row.id,
            at=at,
            source="dashboard",
            kind="state",
            words=words,
            mark=mark,
        )


def an_attempt(app: ZoomApp, row: Connection, at: datetime) -> ConnectAttempt:
    return ConnectAttempt(
        zoom_app_id=app.id,
        connection_id=row.id,
        state_hash=uuid4().hex,
        browser_hash="0" * 64,
        outcome=AttemptOutcome.DECLINED,
        detail="The user declined at Zoom.",
        created_at=at,
        expires_at=at,
        ended_at=at,
    )


def an_entry(app: ZoomApp, at: datetime) -> Check:
    return Check(
        id=new_id(at),
        zoom_app_id=app.id,
        source=Source.RECALL_LOG,
        finding=Finding.NOTED,
        detail="Webhook refused.",
        at=at,
    )


def read(
    database: Database, row: Connection, *, limit: int = 50, has_webhooks: bool = True
) -> list[list[Line]]:
    """Read every page."""
    pages, before = [], None
    with database.reading() as session:
        while True:
            found = timeline.lines(
                session, row, before=before, limit=limit, has_webhooks=has_webhooks
            )
            pages.append(list(found.lines))
            before = found.older
            if before is None:
                return pages


def words(pages: list[list[Line]]) -> list[str]:
    return [line.words for page in pages for line in page]


def test_a_line_with_a_mark_is_kept_once(database: Database, row: Connection) -> None:
    added = [note(database, row, "Noted.", mark="one") for _ in range(2)]
    other = [note(database, row, "Noted.") for _ in range(2)]

    assert (added, other) == ([True, False], [True, True])
    assert len(words(read(database, row))) == 3


def test_one_mark_serves_two_connections(
    database: Database, zoom_app: ZoomApp, row: Connection
) -> None:
    other = a_connection(zoom_app)
    add(database, other)

    assert note(database, row, "Noted.", mark="one")
    assert note(database, other, "Noted.", mark="one")


def test_long_words_are_cut(database: Database, row: Connection) -> None:
    note(database, row, "x" * 501)

    assert words(read(database, row)) == ["x" * 500]


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest.mark.parametrize("apart_ms", [0, 1000])
def test_pages_of_all_sources_neither_overlap_nor_skip(
    database: Database, zoom_app: ZoomApp, row: Connection, limit: int, apart_ms: int
) -> None:
    instants = [NOON + timedelta(milliseconds=apart_ms * n) for n in range(4)]
    for number, at in enumerate(instants):
        note(database, row, f"Line {number}.", at)
        note(database, row, f"Within {number}.", at + timedelta(microseconds=300))
        add(
            database,
            an_attempt(zoom_app, row, at),
            an_entry(zoom_app, at),
            a_webhook(zoom_app, zoom_user_id=USER, received_at=at),
        )

    whole = read(database, row, limit=1000)[0]
    paged = read(database, row, limit=limit)

    assert len(whole) == 20
    assert [line.place for line in whole] == sorted(
        (line.place for line in whole), reverse=True
    )
    assert [line for page in paged for line in page] == whole
    assert all(len(page) <= limit for page in paged)


def test_what_is_of_somebody_else_is_not_in_it(
    database: Database, vault: Vault, zoom_app: ZoomApp, row: Connection
) -> None:
    other, elsewhere = a_connection(zoom_app), a_zoom_app(vault)
    add(database, other, elsewhere)
    note(database, other, "Of another.")
    add(
        database,
        a_webhook(zoom_app, zoom_user_id="zUsEr0002"),
        a_webhook(elsewhere, zoom_user_id=USER),
        an_attempt(zoom_app, other, NOON),
        an_entry(elsewhere, NOON),
        an_entry(zoom_app, NOON - timedelta(days=2)),  # before they connected
    )

    assert read(database, row) == [[]]


def test_webhooks_can_be_left_out_and_lead_to_their_page(
    database: Database, zoom_app: ZoomApp, row: Connection
) -> None:
    hook = a_webhook(zoom_app, zoom_user_id=USER)
    add(database, hook)
    note(database, row, "Noted.", NOON - timedelta(minutes=1))

    shown = read(database, row)[0]
    without = words(read(database, row, has_webhooks=False))

    assert [line.webhook_id for line in shown] == [hook.id, None]
    assert (
        shown[0].words
        == "meeting.created received. Recall has not received it yet. It is queued."
    )
    assert without == ["Noted."]


def test_an_attempt_that_has_its_own_line_is_not_told_twice(
    database: Database, zoom_app: ZoomApp, row: Connection
) -> None:
    came, older = (
        an_attempt(zoom_app, row, at) for at in (NOON, NOON - timedelta(hours=1))
    )
    for attempt in (came, older):
        attempt.outcome, attempt.detail = AttemptOutcome.CONNECTED, ""
    add(database, came, older)
    with database.writing() as session:
        notes.note(
            session,
            row.id,
            at=NOON,
            source="dashboard",
            kind="grant",
            words="Connected again.",
        )

    assert words(read(database, row)) == ["Connected again.", "Connected."]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "1-9-1", "1-1", "-1-1-1", "99999999999999999-0-1", "1-1-" + "9" * 39],
)
def test_a_cursor_of_no_sense_does_no_harm(
    database: Database, zoom_app: ZoomApp, row: Connection, cursor: str
) -> None:
    note(database, row, "Noted.")
    add(database, an_attempt(zoom_app, row, NOON), an_entry(zoom_app, NOON))

    with database.reading() as session:
        found = timeline.lines(session, row, before=cursor)

    assert len(found.lines) <= 3


def test_lines_go_with_their_connection(database: Database, row: Connection) -> None:
    note(database, row, "Noted.")
    with database.writing() as session:
        session.delete(session.get_one(Connection, row.id))

    with database.reading() as session:
        assert session.exec(select(ConnectionEvent.id)).all() == []


def test_nothing_is_noted_of_a_connection_that_is_not_there(
    database: Database, zoom_app: ZoomApp
) -> None:
    ghost = a_connection(zoom_app)

    with pytest.raises(Exception, match=r"(?i)foreign key"):
        note(database, ghost, "Noted.")
