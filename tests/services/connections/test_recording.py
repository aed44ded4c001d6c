"""A setting of the host that keeps bots from recording is kept, named and cleared."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard.clients.zoom.api import JoinToken, ZoomUser
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Kind, Routing, ZoomApp
from dashboard.services.audit import Actor
from dashboard.services.connections import actions, check, recording
from dashboard.services.setup.steps import StepKey
from dashboard.services.token_states import join_tokens
from dashboard.services.token_states.rules import CheckResult
from dashboard.vault import Vault
from tests.fixtures.connect import ConnectStage
from tests.fixtures.health_checks import a_token
from tests.fixtures.setup import by_key, look
from tests.makers import NOON, FakeClock, a_connection, a_zoom_app

NAMED = "Zoom said that local recording is disabled."


def mapped(stage: ConnectStage, **setting: bool) -> Connection:
    """Connect Ana, who has one meeting that Recall has mapped."""
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    stage.sandbox.zoom_world.change_user(stage.ana.id, **setting)
    row = stage.connect()
    for _ in range(2):
        stage.sandbox.sync_meetings()
    return row


@pytest.mark.parametrize(
    ("refusal", "words"),
    [("named", join_tokens.SETTING), ("bare", "No permission.")],
)
def test_it_is_kept_in_zooms_words_and_the_token_stays_healthy(
    stage: ConnectStage, clock: FakeClock, refusal: str, words: str
) -> None:
    stage.sandbox.zoom_world.switch(recording_refusal=refusal)
    row = mapped(stage, participants_may_record=False)
    clock.advance(minutes=1)

    seen = actions.try_again(stage.runtime, row.id).connection

    assert words in seen.recording_block
    assert seen.recording_block_at == clock.now()
    assert seen.token_state is TokenState.HEALTHY


def test_a_later_token_clears_it_by_itself(stage: ConnectStage) -> None:
    row = mapped(stage)
    check.now(stage.runtime, row.id)  # proves the scopes: no more is asked
    stage.sandbox.zoom_world.change_user(stage.ana.id, participants_may_record=False)
    unasked = check.now(stage.runtime, row.id)
    blocked = actions.try_again(stage.runtime, row.id).connection
    stage.sandbox.zoom_world.change_user(stage.ana.id, participants_may_record=True)

    seen = check.now(stage.runtime, row.id)

    assert (unasked.recording_block, bool(blocked.recording_block)) == ("", True)
    assert (seen.recording_block, seen.recording_block_at) == ("", None)


def error(
    status: int, detail: str | None, code: str = "200", *, retryable: bool = False
) -> UpstreamError:
    return UpstreamError(
        "It refused.",
        service="Zoom",
        status=status,
        detail=detail,
        code=code,
        retryable=retryable,
    )


@pytest.fixture
def ana(vault: Vault) -> Connection:
    return a_connection(a_zoom_app(vault))


@pytest.mark.parametrize(
    ("answer", "block"),
    [
        (error(403, "No permission."), "No permission."),
        (error(403, None), "Zoom gave no reason."),
        (error(400, NAMED, "300"), NAMED),
        (error(400, "Validation Failed.", "300"), ""),
        (error(404, "Meeting recording does not exist.", "3001"), ""),
        (error(403, "does not contain scopes:[meeting:read:x]", "4711"), ""),
        (error(403, "Recording: try later.", retryable=True), ""),
        (None, ""),
    ],
    ids=[
        *("403", "403 without words", "about recording", "400", "gone", "scope"),
        *("later", "not asked"),
    ],
)
def test_only_a_refusal_by_a_setting_counts(
    ana: Connection, answer: UpstreamError | None, block: str
) -> None:
    join_tokens.note_block(ana, answer, kind=Kind.USER_LEVEL, now=NOON)

    assert ana.recording_block == block


def test_what_says_nothing_leaves_it_and_a_token_takes_it_away(ana: Connection) -> None:
    ana.recording_block = NAMED
    for answer in (None, error(500, "Later."), error(404, "Gone.", "3001")):
        join_tokens.note_block(ana, answer, kind=Kind.USER_LEVEL, now=NOON)
    kept = ana.recording_block

    token = JoinToken.model_validate({"token": "x"})
    join_tokens.note_block(ana, token, kind=Kind.USER_LEVEL, now=NOON)

    assert (kept, ana.recording_block) == (NAMED, "")


@pytest.mark.parametrize("number", [0, 1, 86_400, 604_799, 10**30])
def test_a_proved_grant_is_tried_once_a_week_at_a_time_of_its_own(
    ana: Connection, number: int
) -> None:
    ana.id, now, tried = UUID(int=number), NOON, []
    for _ in range(4 * 28):
        now += timedelta(hours=6)
        if join_tokens.is_due(ana, now=now):
            tried.append(now)
        ana.token_checked_at = now

    assert len(tried) == 4
    assert {later - sooner for sooner, later in pairwise(tried)} == {timedelta(days=7)}


def test_one_never_looked_at_has_no_turn_yet(ana: Connection) -> None:
    ana.token_checked_at = None

    assert not join_tokens.is_due(ana, now=NOON)


@pytest.mark.parametrize("said", [0, "0", -1])
def test_a_pmi_that_zoom_says_is_gone_stays_as_the_former_one(
    stage: ConnectStage, clock: FakeClock, said: object
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    body = {"id": row.zoom_user_id, "pmi": said}
    user = ZoomUser.model_validate(body)

    with stage.runtime.database.writing() as session:
        found = session.get_one(Connection, row.id)
        before = found.pmi
        recording.store(
            session,
            found,
            CheckResult(
                kind=Kind.USER_LEVEL,
                is_brief=True,
                token=a_token(hours=1),
                user=user,
            ),
            now=clock.now(),
        )

    seen = stage.connection(row.id)
    assert before is not None
    assert (seen.pmi, seen.previous_pmi) == (None, before)
    assert (seen.pmi_changed_at, seen.pmi_changed_by) == (
        clock.now(),
        recording.PROFILE,
    )


def test_a_pmi_that_zoom_does_not_name_is_not_gone(stage: ConnectStage) -> None:
    row = stage.connect()
    user = ZoomUser.model_validate({"id": row.zoom_user_id})

    assert (user.pmi, user.has_no_pmi) == (None, False)


def routed(stage: ConnectStage, routing: Routing) -> None:
    with stage.runtime.database.writing() as session:
        session.get_one(ZoomApp, stage.app.id).routing = routing


def synced(stage: ConnectStage) -> Connection:
    """Connect Ana; a check has seen Recall's first sync complete."""
    row = stage.connect()
    for _ in range(2):
        stage.sandbox.sync_meetings()
    check.now(stage.runtime, row.id)
    return row


def events_are_proved(stage: ConnectStage) -> bool:
    return by_key(look(stage.runtime, stage.app.id))[StepKey.EVENT].is_done


def map_by_an_event(stage: ConnectStage) -> None:
    """Let Recall map a new meeting as it does when Zoom's event comes."""
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    (credential,) = stage.credentials()
    stage.sandbox.recall_world.map_meeting(meeting.id, credential)


def test_a_meeting_mapped_without_a_sync_shows_that_events_reach_recall(
    stage: ConnectStage, clock: FakeClock
) -> None:
    routed(stage, Routing.DIRECT)
    row = synced(stage)
    before = events_are_proved(stage)
    map_by_an_event(stage)
    clock.advance(minutes=1)

    check.now(stage.runtime, row.id)

    event = by_key(look(stage.runtime, stage.app.id))[StepKey.EVENT]
    assert not before
    assert event.is_done
    assert event.proof == (
        "Recall mapped a new meeting after its sync had ended, so Zoom's "
        "meeting.created reached it."
    )


def by_its_first_sync(stage: ConnectStage) -> None:
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    synced(stage)


def by_a_sync_that_was_asked_for(stage: ConnectStage) -> None:
    row = synced(stage)
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    actions.sync_meetings(stage.runtime, row.id, actor=Actor(name="admin@example.com"))
    for _ in range(2):
        stage.sandbox.sync_meetings()


def by_the_sync_of_a_new_consent(stage: ConnectStage) -> None:
    synced(stage)
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    row = stage.connect()
    check.now(stage.runtime, row.id)
    for _ in range(2):
        stage.sandbox.sync_meetings()


def before_the_list_was_read(stage: ConnectStage) -> None:
    row = stage.connect()
    for _ in range(2):
        stage.sandbox.sync_meetings()
    map_by_an_event(stage)
    check.now(stage.runtime, row.id)


@pytest.mark.parametrize(
    "mapped_so",
    [
        by_its_first_sync,
        by_a_sync_that_was_asked_for,
        by_the_sync_of_a_new_consent,
        before_the_list_was_read,
    ],
)
def test_a_meeting_that_a_sync_may_have_mapped_proves_no_event(
    stage: ConnectStage, clock: FakeClock, mapped_so: Callable[[ConnectStage], None]
) -> None:
    routed(stage, Routing.DIRECT)
    mapped_so(stage)

    for _ in range(2):
        clock.advance(minutes=1)
        (row,) = connections_of(stage)
        check.now(stage.runtime, row.id)

    assert by_key(look(stage.runtime, stage.app.id))[StepKey.MAPPING].is_done
    assert not events_are_proved(stage)


def connections_of(stage: ConnectStage) -> list[Connection]:
    with stage.runtime.database.reading() as session:
        return list(session.exec(select(Connection)).all())


def test_with_relay_routing_only_an_event_that_came_here_counts(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = synced(stage)
    map_by_an_event(stage)
    clock.advance(minutes=1)

    check.now(stage.runtime, row.id)

    assert not events_are_proved(stage)
