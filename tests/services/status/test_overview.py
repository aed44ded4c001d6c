"""The overview's numbers are each app's own."""

from datetime import timedelta

from dashboard.db import Database
from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.services.connections import listing
from dashboard.services.connections.listing import Filters
from dashboard.services.facts.connections import Shown
from dashboard.services.status import overview
from dashboard.services.validation.states import State
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, saved_app


def test_without_zoom_apps_there_is_nothing(database: Database) -> None:
    with database.reading() as session:
        assert list(overview.list_apps(session, now=NOON)) == []


def test_each_app_has_its_own_webhooks_backlog_and_connections(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        busy = session.get_one(ZoomApp, saved_app(session, vault, name="Busy"))
        idle_id = saved_app(
            session, vault, name="Idle", environment=Environment.PRODUCTION
        )
        session.add(a_webhook(busy, received_at=NOON - timedelta(hours=2)))
        session.add(a_webhook(busy, received_at=NOON - timedelta(days=3)))
        session.add(a_connection(busy))
        session.add(a_connection(busy, token_state=TokenState.RECONNECT_NEEDED))

    with database.reading() as session:
        first, second = overview.list_apps(session, now=NOON)

    assert (first.app.name, second.app.id) == ("Busy", idle_id)
    assert (first.traffic.received, first.traffic.waiting) == (1, 2)
    assert (first.connected, second.connected) == (2, 0)
    assert first.connections[Shown.RECONNECT_NEEDED] == 1
    assert second.standing.way_status.state in {
        State.NEVER_SEEN,
        State.WAITING,
    }


def test_what_was_healthy_once_is_not_counted_as_healthy(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault))
        session.add(a_connection(app))
        session.add(a_connection(app, token_checked_at=NOON - timedelta(days=2)))
        session.add(a_connection(app, token_expires_at=NOON - timedelta(minutes=1)))

    with database.reading() as session:
        (shown,) = overview.list_apps(session, now=NOON)
        chips = listing.counts(session, Filters(as_of=NOON))

    assert shown.connections == chips
    assert shown.connections[Shown.HEALTHY] == 1
    assert shown.connections[Shown.LAST_SEEN_HEALTHY] == 2
