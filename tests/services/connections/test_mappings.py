"""Recall's mappings of meetings to connections, as they are stored here."""

from datetime import timedelta

from dashboard.db import Database
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenState,
)
from dashboard.models.ids import new_id
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.audit import Actor
from dashboard.services.connections import actions, check, listing, mappings
from dashboard.vault import Vault
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON, a_connection, a_zoom_app

ADMIN = Actor(name="admin@example.com")


def sync(stage: ConnectStage) -> None:
    """Let the simulated Recall finish reading meetings."""
    stage.sandbox.sync_meetings()
    stage.sandbox.sync_meetings()


def mapped(stage: ConnectStage, row: Connection) -> set[int]:
    with stage.runtime.database.reading() as session:
        return {one.meeting_id for one in listing.meetings(session, row.id)}


def test_meetings_recall_maps_are_kept_and_forgotten_as_recall_does(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    actions.sync_meetings(stage.runtime, row.id, actor=ADMIN)
    sync(stage)
    first = check.now(stage.runtime, row.id)
    seen_first = mapped(stage, row)
    stage.sandbox.recall_world.mappings.pop((meeting.id, str(row.recall_credential_id)))

    check.now(stage.runtime, row.id)

    assert first.sync_status is SyncStatus.COMPLETED
    assert seen_first == {5551234567, meeting.id}
    assert mapped(stage, row) == {5551234567}


def test_mappings_that_cannot_be_had_leave_those_known(stage: ConnectStage) -> None:
    row = stage.connect()
    sync(stage)
    check.now(stage.runtime, row.id)
    path = "/api/v2/zoom-meetings-to-credentials/"
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.SERVER_ERROR, path=path)])

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is TokenState.HEALTHY
    assert mapped(stage, row) == {5551234567}


def test_only_the_newest_500_of_a_connection_are_stored(
    sqlite: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    row = a_connection(app)
    with sqlite.writing() as session:
        session.add(app)
        session.flush()
        session.add(row)
        session.flush()
        for number in range(mappings.MOST + 2):
            at = NOON + timedelta(minutes=number)
            session.add(
                MeetingMapping(
                    id=new_id(at),
                    connection_id=row.id,
                    meeting_id=5550000000 + number,
                    synced_at=at,
                    seen_at=at,
                )
            )
        session.flush()
        mappings.trim(session, row.id)

    with sqlite.reading() as session:
        known = mappings.known(session, row.id, limit=1000)
    assert len(known) == mappings.MOST
    assert (known[0], known[-1]) == (5550000501, 5550000002)
