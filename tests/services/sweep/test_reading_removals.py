"""`app_deauthorized`: marked, looked at, and only then believed."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from dashboard.models.connection import TokenState
from dashboard.services.sweep import events, sweep
from tests.fixtures.connect import ConnectStage
from tests.fixtures.sweep_events import add, deauthorized, stage, tell, unread
from tests.makers import NOON, FakeClock

__all__ = ["stage"]


def test_a_removal_is_borne_out_by_a_real_look(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    removed_at = clock.now()
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    tell(
        stage,
        "app_deauthorized",
        removed_at,
        {"client_id": stage.app.client_id},
        zoom_user_id=stage.ana.id,
    )

    events.read_some(stage.runtime)
    said = stage.connection(row.id)
    sweep.check_due(stage.runtime)
    seen = stage.connection(row.id)

    assert said.token_state is TokenState.UNKNOWN
    assert seen.token_state is TokenState.RECONNECT_NEEDED
    assert seen.token_reason.startswith(
        "The user removed the app in Zoom at 2026-11-23 12:11:00 UTC; Zoom refused"
    )


def test_a_removal_that_is_not_so_changes_no_state_and_is_watched(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    facts = {"client_id": stage.app.client_id}
    at = clock.now()
    tell(stage, "app_deauthorized", at, facts, zoom_user_id=stage.ana.id)
    for _ in range(2):  # a sync under way is watched anyway
        stage.sandbox.sync_meetings()

    events.read_some(stage.runtime)
    sweep.check_due(stage.runtime)

    seen = stage.connection(row.id)
    assert seen.token_state is TokenState.HEALTHY
    assert "removed the app at 2026-11-23 12:11:00 UTC" in seen.token_reason
    assert seen.due_at - at <= timedelta(minutes=5)


def test_a_user_who_reconnects_is_not_marked_any_more(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    facts = {"client_id": stage.app.client_id}
    tell(stage, "app_deauthorized", clock.now(), facts, zoom_user_id=stage.ana.id)
    events.read_some(stage.runtime)
    clock.advance(minutes=1)

    stage.connect()

    seen = stage.connection(row.id)
    assert (seen.deauthorized_at, seen.token_state) == (None, TokenState.HEALTHY)


@pytest.mark.parametrize("client_id", ["simCother", None])
def test_a_removal_of_another_app_changes_nothing_and_is_logged(
    stage: ConnectStage, client_id: str | None
) -> None:
    row = add(stage)
    number = deauthorized(stage, NOON + timedelta(minutes=1), client_id=client_id)

    with capture_logs() as logs:
        events.read_some(stage.runtime)

    assert stage.connection(row.id).deauthorized_at is None
    assert unread(stage) == []
    assert [(one["webhook"], one["why"]) for one in logs] == [
        (number, "It names another app's client ID.")
    ]
