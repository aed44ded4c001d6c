"""Recall exchanges the code: lost answers, conflicts, outages, odd profiles."""

import pytest

from dashboard.db import Database
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect import attempts
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import BROWSER, OTHER, ConnectStage, a_connect_stage
from tests.makers import NOON, FakeClock

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


def test_a_lost_answer_makes_no_second_credential(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=CREDENTIALS, method="POST", times=1)
    stage.sandbox.recall_faults.set([lost])

    ended = stage.outcome(**query)

    assert ended.outcome is AttemptOutcome.CONNECTED
    assert len(stage.credentials()) == 1
    assert len(stage.sandbox.recall_world.answers) == 1  # asked with one key


def test_an_answer_lost_twice_is_looked_up(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=CREDENTIALS, method="POST", times=2)
    stage.sandbox.recall_faults.set([lost])

    ended = stage.outcome(**query)

    assert ended.outcome is AttemptOutcome.CONNECTED
    assert len(stage.credentials()) == 1


def test_a_lost_answer_never_shows_one_user_to_another(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    other = stage.begin(OTHER)
    with stage.runtime.database.writing() as session:
        waiting = session.get_one(ConnectAttempt, other.attempt_id)
        waiting.outcome = AttemptOutcome.UNREACHABLE
        waiting.ended_at = stage.runtime.clock.now()
        session.add(waiting)
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=CREDENTIALS, method="POST", times=2)
    stage.sandbox.recall_faults.set([lost])

    ended = stage.outcome(**query)

    assert ended.outcome is AttemptOutcome.UNREACHABLE
    assert ended.connection_id is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.DOWN, AttemptOutcome.UNREACHABLE),
        (FaultKind.UNAVAILABLE, AttemptOutcome.UNREACHABLE),
        (FaultKind.RATE_LIMITED, AttemptOutcome.UNREACHABLE),
        (FaultKind.NONSENSE, AttemptOutcome.UNREACHABLE),
        (FaultKind.HTML_403, AttemptOutcome.REFUSED_BY_RECALL),
    ],
)
def test_what_recall_did_is_the_attempts_outcome(
    lite: ConnectStage, kind: FaultKind, expected: AttemptOutcome
) -> None:
    query = lite.allow(lite.begin())
    lite.sandbox.recall_faults.set([Fault(kind=kind, path=CREDENTIALS)])

    ended = lite.outcome(**query)

    assert ended.outcome is expected
    assert ended.detail.endswith((".", "throttled."))
    assert query["code"] not in ended.detail


def test_connecting_again_renews_the_connection(
    stage: ConnectStage, clock: FakeClock
) -> None:
    first = stage.connect()
    clock.advance(hours=1)

    again = stage.connect()

    assert again.id == first.id
    assert (again.connected_at, again.reconnected_at) == (
        first.connected_at,
        clock.now(),
    )
    assert len(stage.credentials()) == 1


def test_the_legacy_conflict_leads_to_a_fresh_consent(stage: ConnectStage) -> None:
    first = stage.connect()
    stage.sandbox.recall_world.set_switches({"reconnect": "conflict"})

    begun = stage.begin()
    refused = stage.outcome(**stage.allow(begun))

    with stage.runtime.database.reading() as session:
        shown = attempts.result(
            session, stage.app.slug, begun.attempt_id, browser=BROWSER, now=NOON
        )
    assert refused.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert shown.must_consent_again
    assert stage.credentials() == []
    assert stage.connect().id == first.id
    assert len(stage.credentials()) == 1


def test_a_conflict_deletes_no_other_users_credential(stage: ConnectStage) -> None:
    world = stage.sandbox.zoom_world
    ben = world.add_user(email="ben@example.com", first_name="Ben")
    kept = stage.connect(ben)
    stage.connect()
    stage.sandbox.recall_world.set_switches({"reconnect": "conflict"})

    stage.finish(**stage.allow(stage.begin()))

    assert [one.id for one in stage.credentials()] == [str(kept.recall_credential_id)]


def test_a_profile_that_cannot_be_read_does_not_lose_the_connection(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    down = Fault(kind=FaultKind.RATE_LIMITED, path="/v2/users/me", seconds=30)
    lacking = stage.sandbox.zoom_faults
    lacking.set([down])

    ended = stage.outcome(**query)

    assert ended.connection_id is not None
    connection = stage.connection(ended.connection_id)
    assert ended.outcome is AttemptOutcome.CONNECTED
    assert connection.token_state is TokenState.UNKNOWN
    assert connection.token_reason == "Zoom gave no answer about this user."
    assert (connection.due_at - clock.now()).total_seconds() < 360


def test_a_scope_that_is_missing_is_named(lite: ConnectStage) -> None:
    lite.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    connection = lite.connect()

    assert connection.token_state is TokenState.MISSING_SCOPES
    assert "user:read:user" in connection.token_reason


def test_an_account_connects_without_a_user(
    runtime: Runtime, sandbox: RunningSandbox, database: Database
) -> None:
    stage = a_connect_stage(
        runtime, sandbox, database=database, kind=Kind.ACCOUNT_LEVEL
    )

    first, again = stage.connect(), stage.connect()

    assert first.id == again.id
    assert (first.zoom_user_id, first.pmi) == (None, None)
    assert first.zoom_account_id == stage.ana.account_id
