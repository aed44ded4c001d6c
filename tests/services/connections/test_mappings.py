"""Recall's mappings of meetings to connections, as they are stored here."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.clients.recall.replies import Mapping, Stretch
from dashboard.db import Database
from dashboard.models.connection import (
    Connection,
    ConnectionEvent,
    MeetingMapping,
    SyncStatus,
    TokenState,
)
from dashboard.models.ids import new_id
from dashboard.models.webhook import Outcome
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.audit import Actor
from dashboard.services.connections import actions, check, listing, mappings, recording
from dashboard.services.explain import explain
from dashboard.services.facts import meetings
from dashboard.services.token_states import pace
from dashboard.services.token_states.rules import CheckResult
from dashboard.vault import Vault
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON, FakeClock, a_connection, a_webhook, a_zoom_app

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


def test_a_credential_deleted_in_recall_takes_its_meetings_with_it(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    actions.sync_meetings(stage.runtime, row.id, actor=ADMIN)
    sync(stage)
    check.now(stage.runtime, row.id)
    seen_first = mapped(stage, row)
    [there] = stage.credentials()
    stage.sandbox.recall_world.remove_credential(there)

    clock.advance(hours=1)
    check.run(stage.runtime, row.id)

    assert len(seen_first) == 2
    assert mapped(stage, row) == set()
    with stage.runtime.database.reading() as session:
        kept = session.get_one(Connection, row.id)
    assert (kept.mappings_seen_at, kept.mappings_trouble) == (clock.now(), "")


def test_meetings_of_one_who_must_reconnect_are_still_read_daily(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    sync(stage)
    check.now(stage.runtime, row.id)
    seen_first = mapped(stage, row)
    stage.sandbox.zoom_world.revoke_grant(stage.app.client_id, stage.ana.id)
    clock.advance(hours=2)
    stage.sandbox.clock.advance(7200)
    check.run(stage.runtime, row.id)
    stage.sandbox.recall_world.mappings.clear()

    clock.advance(hours=25)
    stage.sandbox.clock.advance(90_000)
    check.run(stage.runtime, row.id)

    with stage.runtime.database.reading() as session:
        state = session.get_one(Connection, row.id).token_state
    assert state not in (TokenState.HEALTHY, TokenState.UNKNOWN)
    assert (len(seen_first), mapped(stage, row)) == (1, set())


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


LIST = "/api/v2/zoom-meetings-to-credentials/"


def unreadable(stage: ConnectStage) -> None:
    down = Fault(kind=FaultKind.UNAVAILABLE, path=LIST)
    stage.sandbox.recall_faults.set([down])


def later(stage: ConnectStage, clock: FakeClock, *, hours: int) -> None:
    clock.advance(hours=hours)
    stage.sandbox.clock.advance(hours * 3600)


def explained(stage: ConnectStage, number: int) -> tuple[str, str, str]:
    runtime = stage.runtime
    with runtime.database.reading() as session:
        now = runtime.clock.now()
        found = explain.explain(session, runtime.vault, str(number), now=now)
    lines = " ".join(line.words for line in found.lines)
    return found.verdict.id, found.verdict.sentence, lines


def heard(stage: ConnectStage, number: int) -> None:
    with stage.runtime.database.writing() as session:
        now = stage.runtime.clock.now()
        session.add(
            a_webhook(
                stage.app,
                zoom_user_id=stage.ana.id,
                meeting_id=number,
                received_at=now,
                outcome=Outcome.DELIVERED,
                delivered_at=now,
            )
        )


def test_a_list_that_was_not_read_is_no_observation_of_a_mapping(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    sync(stage)
    check.now(stage.runtime, row.id)
    clock.advance(minutes=1)
    unreadable(stage)
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    heard(stage, meeting.id)
    later(stage, clock, hours=1)

    tried = actions.try_again(stage.runtime, row.id)
    told = explained(stage, meeting.id)

    assert tried.connection.token_state is TokenState.HEALTHY
    assert tried.missed == ["Recall's list of meetings could not be read (503)."]
    assert told[0] == "not-looked-since"
    assert "Recall's list of meetings could not be read (503)." in told[1]
    assert "hadn't mapped" not in told[1]

    stage.sandbox.recall_faults.set([])
    mended = actions.try_again(stage.runtime, row.id)
    verdict, sentence, lines = explained(stage, meeting.id)

    assert (mended.missed, mended.connection.mappings_trouble) == ([], "")
    assert verdict == "not-mapped"
    assert "hadn't linked it to anyone when its list was read" in sentence
    assert "Recall's list had no mapping" in lines


def test_a_list_that_was_never_read_says_nothing_of_mappings(
    stage: ConnectStage,
) -> None:
    unreadable(stage)
    row = stage.connect()
    sync(stage)
    check.now(stage.runtime, row.id)

    verdict, sentence, lines = explained(stage, 97531086420)

    assert verdict == "unknown-meeting"
    verdict, sentence, lines = explained(stage, 5551234567)
    assert verdict == "list-unread"
    assert sentence.endswith("Recall's list of meetings could not be read (503).")
    assert "had no mapping" not in lines


def test_meetings_that_recall_lists_no_longer_are_forgotten_within_a_day(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    sync(stage)
    check.now(stage.runtime, row.id)
    stage.sandbox.recall_world.mappings.clear()

    later(stage, clock, hours=23)
    check.run(stage.runtime, row.id)
    before = mapped(stage, row)
    later(stage, clock, hours=2)
    check.run(stage.runtime, row.id)

    assert before == {5551234567}
    assert mapped(stage, row) == set()


def test_with_many_connections_lists_are_read_on_one_day_of_the_week(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    many = pace.for_numbers(healthy=50_000, failing=0, unknown=0)
    sync(stage)
    check.now(stage.runtime, row.id)
    stage.sandbox.recall_world.mappings.clear()

    read = []
    for _ in range(7):
        later(stage, clock, hours=24)
        check.run(stage.runtime, row.id, pace=many)
        if not mapped(stage, row):
            read.append(clock.now().toordinal())

    assert (row.id.int + read[0]) % 7 == 0


def test_the_newest_are_kept_whatever_recalls_order_is_and_none_is_taken_for_gone(
    stage: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mappings, "MOST", 3)
    switches = {"list_order": "oldest", "page_size": 2}
    stage.sandbox.recall_world.set_switches(switches)
    row = stage.connect()
    sync(stage)  # or the first one maps what is there, all at one instant
    zoom, recall = stage.sandbox.zoom_world, stage.sandbox.recall_world
    made = [zoom.create_meeting(stage.ana.id) for _ in range(7)]
    for meeting in made:
        stage.sandbox.clock.advance(1)
        recall.map_meeting(meeting.id, stage.credentials()[0])

    check.now(stage.runtime, row.id)

    assert made[-1].id in mapped(stage, row)
    assert len(mapped(stage, row)) == 3
    assert stage.connection(row.id).mappings_trouble == meetings.ONLY_NEWEST
    check.now(stage.runtime, row.id)
    assert forgotten(stage, row) == []


def forgotten(stage: ConnectStage, row: Connection) -> list[str]:
    """Give what the timeline says of meetings that Recall no longer lists."""
    mine = col(ConnectionEvent.connection_id) == row.id
    is_mapping = col(ConnectionEvent.kind) == "mapping"
    query = select(ConnectionEvent.words).where(mine, is_mapping)
    with stage.runtime.database.reading() as session:
        return [each for each in session.exec(query) if "no longer" in each]


def test_of_a_part_of_a_list_none_is_taken_for_gone(stage: ConnectStage) -> None:
    row = stage.connect()
    sync(stage)
    before = check.now(stage.runtime, row.id)
    part = Stretch[Mapping](results=[], is_whole=False, has_newest=False)
    with stage.runtime.database.writing() as session:
        again = session.get_one(Connection, row.id)
        found = CheckResult(mappings=part)
        recording.store(session, again, found, now=NOON + timedelta(hours=3))

    with stage.runtime.database.reading() as session:
        after = session.get_one(Connection, row.id)
    assert mapped(stage, row) == {5551234567}
    assert after.mappings_seen_at == before.mappings_seen_at
    assert after.mappings_trouble == recording.PART


def test_a_meeting_that_recall_forgot_is_not_in_order_between_two_readings(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    actions.sync_meetings(stage.runtime, row.id, actor=ADMIN)
    sync(stage)
    check.now(stage.runtime, row.id)
    just_read = explained(stage, meeting.id)
    stage.sandbox.recall_world.mappings.pop((meeting.id, str(row.recall_credential_id)))
    later(stage, clock, hours=7)
    check.run(stage.runtime, row.id)  # a routine one: the token alone

    told = explained(stage, meeting.id)
    with stage.runtime.database.reading() as session:
        now = clock.now()
        vault = stage.runtime.vault
        unsure = explain.explain(session, vault, str(meeting.id), now=now).unsure
    check.now(stage.runtime, row.id)

    assert just_read[0] == "ready"
    assert told[0] == "mapped-then"
    assert "7 hours ago" in told[1]
    assert unsure == [row.id]
    assert explained(stage, meeting.id)[0] not in ("ready", "mapped-then")


def test_an_older_reading_brings_back_nothing_that_a_newer_one_lacks(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    credential = stage.credentials()[0]
    one = Mapping(
        meeting_id=meeting.id, credential=UUID(credential.id), synced_at=clock.now()
    )
    begun_at = clock.now()
    clock.advance(seconds=2)
    with stage.runtime.database.writing() as session:
        again = session.get_one(Connection, row.id)
        nothing = Stretch[Mapping](results=[], is_whole=True)
        found = CheckResult(mappings=nothing, begun_at=clock.now())
        recording.store(session, again, found, now=clock.now())
    with stage.runtime.database.writing() as session:
        mappings.add(session, [one], now=begun_at)
    at_first = mapped(stage, row)
    clock.advance(seconds=2)
    with stage.runtime.database.writing() as session:
        mappings.add(session, [one], now=clock.now())

    assert at_first == set()
    assert mapped(stage, row) == {meeting.id}


def test_a_list_is_as_old_as_the_question_for_it(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    begun_at = clock.now()
    clock.advance(seconds=30)
    with stage.runtime.database.writing() as session:
        again = session.get_one(Connection, row.id)
        nothing = Stretch[Mapping](results=[], is_whole=True)
        found = CheckResult(mappings=nothing, begun_at=begun_at)
        recording.store(session, again, found, now=clock.now())

    assert stage.connection(row.id).mappings_seen_at == begun_at
