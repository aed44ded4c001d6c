"""Test bots at the simulated Recall: sent once, followed, and what keeps them back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.bot_test import BotTest
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.bot_tests import outcomes, runs
from dashboard.services.bot_tests.outcomes import State
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON

BOTS = "/api/v1/bot/"


@pytest.fixture
def meeting(stage: ConnectStage) -> int:
    """A meeting of Ana, who has connected; Recall has mapped it, and it is known."""
    row = stage.connect()
    made = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    (credential,) = stage.credentials()
    stage.sandbox.recall_world.map_meeting(made.id, credential)
    with stage.runtime.database.writing() as session:
        session.add(
            MeetingMapping(
                id=1,
                connection_id=row.id,
                meeting_id=made.id,
                synced_at=NOON,
                seen_at=NOON,
            )
        )
    return made.id


def send(stage: ConnectStage, meeting: object) -> BotTest:
    return runs.begin(stage.runtime, stage.app.id, str(meeting), actor=COMMAND_LINE)


def follow(stage: ConnectStage, row: BotTest) -> BotTest:
    """Let the worker follow a bot to its end."""
    for _ in range(20):
        stage.sandbox.clock.advance(5)
        stage.runtime.clock.advance(seconds=5)  # type: ignore[attr-defined]
        runs.run_due(stage.runtime)
        with stage.runtime.database.reading() as session:
            row = runs.find(session, stage.app.id, row.id)
        if row.ended_at is not None:
            return row
    raise AssertionError("the bot never ended")


def state_of(row: BotTest) -> State:
    return runs.verdict_of(row).state


def bots(stage: ConnectStage) -> int:
    return len(stage.sandbox.recall_world.bots)


def test_a_bot_records_without_asking(stage: ConnectStage, meeting: int) -> None:
    row = send(stage, meeting)
    begun = state_of(row)

    row = follow(stage, row)

    assert begun is State.JOINING
    assert state_of(row) is State.RECORDED
    assert (row.due_at, row.trouble, bots(stage)) == (None, "", 1)


def test_a_link_is_sent_whole_and_not_kept(stage: ConnectStage, meeting: int) -> None:
    row = send(stage, f"https://acme.zoom.us/j/{meeting}?pwd=hunter2")

    (bot,) = stage.sandbox.recall_world.bots.values()
    assert bot.meeting_password == "hunter2"
    assert "hunter2" not in str(row.model_dump())


def test_what_keeps_a_bot_from_recording_is_stored(
    stage: ConnectStage, meeting: int
) -> None:
    stage.sandbox.recall_world.set_switches({"bots": "zoom_local_recording_disabled"})

    row = follow(stage, send(stage, meeting))

    found = outcomes.judge(runs.steps_of(row))
    assert (found.state, found.sub_code) == (
        State.DENIED,
        "zoom_local_recording_disabled",
    )


def test_a_bot_that_waits_for_good_is_followed_for_half_an_hour(
    stage: ConnectStage, meeting: int
) -> None:
    stage.sandbox.recall_world.set_switches({"bots": "waiting"})
    row = send(stage, meeting)
    stage.sandbox.clock.advance(1)
    stage.runtime.clock.advance(minutes=31)  # type: ignore[attr-defined]

    runs.run_due(stage.runtime)

    with stage.runtime.database.reading() as session:
        row = runs.find(session, stage.app.id, row.id)
    assert state_of(row) is State.WAITING
    assert row.ended_at is not None


def test_the_personal_meeting_of_a_user_is_theirs(stage: ConnectStage) -> None:
    row = stage.connect()
    with stage.runtime.database.writing() as session:
        session.get_one(Connection, row.id).pmi = 5551234567

    assert send(stage, "555 123 4567").connection_id == row.id


@pytest.mark.parametrize(
    ("meeting", "words"),
    [
        ("", "Enter a meeting number"),
        ("12345", "Enter a meeting number"),
        ("https://example.com/", "Enter a meeting number"),
        ("http://zoom.us/j/81234567890", "Enter a meeting number"),
        ("https://zoom.us/j/81234567890 and more", "Enter a meeting number"),
        ("81234567890", "is known to host this meeting"),
    ],
)
def test_what_would_prove_nothing_is_not_sent(
    stage: ConnectStage, meeting: str, words: str
) -> None:
    stage.connect()

    with pytest.raises(InvalidInputError, match=words):
        send(stage, meeting)

    assert bots(stage) == 0
    with stage.runtime.database.reading() as session:
        assert session.exec(select(BotTest)).all() == []


def test_an_app_that_is_not_in_recall_sends_none(
    stage: ConnectStage, meeting: int
) -> None:
    with stage.runtime.database.writing() as session:
        session.get_one(ZoomApp, stage.app.id).recall_app_id = None

    with pytest.raises(ConflictError, match="Press Create in Recall first"):
        send(stage, meeting)


def test_one_bot_at_a_time(stage: ConnectStage, meeting: int) -> None:
    row = send(stage, meeting)

    with pytest.raises(ConflictError, match="under way"):
        send(stage, meeting)

    follow(stage, row)
    send(stage, meeting)
    assert bots(stage) == 2


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_answer_sends_no_second_bot(
    stage: ConnectStage, meeting: int, times: int
) -> None:
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=BOTS, times=times)
    stage.sandbox.recall_faults.set([lost])

    row = send(stage, meeting)

    assert bots(stage) == 1
    assert (row.recall_bot_id is None) is (times == 2)
    assert ("isn't known whether a bot was sent" in row.trouble) is (times == 2)


def test_no_bot_free_is_said(stage: ConnectStage, meeting: int) -> None:
    stage.sandbox.recall_world.set_switches({"bots_free": "none"})

    row = send(stage, meeting)

    found = runs.verdict_of(row)
    assert found.state is State.NOT_SENT
    assert "no bot free" in found.sentence
    assert row.ended_at is not None


def test_while_recall_does_not_answer_it_is_asked_again(
    stage: ConnectStage, meeting: int
) -> None:
    row = send(stage, meeting)
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN, path=BOTS, times=1)])
    stage.runtime.clock.advance(seconds=5)  # type: ignore[attr-defined]
    runs.run_due(stage.runtime)
    with stage.runtime.database.reading() as session:
        between = runs.find(session, stage.app.id, row.id)

    row = follow(stage, row) if between.due_at is None else _later(stage, row)

    assert between.trouble
    assert between.ended_at is None
    assert state_of(row) is State.RECORDED


def _later(stage: ConnectStage, row: BotTest) -> BotTest:
    stage.runtime.clock.advance(seconds=30)  # type: ignore[attr-defined]
    return follow(stage, row)


def test_a_bot_that_another_worker_has_is_left_to_it(
    stage: ConnectStage, meeting: int
) -> None:
    row = send(stage, meeting)
    stage.runtime.clock.advance(seconds=5)  # type: ignore[attr-defined]

    # Both have read the row while it was due.
    both = [runs._follow(stage.runtime, row) for _ in range(2)]

    assert both == [True, False]


def test_only_the_last_ones_are_kept(stage: ConnectStage, meeting: int) -> None:
    with stage.runtime.database.writing() as session:
        connection_id = session.exec(select(Connection.id)).one()
        for number in range(runs.KEPT + 5):
            at = NOON - timedelta(hours=number + 1)
            session.add(
                BotTest(
                    zoom_app_id=stage.app.id,
                    connection_id=connection_id,
                    meeting_id=meeting,
                    idempotency_key=str(number),
                    asked_by="x",
                    begun_at=at,
                    ended_at=at,
                )
            )

    row = send(stage, meeting)

    with stage.runtime.database.reading() as session:
        kept = runs.latest(session, stage.app.id)
        assert len(session.exec(select(BotTest)).all()) == runs.KEPT
    assert kept[0].id == row.id


def test_another_apps_run_is_not_found(stage: ConnectStage, meeting: int) -> None:
    row = send(stage, meeting)

    with stage.runtime.database.reading() as session, pytest.raises(NotFoundError):
        runs.find(session, uuid4(), row.id)
