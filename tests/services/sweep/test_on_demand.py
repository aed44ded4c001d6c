"""A question starts a check: one a minute per connection, within the limits."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from dashboard.clients.recall.operations import Operation
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import check
from dashboard.services.recall.rate_limits import RateLimiter, scope_of
from dashboard.services.runtime import Runtime
from dashboard.services.sweep.on_demand import OnDemandChecks
from dashboard.vault import fingerprint
from tests.fixtures.connect import REGION, ConnectStage
from tests.makers import API_KEY, FakeClock


@pytest.fixture
def checks(stage: ConnectStage) -> Iterator[OnDemandChecks]:
    made = OnDemandChecks(stage.runtime)
    yield made
    made.close()


@pytest.fixture
def ana(stage: ConnectStage, clock: FakeClock) -> UUID:
    """Ana, whose check of ten minutes ago nothing has followed."""
    row = stage.connect()
    clock.advance(minutes=10)
    stage.sandbox.clock.set(clock.now())
    return row.id


def asked(stage: ConnectStage) -> int:
    """How often Recall was asked for a token."""
    counts = stage.sandbox.recall_world.rate_limiter.counts()
    found = [
        one for one in counts if one["operation"] == Operation.CREDENTIALS_ACCESS_TOKEN
    ]
    return sum(int(one["asked"]) for one in found)


def ask(checks: OnDemandChecks, *ids: UUID) -> None:
    checks.begin(ids)
    checks.wait(ids)


def test_a_question_checks_a_connection_once_a_minute(
    stage: ConnectStage, checks: OnDemandChecks, ana: UUID, clock: FakeClock
) -> None:
    before = asked(stage)
    for _ in range(20):
        ask(checks, ana)
    within = asked(stage)
    clock.advance(seconds=61)
    stage.sandbox.clock.set(clock.now())
    ask(checks, ana)

    assert within == before + 1
    assert asked(stage) == before + 2
    assert stage.connection(ana).token_checked_at == clock.now()
    assert not checks.is_running([ana])


def test_a_credential_that_recall_calls_unhealthy_is_tried_there_first(
    stage: ConnectStage, checks: OnDemandChecks, ana: UUID, clock: FakeClock
) -> None:
    for _ in range(3):
        stage.sandbox.recall_world.record_failure(stage.credentials()[0], "Simulated.")
    ask(checks, ana)
    marked = stage.connection(ana)
    clock.advance(seconds=61)
    stage.sandbox.clock.set(clock.now())

    ask(checks, ana)

    assert marked.token_state is TokenState.UNHEALTHY_IN_RECALL
    assert stage.connection(ana).token_state is TokenState.HEALTHY


def test_people_keep_their_share_of_recalls_rate_limit(
    runtime: Runtime,
    stage: ConnectStage,
    checks: OnDemandChecks,
    ana: UUID,
    clock: FakeClock,
) -> None:
    limiter = RateLimiter(runtime.database, runtime.clock)  # where the clients count
    operation = Operation.CREDENTIALS_ACCESS_TOKEN
    scope = scope_of(REGION, fingerprint(API_KEY))
    for _ in range(int(operation.a_minute * 0.61)):
        limiter.take(scope, operation, yields=False)
    before = asked(stage)

    ask(checks, ana)

    assert asked(stage) == before
    limiter.take(scope, operation, yields=False)  # there is room for a person
    assert checks.missed([ana]).startswith("The connection couldn't be checked just")
    clock.advance(seconds=61)
    checks.begin([stage.app.id])
    assert checks.missed([ana]) == ""


def test_no_check_of_an_app_whose_pair_is_in_doubt(
    stage: ConnectStage, checks: OnDemandChecks, ana: UUID, clock: FakeClock
) -> None:
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        app.pair_doubted_at = clock.now() - timedelta(minutes=1)
    before = asked(stage)

    ask(checks, ana)

    assert asked(stage) == before


def test_a_check_under_way_elsewhere_is_not_done_twice(
    stage: ConnectStage, checks: OnDemandChecks, ana: UUID, clock: FakeClock
) -> None:
    with stage.runtime.database.writing() as session:
        row = session.get_one(Connection, ana)
        row.lease_until = clock.now() + timedelta(minutes=1)
    before = asked(stage)

    ask(checks, ana)

    assert checks.is_running([ana])
    assert asked(stage) == before


def test_a_check_of_the_token_alone_is_not_all_that_a_question_needs(
    stage: ConnectStage, checks: OnDemandChecks, ana: UUID, clock: FakeClock
) -> None:
    stage.sandbox.sync_meetings()
    stage.sandbox.sync_meetings()
    check.now(stage.runtime, ana)
    clock.advance(minutes=2)
    stage.sandbox.clock.set(clock.now())
    check.run(stage.runtime, ana)
    routine = stage.connection(ana)

    ask(checks, ana)
    of_the_user = stage.connection(ana)
    checks.begin([ana], has_meeting=True)
    checks.wait([ana])

    assert of_the_user.mappings_seen_at == routine.mappings_seen_at
    assert routine.token_checked_at == clock.now()
    assert routine.mappings_seen_at != clock.now()
    assert stage.connection(ana).mappings_seen_at == clock.now()


def test_who_got_no_token_is_checked_again_however_soon(
    stage: ConnectStage, checks: OnDemandChecks, ana: UUID, clock: FakeClock
) -> None:
    stage.sandbox.recall_world.set_switches({"refusal_words": "plain"})
    ben = stage.connect(stage.sandbox.zoom_world.add_user(email="ben@example.com"))
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    clock.advance(hours=2)  # the tokens that Recall had end
    stage.sandbox.clock.set(clock.now())
    check.now(stage.runtime, ana)
    first = stage.connection(ana)
    check.now(stage.runtime, ben.id)

    ask(checks, ana)

    assert first.token_cause is TokenCause.NO_TOKEN
    assert stage.connection(ana).token_state is TokenState.RECONNECT_NEEDED
