"""One row about the clock, and one about a restore until all was checked again."""

from datetime import timedelta

import pytest

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.webhook import Mark, Outcome
from dashboard.models.worker import HostEvent
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.heartbeats import heartbeats
from dashboard.services.host import events
from dashboard.services.status import attention
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, saved_app


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    with database.writing() as session:
        return session.get_one(ZoomApp, saved_app(session, vault))


def said(database: Database) -> list[str]:
    url = "https://dashboard.example.com"
    with database.reading() as session:
        found = attention.items(session, [], public_url=url, now=NOON)
    return [item.sentence for item in found]


def test_a_jump_and_zooms_own_times_are_one_row(
    database: Database, zoom_app: ZoomApp
) -> None:
    hook = a_webhook(zoom_app, outcome=Outcome.DELIVERED, timing=Mark.CLOCK)
    hook.received_at = NOON - timedelta(hours=1)
    hook.sent_at_s = int(NOON.timestamp()) - 3600 + 720
    with database.writing() as session:
        session.add(hook)
        at = NOON - timedelta(hours=2)
        events.record_jump(session, seconds=-30 * 86_400, now=at)
        heartbeats.beat(
            session,
            "far:1",
            started_at=NOON,
            version="0.3.0",
            now=NOON + timedelta(minutes=9),
        )

    assert said(database) == [
        (
            "This server's clock is slow: Zoom's webhooks are dated 12 minutes ahead. "
            "This server's clock was set back by 30 days at 2026-11-23 10:00 UTC. "
            "The clock of the worker far:1 is ahead."
        )
    ]


def test_after_a_day_without_one_the_row_is_gone(database: Database) -> None:
    with database.writing() as session:
        at = NOON - timedelta(hours=25)
        events.record_jump(session, seconds=3600, now=at)

    assert said(database) == []


def test_a_jump_noticed_ahead_of_now_is_not_shown_as_of_today(
    database: Database,
) -> None:
    with database.writing() as session:
        session.add(HostEvent(id=1, kind="clock", at=NOON + timedelta(days=9)))

    assert said(database) == []


def test_a_restore_is_said_until_every_connection_was_checked_again(
    database: Database, zoom_app: ZoomApp
) -> None:
    row: Connection = a_connection(zoom_app, token_checked_at=NOON - timedelta(days=9))
    with database.writing() as session:
        session.add(row)
        restored_at = NOON - timedelta(hours=1)
        events.record_restore(
            session, about_at=NOON - timedelta(days=8), now=restored_at
        )
        row_id = row.id

    assert said(database) == [
        (
            "The database was restored at 2026-11-23 11:00 UTC from a copy with "
            "data up to 2026-11-15 12:00 UTC. 1 connection was not checked again yet."
        )
    ]

    with database.writing() as session:
        session.get_one(Connection, row_id).token_checked_at = NOON
    assert said(database) == []
