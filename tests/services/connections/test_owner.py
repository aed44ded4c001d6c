"""What Zoom says of a connection's own user: inactive, another one, moved, renamed."""

from datetime import timedelta

import pytest
from sqlmodel import col, select

from dashboard.models.connection import (
    Connection,
    ConnectionEvent,
    TokenCause,
    TokenState,
)
from dashboard.models.erasure import Erasure
from dashboard.services.connections import check
from dashboard.services.facts import connections as facts
from dashboard.services.facts.acting import Who
from dashboard.services.sweep import events
from tests.fixtures.connect import ConnectStage
from tests.fixtures.sweep_events import stage, tell

__all__ = ["stage"]


def who(stage: ConnectStage, row: Connection) -> Who:
    with stage.runtime.database.reading() as session:
        found = session.get_one(Connection, row.id)
        return facts.of(session, found, now=stage.runtime.clock.now()).who


def timeline(stage: ConnectStage, row: Connection) -> list[str]:
    query = select(ConnectionEvent.words).where(
        col(ConnectionEvent.connection_id) == row.id
    )
    with stage.runtime.database.reading() as session:
        return list(session.exec(query))


def told(stage: ConnectStage, event: str, row: Connection) -> None:
    about = {"object": {"id": row.zoom_user_id}, "client_id": stage.app.client_id}
    at = stage.runtime.clock.now()
    tell(stage, event, at, about, zoom_user_id=row.zoom_user_id)
    events.read_some(stage.runtime)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ("user.deactivated", TokenState.UNKNOWN),
        ("user.deleted", TokenState.UNKNOWN),
        ("user.disassociated", TokenState.RECONNECT_NEEDED),
        ("user.activated", TokenState.RECONNECT_NEEDED),
    ],
)
def test_a_dead_token_is_not_the_users_if_zoom_said_that_they_cannot_reconnect(
    stage: ConnectStage, event: str, state: TokenState
) -> None:
    row = stage.connect()
    told(stage, event, row)
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is state
    is_users = state is TokenState.RECONNECT_NEEDED
    assert who(stage, row) is (Who.USER if is_users else Who.HOST)
    assert any(event.partition(".")[2] in words for words in timeline(stage, row))


def test_what_zoom_said_before_the_user_reconnected_counts_no_more(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    told(stage, "user.deactivated", row)
    stage.runtime.clock.set(stage.runtime.clock.now() + timedelta(hours=1))
    stage.sandbox.clock.set(stage.runtime.clock.now())
    row = stage.connect()
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is TokenState.RECONNECT_NEEDED


def test_data_of_a_deactivated_user_who_removed_the_app_is_deleted_all_the_same(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    told(stage, "user.deactivated", row)
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    stage.runtime.clock.set(stage.runtime.clock.now() + timedelta(minutes=1))
    told(stage, "app_deauthorized", row)

    check.run(stage.runtime, row.id)

    with stage.runtime.database.reading() as session:
        assert session.exec(select(Erasure)).first() is not None


def test_another_users_token_is_an_admins_and_writes_nothing_over(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    with stage.runtime.database.writing() as session:
        found = session.get_one(Connection, row.id)
        found.zoom_user_id, found.email = "zOther0001AAAAAAAAAAAA", "other@example.com"
        found.pmi = 5550001111

    check.run(stage.runtime, row.id)

    with stage.runtime.database.reading() as session:
        found = session.get_one(Connection, row.id)
    assert found.token_cause is TokenCause.OTHER_USER
    assert (found.email, found.pmi) == ("other@example.com", 5550001111)
    assert who(stage, row) is Who.ADMIN


def test_a_new_email_and_another_account_are_told_in_the_timeline(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.change_user(stage.ana.id, email="ana@new.example")
    stage.sandbox.zoom_world.state.user(stage.ana.id).account_id = "another-account"

    check.run(stage.runtime, row.id)

    words = " ".join(timeline(stage, row))
    assert "The email changed from ana@example.com to ana@new.example." in words
    assert "to another-account." in words
