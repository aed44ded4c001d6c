"""What happens to a connection is noted in its timeline where it happens."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.connection import Connection, ConnectionEvent
from dashboard.models.ids import new_id
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import Actor
from dashboard.services.connections import actions, check
from dashboard.services.retention import pruning
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import events, sweep
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.sweep_events import add, tell, updated
from tests.makers import CLIENT_SECRET, NOON, FakeClock

ADMIN = Actor(name="admin@example.com")


@pytest.fixture
def stage(
    runtime: Runtime, sandbox: RunningSandbox, database: Database, clock: FakeClock
) -> ConnectStage:
    clock.advance(minutes=10)
    return a_connect_stage(runtime, sandbox, database=database)


def noted(stage: ConnectStage, row: Connection, *kinds: str) -> list[str]:
    """Return what was noted, oldest first."""
    query = (
        select(ConnectionEvent)
        .where(ConnectionEvent.connection_id == row.id)
        .order_by(col(ConnectionEvent.at), col(ConnectionEvent.id))
    )
    with stage.runtime.database.reading() as session:
        found = session.exec(query).all()
    return [one.words for one in found if not kinds or one.kind in kinds]


def sync(stage: ConnectStage) -> None:
    for _ in range(2):
        stage.sandbox.sync_meetings()


def test_a_connect_notes_the_grant_the_state_and_the_pmi(stage: ConnectStage) -> None:
    row = stage.connect()

    assert sorted(noted(stage, row, "grant", "state", "pmi")) == [
        "Connected.",
        "The PMI is 555 123 4567.",
        "Token state changed: Unknown → Healthy. The token works at Zoom.",
    ]
    assert len(noted(stage, row, "sync")) == 1


def test_a_look_notes_what_changed_and_nothing_else(
    stage: ConnectStage, clock: FakeClock
) -> None:
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    row = stage.connect()
    sync(stage)
    clock.advance(seconds=30)

    for _ in range(3):
        check.now(stage.runtime, row.id)

    [mapping] = noted(stage, row, "mapping")
    assert mapping.startswith("Recall mapped 2 meetings: ")
    assert all(
        number in mapping.replace(" ", "") for number in ("5551234567", f"{meeting.id}")
    )
    assert noted(stage, row).count("Recall finished syncing meetings.") == 1
    assert len(noted(stage, row, "state", "pmi", "grant")) == 3


def test_mappings_that_went_are_named(stage: ConnectStage, clock: FakeClock) -> None:
    row = stage.connect()
    sync(stage)
    clock.advance(seconds=30)
    check.now(stage.runtime, row.id)
    stage.sandbox.recall_world.mappings.clear()
    clock.advance(seconds=30)

    check.now(stage.runtime, row.id)

    assert noted(stage, row, "mapping")[-1] == (
        "No longer known to Recall: 1 meeting: 555 123 4567."
    )


def test_a_user_who_removes_the_app_and_comes_back_is_told_in_order(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    facts = {"client_id": stage.app.client_id}
    tell(stage, "app_deauthorized", clock.now(), facts, zoom_user_id=stage.ana.id)
    events.read_some(stage.runtime)
    clock.advance(seconds=20)
    sweep.check_due(stage.runtime)
    clock.advance(minutes=1)

    stage.connect()

    assert [words.split(". ")[0] for words in noted(stage, row, "grant", "state")] == [
        "Connected.",
        "Token state changed: Unknown → Healthy",
        "Zoom reported that the user removed the app.",
        "Token state changed: Healthy → Unknown",
        "Token state changed: Unknown → Reconnect needed",
        "Reconnected with a new authorization.",
        "Token state changed: Unknown → Healthy",
    ]


def test_a_pmi_that_a_webhook_changed_says_so_at_zooms_time(
    stage: ConnectStage,
) -> None:
    row = add(stage)
    at = NOON + timedelta(minutes=3)

    updated(stage, at, pmi=5550001111)
    events.read_some(stage.runtime)

    [words] = noted(stage, row)
    assert words.startswith("The PMI changed from 555 123 4567 to 555 000 1111 (source")
    assert words.endswith("(source: a user.updated webhook).")
    with stage.runtime.database.reading() as session:
        assert session.exec(select(ConnectionEvent.at)).one() == at


def test_acts_are_noted_with_who_did_them(stage: ConnectStage) -> None:
    row = stage.connect()

    actions.try_again(stage.runtime, row.id, actor=ADMIN)
    actions.sync_meetings(stage.runtime, row.id, actor=ADMIN)

    assert noted(stage, row, "act") == [
        "Check now, by admin@example.com.",
        "Meeting sync requested, by admin@example.com.",
    ]


def test_recalls_log_comes_in_once_and_without_secrets(stage: ConnectStage) -> None:
    row = stage.connect()
    credential, secret = stage.credentials()[0], CLIENT_SECRET.get_secret_value()
    stage.sandbox.recall_world.log_credential(credential, f"Refused with {secret}.")

    shown = [actions.recall_log(stage.runtime, row.id) for _ in range(2)]

    assert noted(stage, row, "log") == ["Refused with [removed]."]
    assert [entry.message for entry in shown[0].results] == ["Refused with [removed]."]


def test_check_now_brings_recalls_log_as_well(stage: ConnectStage) -> None:
    row = stage.connect()
    stage.sandbox.recall_world.log_credential(stage.credentials()[0], "It failed.")

    actions.try_again(stage.runtime, row.id, actor=ADMIN)

    assert noted(stage, row, "log") == ["It failed."]


def test_a_timeline_keeps_its_newest_lines(stage: ConnectStage) -> None:
    row, other = add(stage), add(stage, zoom_user_id="zUsEr0002")
    kept = pruning.LINES_KEPT
    with stage.runtime.database.writing() as session:
        for number in range(kept + 5):
            at = NOON + timedelta(seconds=number)
            session.add(an_event(row, at, f"Line {number}."))
        session.add(an_event(other, NOON - timedelta(days=900), "Old, and alone."))

    with stage.runtime.database.writing() as session:
        gone = pruning.prune_evidence(
            session, cutoff=NOON - timedelta(days=30), limit=99
        )

    assert gone == 5
    assert noted(stage, row)[0] == "Line 5."
    assert noted(stage, other) == ["Old, and alone."]


def an_event(row: Connection, at: datetime, words: str) -> ConnectionEvent:
    return ConnectionEvent(
        id=new_id(at),
        connection_id=row.id,
        at=at,
        source="dashboard",
        kind="state",
        words=words,
    )
