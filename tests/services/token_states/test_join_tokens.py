"""The join token's scope is proved by one real call, only where it must be."""

from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.api import ZoomApi
from dashboard.db import Database
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Kind, Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import Sync
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import actions, check
from dashboard.services.runtime import Runtime
from dashboard.services.setup.steps import StepKey
from dashboard.services.sweep import sweep
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.setup import by_key, kept, look
from tests.makers import NOON, FakeClock

SCOPE = "meeting:read:local_recording_token"
JOIN = "/jointoken/local_recording"


class Counting(httpx2.HTTPTransport):
    """The network, with what Zoom's API was asked written down."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        return super().handle_request(request)

    @property
    def joins(self) -> int:
        return sum(path.endswith(JOIN) for path in self.asked)


@pytest.fixture
def network() -> Counting:
    return Counting()


@pytest.fixture
def listening(runtime: Runtime, sandbox: RunningSandbox, network: Counting) -> Runtime:
    http = make_http(sandbox.zoom_url, transport=network)
    return replace(runtime, zoom=ZoomApi(sandbox.zoom_url, http=http))


@pytest.fixture
def stage(
    listening: Runtime, sandbox: RunningSandbox, database: Database
) -> ConnectStage:
    return a_connect_stage(listening, sandbox, database=database)


@pytest.fixture
def lite(listening: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(listening, sandbox)


def with_a_meeting(stage: ConnectStage, *, withheld: str | None = None) -> Connection:
    """Connect Ana, who has a meeting, and let Recall map it."""
    if withheld:
        stage.sandbox.zoom_world.switch(withheld_scopes=[withheld])
    row = stage.connect()
    # Created after the check that connecting makes: on a slow machine it would see it.
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    for credential in stage.credentials():
        credential.meeting_sync_status = Sync.NOT_STARTED
    for _ in range(2):
        stage.sandbox.sync_meetings()
    # Recall maps the personal meeting number too, for which Zoom has no join token.
    stage.sandbox.recall_world.mappings.pop((5551234567, str(row.recall_credential_id)))
    return row


def test_all_scopes_are_proved_by_calls_that_need_each(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = with_a_meeting(stage)
    clock.advance(seconds=30)

    seen = check.now(stage.runtime, row.id)
    step = by_key(look(stage.runtime, stage.app.id))[StepKey.SCOPES]

    assert seen.token_state is TokenState.HEALTHY
    assert "join token for a mapped meeting was fetched" in seen.token_evidence
    assert step.is_done
    assert step.at == clock.now()
    assert step.proof == (
        "All required scopes work for Ana Nowak (profile, meetings and join token "
        "checked)."
    )
    assert kept(stage.runtime, stage.app.id)[StepKey.SCOPES].connection_id == row.id


def test_a_scope_that_was_unticked_is_named_and_is_trouble(
    stage: ConnectStage,
) -> None:
    row = with_a_meeting(stage, withheld=SCOPE)

    seen = check.now(stage.runtime, row.id)
    step = by_key(look(stage.runtime, stage.app.id))[StepKey.SCOPES]

    assert seen.token_state is TokenState.MISSING_SCOPES
    assert (step.tone, step.is_done) == ("trouble", False)
    assert SCOPE in step.remark
    assert StepKey.SCOPES not in kept(stage.runtime, stage.app.id)


def test_a_grant_that_lacks_it_goes_on_lacking_it_until_the_user_reconnects(
    stage: ConnectStage,
) -> None:
    row = with_a_meeting(stage, withheld=SCOPE)
    lacking = check.now(stage.runtime, row.id)
    stage.sandbox.recall_world.mappings.clear()

    untried = check.now(stage.runtime, row.id)
    stage.sandbox.zoom_world.switch(withheld_scopes=[])
    renewed = stage.connect()

    assert untried.token_state is TokenState.MISSING_SCOPES
    assert untried.token_reason == lacking.token_reason
    assert (renewed.id, renewed.token_state) == (row.id, TokenState.HEALTHY)


def test_another_refusal_says_nothing_of_the_scopes(stage: ConnectStage) -> None:
    row = with_a_meeting(stage)
    for meeting_id in list(stage.sandbox.zoom_world.state.meetings):
        stage.sandbox.zoom_world.delete_meeting(meeting_id)

    seen = check.now(stage.runtime, row.id)
    step = by_key(look(stage.runtime, stage.app.id))[StepKey.SCOPES]

    assert seen.token_state is TokenState.HEALTHY
    assert "for a reason other than scopes" in seen.token_evidence
    assert (step.is_done, step.tone) == (False, "waiting")
    assert "join token not fetched yet" in step.remark


def test_zoom_being_down_for_it_leaves_the_token_as_it_was_seen(
    stage: ConnectStage,
) -> None:
    row = with_a_meeting(stage)
    stage.sandbox.zoom_faults.set(
        [Fault(kind=FaultKind.SERVER_ERROR, path="/v2/meetings/")]
    )

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is TokenState.HEALTHY
    assert StepKey.SCOPES not in kept(stage.runtime, stage.app.id)


def test_it_is_asked_for_while_not_proved_and_by_hand_and_no_more(
    lite: ConnectStage, network: Counting
) -> None:
    row = with_a_meeting(lite)
    assert network.joins == 0  # nothing was mapped yet

    check.now(lite.runtime, row.id)
    proved = network.joins
    check.now(lite.runtime, row.id)
    after = network.joins
    actions.try_again(lite.runtime, row.id)

    assert (proved, after, network.joins) == (1, 1, 2)


def test_one_who_lacks_it_is_asked_about_though_others_proved_it(
    lite: ConnectStage, network: Counting
) -> None:
    row = with_a_meeting(lite)
    check.now(lite.runtime, row.id)
    with lite.runtime.database.writing() as session:
        known = session.get_one(Connection, row.id)
        known.token_state = TokenState.MISSING_SCOPES
        known.token_reason = f"The grant lacks {SCOPE}."
        session.add(known)

    seen = check.now(lite.runtime, row.id)

    assert network.joins == 2
    assert seen.token_state is TokenState.HEALTHY


def test_the_join_token_is_kept_nowhere(lite: ConnectStage, network: Counting) -> None:
    row = with_a_meeting(lite)
    seen = check.now(lite.runtime, row.id)

    assert network.joins == 1
    assert "expire" not in seen.token_evidence
    assert len(seen.token_evidence) < 120


def test_a_look_comes_soon_while_the_scopes_are_not_proved(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = with_a_meeting(stage)
    stage.sandbox.recall_world.mappings.clear()

    young = check.now(stage.runtime, row.id)
    clock.advance(hours=2)
    stage.sandbox.clock.set(clock.now())
    old = check.now(stage.runtime, row.id)

    assert young.due_at == NOON + timedelta(minutes=2)
    assert old.due_at - clock.now() > timedelta(minutes=50)


def test_with_direct_routing_a_meeting_is_noticed_without_a_webhook(
    stage: ConnectStage, clock: FakeClock
) -> None:
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        app.routing = Routing.DIRECT
        session.add(app)
    with_a_meeting(stage)
    clock.advance(minutes=3)

    sweep.check_due(stage.runtime)

    steps = by_key(look(stage.runtime, stage.app.id))
    assert steps[StepKey.MAPPING].is_done
    assert steps[StepKey.SCOPES].is_done


def test_an_account_that_may_not_read_a_profile_is_proved_all_the_same(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    row = with_an_accounts_meeting(stage)

    check.now(stage.runtime, row.id)

    step = by_key(look(stage.runtime, stage.app.id))[StepKey.SCOPES]
    assert step.is_done
    assert "(users, meetings and join token checked)" in step.proof


def with_an_accounts_meeting(stage: ConnectStage) -> Connection:
    stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    stage.sandbox.zoom_world.switch(
        withheld_scopes=["user:read:user:admin", "user:read:user"]
    )
    row = stage.connect()
    for _ in range(3):
        stage.sandbox.sync_meetings()
    stage.sandbox.recall_world.mappings.pop(
        (5551234567, str(row.recall_credential_id)), None
    )
    return row
