"""Connect attempts with token storage `dashboard`: the grant is stored here."""

from collections.abc import Iterator
from typing import Literal

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.connection import AttemptOutcome, Connection, TokenState
from dashboard.models.zoom_app import TokenCustody
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import check
from dashboard.services.grants import grants
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage
from tests.fixtures.exchange_here import (
    a_holding_stage,
    break_recall,
    callback_of,
    custody,
    everything,
    grant_of,
    lives,
)

Mode = Literal["upsert", "upsert_200", "conflict"]


@pytest.fixture
def stage(
    runtime: Runtime, sandbox: RunningSandbox, database: Database
) -> Iterator[ConnectStage]:
    with a_holding_stage(runtime, sandbox, database=database) as made:
        yield made


@pytest.fixture
def lite(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[ConnectStage]:
    """The same on SQLite alone."""
    with a_holding_stage(runtime, sandbox) as made:
        yield made


def test_a_user_connects_and_recall_gets_the_token_here(stage: ConnectStage) -> None:
    connection = stage.connect()

    assert connection.token_custody is TokenCustody.DASHBOARD
    assert connection.token_state is TokenState.HEALTHY
    assert (connection.email, connection.pmi) == ("ana@example.com", 5551234567)
    assert "user:read:user" in (connection.scopes or "").split()
    key_hash = grants.hashed(callback_of(stage))
    assert grant_of(stage, connection).key_hash == key_hash
    assert str(connection.recall_credential_id) == stage.credentials()[0].id
    assert lives(stage, connection)


def test_the_code_is_never_recalls(lite: ConnectStage) -> None:
    lite.connect()

    assert lite.credentials()[0].grant.refresh_token is None


@pytest.mark.parametrize("mode", ["upsert", "upsert_200", "conflict"])
def test_the_same_user_again_keeps_connection_and_address(
    stage: ConnectStage, mode: Mode
) -> None:
    first = stage.connect()
    key = callback_of(stage)
    stage.sandbox.recall_world.switches.reconnect = mode

    again = stage.connect()

    assert again.id == first.id
    assert again.recall_credential_id == first.recall_credential_id
    assert callback_of(stage) == key
    assert grant_of(stage, again).version == 2
    assert again.token_state is TokenState.HEALTHY
    assert lives(stage, again)


@pytest.mark.parametrize("mode", ["upsert", "conflict"])
def test_a_credential_gone_from_recall_comes_back_with_another_address(
    lite: ConnectStage, mode: Mode
) -> None:
    first = lite.connect()
    key = callback_of(lite)
    lite.sandbox.recall_world.remove_credential(lite.credentials()[0])
    lite.sandbox.recall_world.switches.reconnect = mode

    again = lite.connect()

    assert again.id == first.id
    assert callback_of(lite) != key
    assert again.token_state is TokenState.HEALTHY


@pytest.mark.parametrize("mode", ["upsert", "conflict"])
def test_a_connection_that_recall_held_becomes_ours_by_a_new_consent(
    lite: ConnectStage, mode: Mode
) -> None:
    custody(lite, TokenCustody.RECALL)
    first = lite.connect()
    assert lite.credentials()[0].access_token_callback_url is None
    custody(lite, TokenCustody.DASHBOARD)
    lite.sandbox.recall_world.switches.reconnect = mode

    again = lite.connect()

    assert again.id == first.id
    assert again.token_custody is TokenCustody.DASHBOARD
    assert callback_of(lite)
    assert lives(lite, again)


def test_and_the_other_way_round_nothing_of_it_is_kept_here(
    lite: ConnectStage,
) -> None:
    first = lite.connect()
    custody(lite, TokenCustody.RECALL)

    again = lite.connect()

    assert again.id == first.id
    assert again.token_custody is TokenCustody.RECALL
    assert everything(lite)[1] == []
    assert lite.credentials()[0].access_token_callback_url is None
    assert again.token_state is TokenState.HEALTHY


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.HALF_ANSWER])
@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_answer_of_recall_makes_one_credential(
    lite: ConnectStage, kind: FaultKind, times: int
) -> None:
    break_recall(lite, kind, times=times)

    connection = lite.connect()

    assert len(lite.credentials()) == 1
    assert str(connection.recall_credential_id) == lite.credentials()[0].id


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.UNAVAILABLE])
def test_an_answer_lost_once_is_asked_for_again(
    lite: ConnectStage, kind: FaultKind
) -> None:
    connection = lite.connect()
    lite.sandbox.recall_world.remove_credential(lite.credentials()[0])
    break_recall(lite, kind)

    made = grants.register(lite.runtime, connection.id)

    assert [one.id for one in lite.credentials()] == [str(made)]


def test_a_credential_that_nobody_here_knows_makes_way(lite: ConnectStage) -> None:
    world = lite.sandbox.recall_world
    custody(lite, TokenCustody.RECALL)
    lite.connect()
    with lite.runtime.database.writing() as session:
        for row in session.exec(select(Connection)).all():
            session.delete(row)
    by_hand = lite.credentials()[0]
    custody(lite, TokenCustody.DASHBOARD)
    world.switches.reconnect = "conflict"

    connection = lite.connect()

    assert by_hand.id not in world.credentials
    assert callback_of(lite)
    assert connection.token_state is TokenState.HEALTHY


def test_a_credential_deleted_in_recall_is_made_again_by_the_next_look(
    lite: ConnectStage,
) -> None:
    connection = lite.connect()
    lite.sandbox.recall_world.remove_credential(lite.credentials()[0])

    seen = check.now(lite.runtime, connection.id)

    assert seen.token_state is TokenState.HEALTHY
    assert [one.id for one in lite.credentials()] == [str(seen.recall_credential_id)]
    assert lives(lite, connection)


def test_of_a_lost_grant_recall_is_not_told(lite: ConnectStage) -> None:
    connection = lite.connect()
    lite.sandbox.recall_world.remove_credential(lite.credentials()[0])
    with lite.runtime.database.writing() as session:
        held = grants.get(session, connection.id)
        held.lost_at = lite.runtime.clock.now()

    seen = check.now(lite.runtime, connection.id)

    assert seen.token_state is TokenState.RECONNECT_NEEDED
    assert lite.credentials() == []


def test_while_recall_is_down_the_grant_is_kept_and_told_later(
    lite: ConnectStage,
) -> None:
    break_recall(lite, FaultKind.UNAVAILABLE, times=4)
    begun = lite.begin()

    attempt = lite.outcome(**lite.allow(begun))

    assert attempt.outcome is AttemptOutcome.CONNECTED
    assert attempt.connection_id is not None
    waiting = lite.connection(attempt.connection_id)
    assert waiting.token_state is TokenState.UNKNOWN
    assert "Recall" in waiting.token_reason
    assert lite.credentials() == []
    check.now(lite.runtime, attempt.connection_id)
    assert lite.connection(attempt.connection_id).token_state is TokenState.HEALTHY
    assert len(lite.credentials()) == 1


def test_a_code_that_zoom_refuses_is_zooms_refusal(lite: ConnectStage) -> None:
    query = lite.allow(lite.begin())
    lite.code(query["code"]).used = True

    attempt = lite.outcome(**query)

    assert attempt.outcome is AttemptOutcome.REFUSED_BY_ZOOM
    assert everything(lite) == ([], [])


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.LOST_ANSWER])
def test_an_answer_of_zoom_that_is_lost_is_nobodys_fault(
    lite: ConnectStage, kind: FaultKind
) -> None:
    query = lite.allow(lite.begin())
    lite.sandbox.zoom_faults.set([Fault(kind=kind, path="/oauth/token", times=1)])

    attempt = lite.outcome(**query)

    assert attempt.outcome is AttemptOutcome.UNREACHABLE
    assert everything(lite) == ([], [])


def test_a_public_url_too_long_for_recall_spends_no_code(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        far = f"{stage.runtime.public_url}/{'a' * 150}"
        query = stage.allow(stage.begin())
        object.__setattr__(stage.runtime, "public_url", far)

        attempt = stage.outcome(**query)

        assert "shorter DASHBOARD_PUBLIC_URL" in attempt.detail
        assert not stage.code(query["code"]).used
