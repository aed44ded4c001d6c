"""Trips under custody `dashboard`: the grant is kept here, and Recall told where."""

from collections.abc import Iterator
from typing import Literal
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.connection import AttemptOutcome, Connection, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import callbacks, connections, held_grants, holding, registering
from dashboard.services.bundle import Services
from dashboard.services.callbacks import Callback, Trip
from tests.connect_stage import BROWSER, ConnectStage
from tests.holding_stage import a_holding_stage, at_zoom, grant_of, lives
from tests.invitation_stage import go, invite, reconnect_link

Mode = Literal["upsert", "upsert_200", "conflict"]


@pytest.fixture
def stage(
    services: Services, sandbox: RunningSandbox, database: Database
) -> Iterator[ConnectStage]:
    with a_holding_stage(services, sandbox, database=database) as made:
        yield made


@pytest.fixture
def lite(services: Services, sandbox: RunningSandbox) -> Iterator[ConnectStage]:
    """The same on SQLite alone."""
    with a_holding_stage(services, sandbox) as made:
        yield made


def callback_of(stage: ConnectStage) -> str:
    """Return the key in the address that Recall asks for its one credential."""
    [credential] = stage.credentials()
    url = credential.access_token_callback_url
    assert url is not None
    assert url.startswith(f"{stage.services.public_url}/tokens/")
    return url.rpartition("/")[2]


def everything(stage: ConnectStage) -> tuple[list[Connection], list[HeldGrant]]:
    with stage.services.database.reading() as session:
        rows = session.exec(select(Connection)).all()
        return list(rows), list(session.exec(select(HeldGrant)).all())


def break_recall(stage: ConnectStage, kind: FaultKind, *, times: int = 1) -> None:
    path = "/api/v2/zoom-oauth-credentials/"
    fault = Fault(kind=kind, path=path, method="POST", times=times)
    stage.sandbox.recall_faults.set([fault])


def test_a_user_connects_and_recall_gets_the_token_here(stage: ConnectStage) -> None:
    connection = stage.connect()

    assert connection.token_custody is TokenCustody.DASHBOARD
    assert connection.token_state is TokenState.HEALTHY
    assert (connection.email, connection.pmi) == ("ana@example.com", 5551234567)
    assert "user:read:user" in (connection.scopes or "").split()
    key_hash = held_grants.hashed(callback_of(stage))
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


def custody(stage: ConnectStage, value: TokenCustody) -> None:
    with stage.services.database.writing() as session:
        session.get_one(ZoomApp, stage.app.id).token_custody = value
    stage.app.token_custody = value


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

    made = registering.register(lite.services, connection.id)

    assert [one.id for one in lite.credentials()] == [str(made)]


def test_a_credential_that_nobody_here_knows_makes_way(lite: ConnectStage) -> None:
    world = lite.sandbox.recall_world
    custody(lite, TokenCustody.RECALL)
    lite.connect()
    with lite.services.database.writing() as session:
        for row in session.exec(select(Connection)).all():
            session.delete(row)
    by_hand = lite.credentials()[0]
    custody(lite, TokenCustody.DASHBOARD)
    world.switches.reconnect = "conflict"

    connection = lite.connect()

    assert by_hand.id not in world.credentials
    assert callback_of(lite)
    assert connection.token_state is TokenState.HEALTHY


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
    connections.refresh(lite.services, attempt.connection_id)
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
    services: Services, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(services, sandbox) as stage:
        far = f"{stage.services.public_url}/{'a' * 150}"
        query = stage.allow(stage.begin())
        object.__setattr__(stage.services, "public_url", far)

        attempt = stage.outcome(**query)

        assert "shorter DASHBOARD_PUBLIC_URL" in attempt.detail
        assert not stage.code(query["code"]).used


def test_another_account_than_the_links_is_refused_and_its_grant_revoked(
    stage: ConnectStage,
) -> None:
    ben = stage.sandbox.zoom_world.add_user(email="ben@example.com")

    attempt = go(stage, invite(stage, "ana@example.com"), ben)

    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert everything(stage) == ([], [])
    assert at_zoom(stage, ben) is None
    assert stage.credentials() == []


def test_a_refused_account_that_is_a_connection_of_ours_keeps_working(
    lite: ConnectStage,
) -> None:
    ben = lite.sandbox.zoom_world.add_user(email="ben@example.com")
    anas, bens = lite.connect(), lite.connect(ben)

    attempt = go(lite, reconnect_link(lite, anas), ben)

    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert attempt.connection_id is None
    assert grant_of(lite, bens).version == 2
    assert lives(lite, bens)
    assert grant_of(lite, anas).version == 1


def test_missing_scopes_are_named(lite: ConnectStage) -> None:
    lacking = "meeting:read:local_recording_token"
    lite.sandbox.zoom_world.switch(withheld_scopes=[lacking])

    attempt = lite.outcome(**lite.allow(lite.begin()))

    assert attempt.outcome is AttemptOutcome.CONNECTED
    assert attempt.detail == f"Zoom did not grant {lacking}."


def test_without_the_profile_the_token_itself_tells_who_it_is(
    lite: ConnectStage,
) -> None:
    first = lite.connect()
    lite.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    again = lite.connect()

    assert again.id == first.id
    assert again.token_state is TokenState.MISSING_SCOPES


def test_an_account_is_one_connection_whoever_of_it_consents(
    services: Services, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(services, sandbox, kind=Kind.ACCOUNT_LEVEL) as stage:
        first = stage.connect()
        again = stage.connect()

        assert again.id == first.id
        assert again.zoom_account_id == stage.ana.account_id
        assert again.zoom_user_id is None
        assert again.token_state is TokenState.HEALTHY


def test_of_two_consents_at_once_the_later_one_counts(stage: ConnectStage) -> None:
    first = stage.connect()
    one, two = stage.allow(stage.begin()), stage.allow(stage.begin())

    stage.outcome(**one)
    stage.outcome(**two)

    assert everything(stage)[0][0].id == first.id
    assert lives(stage, first)


def test_a_late_exchange_does_not_put_a_dead_pair_in_place_of_a_living_one(
    lite: ConnectStage,
) -> None:
    first = lite.connect()
    early, late = lite.allow(lite.begin()), lite.allow(lite.begin())
    with lite.services.database.writing() as session:
        came = Callback(
            state=early["state"], code=early["code"], error=None, browser=BROWSER
        )
        trip = callbacks.take(
            session, lite.services.vault, came, now=lite.services.clock.now()
        )
    assert isinstance(trip, Trip)
    got = holding._exchanged(lite.services, trip)
    lite.finish(**late)

    assert holding._settle(lite.services, trip, got) is None

    assert lives(lite, first)
    assert grant_of(lite, first).version == 2
    assert lite.attempt(trip.attempt_id).outcome is AttemptOutcome.UNREACHABLE


def test_trips_say_which_connection_they_made(lite: ConnectStage) -> None:
    begun = lite.begin()
    attempt = lite.outcome(**lite.allow(begun))

    with lite.services.database.reading() as session:
        query = select(HeldGrant.connection_id).where(col(HeldGrant.version) == 1)
        held: UUID | None = session.exec(query).first()
    assert attempt.connection_id == held
