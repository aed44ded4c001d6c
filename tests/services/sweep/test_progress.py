"""Looks that Recall has no room for: nobody's fault, and what was seen stands."""

from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr

from dashboard.clients.recall.operations import Operation
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import actions
from dashboard.services.recall import rate_limit_counts
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import sweep as sweeping
from dashboard.vault import fingerprint
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import API_KEY, NOON, FakeClock, a_connection, a_workspace, a_zoom_app

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"
LOOK = Operation.CREDENTIALS_RETRIEVE


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox)


def sweep(stage: ConnectStage) -> int:
    return sweeping.check_due(stage.runtime.in_background())


def spend(stage: ConnectStage, operation: Operation, calls: int) -> None:
    """Count calls of this workspace, as another process would."""
    with stage.runtime.database.writing_fast() as connection:
        for _ in range(calls):
            rate_limit_counts.take(
                connection,
                f"us-east-1:{fingerprint(API_KEY)}",
                operation,
                stops_at=operation.a_minute,
                now=NOON,
            )


def make_due(stage: ConnectStage, row: Connection, clock: FakeClock) -> None:
    clock.set(stage.connection(row.id).due_at)
    stage.sandbox.clock.set(clock.now())


def asked(stage: ConnectStage) -> int:
    """Return how many API calls Recall ever got."""
    return sum(one["asked"] for one in stage.sandbox.recall_world.rate_limiter.counts())


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.RATE_LIMITED_BARE])
@pytest.mark.parametrize("path", ["{}/", "{}/access-token/"])
def test_a_429_leaves_what_was_seen_and_sets_the_next_look(
    stage: ConnectStage, clock: FakeClock, kind: FaultKind, path: str
) -> None:
    row = stage.connect()
    make_due(stage, row, clock)
    where = CREDENTIALS + path.format(row.recall_credential_id)
    fault = Fault(kind=kind, path=where, seconds=90)
    stage.sandbox.recall_faults.set([fault])

    sweep(stage)

    after = stage.connection(row.id)
    waits = after.due_at - clock.now()
    assert after.token_state is TokenState.HEALTHY
    assert after.token_checked_at == NOON
    least = timedelta(seconds=90 if kind is FaultKind.RATE_LIMITED else 60)
    assert least <= waits <= least * 1.2
    assert after.lease_until is None


def test_a_background_look_without_room_asks_nobody_and_leaves_all_as_it_was(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    spend(stage, Operation.CREDENTIALS_ACCESS_TOKEN, 180)
    before = asked(stage)
    with stage.runtime.database.writing() as session:
        due = session.get_one(Connection, row.id)
        due.due_at = NOON
        session.add(due)

    looked_at = sweep(stage)

    after = stage.connection(row.id)
    assert (looked_at, asked(stage)) == (0, before)
    assert (after.due_at, after.claim) == (NOON, due.claim)


def test_one_workspace_without_room_does_not_hold_up_the_others(
    stage: ConnectStage, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage.connect()
    other_key = SecretStr("test-api-key-0002")
    sandbox.recall_world.add_workspace("us-east-1", other_key.get_secret_value())
    workspace = a_workspace(
        runtime.vault, region="us-east-1", api_key_print=fingerprint(other_key)
    )
    workspace.api_key = runtime.vault.seal_text(
        other_key, table="workspace", column="api_key", row=workspace.id
    )
    app = a_zoom_app(runtime.vault, recall_app_id=uuid4())
    with runtime.database.writing() as session:
        session.add(workspace)
        session.flush()
        app.workspace_id = workspace.id
        session.add(app)
        session.flush()
        theirs = a_connection(app, due_at=NOON)
        session.add(theirs)
        session.add(a_connection(stage.app, due_at=NOON - timedelta(hours=1)))
    spend(stage, LOOK, 180)

    looked_at = sweeping.check_due(runtime.in_background(), limit=1)

    assert looked_at == 1
    assert stage.connection(theirs.id).token_state is TokenState.RECONNECT_NEEDED


def test_a_person_may_look_when_background_work_may_not(stage: ConnectStage) -> None:
    row = stage.connect()
    spend(stage, LOOK, 200)
    before = asked(stage)

    actions.try_again(stage.runtime, row.id)

    assert asked(stage) > before


def test_a_person_is_told_when_there_is_no_room_for_anybody(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    spend(stage, LOOK, 300)

    with pytest.raises(UpstreamError, match=r"300 requests a minute .* all are used"):
        actions.try_again(stage.runtime, row.id)

    assert stage.connection(row.id).token_state is TokenState.HEALTHY


def test_an_attempt_ends_well_though_the_look_after_it_must_wait(
    stage: ConnectStage,
) -> None:
    spend(stage, LOOK, 300)

    row = stage.connect()

    assert row.token_state is TokenState.UNKNOWN
    assert "Not checked yet" in row.token_reason


def test_after_recalls_429_nothing_is_sent_before_its_pause_is_over(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    stage.sandbox.recall_faults.set(
        [Fault(kind=FaultKind.RATE_LIMITED, path=CREDENTIALS, seconds=30, times=1)]
    )
    with pytest.raises(UpstreamError, match="safe to try again in 30 seconds"):
        actions.try_again(stage.runtime, row.id)
    before = asked(stage)

    with pytest.raises(UpstreamError, match="at 12:00:00 UTC: too many requests"):
        actions.try_again(stage.runtime, row.id)
    clock.advance(seconds=30)
    during = asked(stage)
    actions.try_again(stage.runtime, row.id)

    assert during == before
    assert asked(stage) > before
