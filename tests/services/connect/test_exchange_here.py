"""Token storage `dashboard`: the code is exchanged here, and whose grant it is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.grants import GrantTokens
from dashboard.db import Database
from dashboard.errors import (
    ConflictError,
    NotFoundError,
    StorageError,
    UpstreamError,
)
from dashboard.models.connection import AttemptOutcome, Connection, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, TokenCustody
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect.callbacks import ReturnedAttempt
from dashboard.services.connect.exchange_here import ExchangeHere, GrantedHere
from dashboard.services.connections import check
from dashboard.services.grants import grants
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage
from tests.fixtures.exchange_here import (
    a_holding_stage,
    at_zoom,
    break_recall,
    callback_of,
    custody,
    everything,
    grant_of,
    lives,
)
from tests.fixtures.invitations import go, invite, reconnect_link
from tests.makers import FakeClock

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


def test_however_many_scopes_are_granted_none_is_called_missing(
    lite: ConnectStage,
) -> None:
    many = [f"contact_center:read:some_very_long_name_{n}:admin" for n in range(120)]
    for app in lite.sandbox.zoom_world.state.apps.values():
        app.scopes = [*many, *app.scopes]

    connection = lite.connect()

    names = (connection.scopes or "").split()
    assert len(names) > len(many)
    assert set(many) < set(names)
    assert "user:read:user" in names
    assert connection.token_state is not TokenState.MISSING_SCOPES


def test_without_the_profile_the_token_itself_tells_who_it_is(
    lite: ConnectStage,
) -> None:
    first = lite.connect()
    lite.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    again = lite.connect()

    assert again.id == first.id
    assert again.token_state is TokenState.MISSING_SCOPES


def test_an_account_is_one_connection_whoever_of_it_consents(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL) as stage:
        first = stage.connect()
        again = stage.connect()

        assert again.id == first.id
        assert again.zoom_account_id == stage.ana.account_id
        assert again.zoom_user_id is None
        assert again.token_state is TokenState.HEALTHY


class SpendsBefore(ExchangeHere):
    """Spends its code, then another browser of the same user finishes first."""

    def __init__(
        self, stage: ConnectStage, late: dict[str, str], attempt: ReturnedAttempt
    ) -> None:
        super().__init__(stage.runtime, attempt)
        self._stage, self._late = stage, late

    def _spend(self) -> GrantedHere:
        granted = super()._spend()
        self._stage.finish(**self._late)
        return granted


class FailsOnce:
    """The database, which cannot be written to at one time."""

    def __init__(self, database: Database, *, at: int) -> None:
        self._database = database
        self._left = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def writing(self) -> Any:
        self._left -= 1
        if self._left == 0:
            raise StorageError("The disk is full.")
        return self._database.writing()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_pair_is_stored_once_though_the_database_fails(
    lite: ConnectStage, at: int
) -> None:
    attempt = lite.come_back(lite.allow(lite.begin()))
    failing: Any = FailsOnce(lite.runtime.database, at=at)
    runtime = replace(lite.runtime, database=failing)

    made = ExchangeHere(runtime, attempt).run(pause=lambda _: None)

    connection = everything(lite)[0][0]
    assert (made, connection.reconnected_at) == (connection.id, None)
    assert grant_of(lite, connection).version == 1
    assert lives(lite, connection)


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
    attempt = lite.come_back(early)
    early_exchange = SpendsBefore(lite, late, attempt)

    assert early_exchange.run() is None

    assert lives(lite, first)
    assert grant_of(lite, first).version == 2
    assert lite.attempt(attempt.id).outcome is AttemptOutcome.UNREACHABLE


def test_attempts_say_which_connection_they_made(lite: ConnectStage) -> None:
    begun = lite.begin()
    attempt = lite.outcome(**lite.allow(begun))

    with lite.runtime.database.reading() as session:
        query = select(HeldGrant.connection_id).where(col(HeldGrant.version) == 1)
        held: UUID | None = session.exec(query).first()
    assert attempt.connection_id == held
    assert (attempt.outcome, attempt.detail) == (AttemptOutcome.CONNECTED, "")


def exchanged(
    stage: ConnectStage, exchange: type[ExchangeHere] = ExchangeHere
) -> Connection:
    """Exchange a code of Ana's without the health check that follows."""
    attempt = stage.come_back(stage.allow(stage.begin()))
    made = exchange(stage.runtime, attempt).run()
    assert made is not None
    return stage.connection(made)


class Nameless(ExchangeHere):
    """Zoom's profile has no name and no email this time, and another PMI."""

    def _spend(self) -> GrantedHere:
        granted = super()._spend()
        assert granted.profile is not None
        profile = granted.profile.model_copy(
            update={"display_name": "", "email": "", "pmi": 5550000002}
        )
        return replace(granted, profile=profile)


def test_the_profile_is_stored_with_the_grant(
    lite: ConnectStage, clock: FakeClock
) -> None:
    first = exchanged(lite)
    clock.advance(minutes=1)
    again = exchanged(lite, Nameless)

    for row in (first, again):
        assert (row.display_name, row.email) == ("Ana Nowak", "ana@example.com")
    assert again.token_expires_at == grant_of(lite, again).expires_at
    assert (first.pmi, first.pmi_seen_at) == (5551234567, first.connected_at)
    assert (again.pmi, again.previous_pmi) == (5550000002, 5551234567)
    assert again.pmi_changed_at == again.pmi_seen_at == clock.now()
    assert (first.lease_until, first.due_at) == (None, first.connected_at)


def test_of_an_account_no_pmi_is_stored(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL) as stage:
        assert exchanged(stage).pmi is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConflictError("Recall has another one."), "Recall has another one."),
        (NotFoundError("connection"), "There is no such connection."),
        (
            UpstreamError("Recall refused.", service="Recall", detail="No room."),
            "Recall refused: No room.",
        ),
    ],
)
def test_the_sweep_leaves_a_connection_alone_while_it_is_registered_at_recall(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    seen: list[Connection] = []

    def register(_: Runtime, connection_id: UUID) -> None:
        seen.append(lite.connection(connection_id))
        raise error

    monkeypatch.setattr(grants, "register", register)

    row = exchanged(lite)

    assert [one.lease_until for one in seen] == [row.due_at + check.LEASE]
    assert row.lease_until is None
    assert row.token_reason == f"Recall does not know this connection yet. {said}"


def test_a_check_that_began_meanwhile_keeps_its_lease(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = lite.runtime.clock.now() + timedelta(hours=1)

    def register(_: Runtime, connection_id: UUID) -> None:
        with lite.runtime.database.writing() as session:
            row = session.get_one(Connection, connection_id)
            row.claim, row.lease_until = row.claim + 1, until

    monkeypatch.setattr(grants, "register", register)

    assert exchanged(lite).lease_until == until


def test_a_connection_that_is_deleted_meanwhile_is_not_touched(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def register(_: Runtime, connection_id: UUID) -> None:
        with lite.runtime.database.writing() as session:
            session.delete(grants.get(session, connection_id))
            session.flush()
            session.delete(session.get_one(Connection, connection_id))

    monkeypatch.setattr(grants, "register", register)
    attempt = lite.come_back(lite.allow(lite.begin()))

    ExchangeHere(lite.runtime, attempt).run()

    assert everything(lite) == ([], [])


def test_a_new_grant_outdates_the_refresh_that_runs(lite: ConnectStage) -> None:
    connection = exchanged(lite)
    with lite.runtime.database.writing() as session:
        grant = grants.get(session, connection.id)
        grant.claim, grant.lease_until = 4, lite.runtime.clock.now()

    exchanged(lite)

    grant = grant_of(lite, connection)
    assert (grant.claim, grant.lease_until, grant.version) == (5, None, 2)


def test_a_refused_account_is_refused_though_zoom_cannot_revoke_its_grant(
    lite: ConnectStage,
) -> None:
    ben = lite.sandbox.zoom_world.add_user(email="ben@example.com")
    down = Fault(kind=FaultKind.DOWN, path="/oauth/revoke", times=10)
    lite.sandbox.zoom_faults.set([down])

    attempt = go(lite, invite(lite, "ana@example.com"), ben)

    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert at_zoom(lite, ben) is not None


@pytest.mark.parametrize(
    ("tokens", "profile"),
    [
        ({"user_id": None, "account_id": None}, {}),
        ({"user_id": "another"}, {}),
        ({}, {"account_id": None}),
    ],
    ids=["tokens say nothing", "the profile decides", "no account in the profile"],
)
def test_who_consented_is_read_from_the_profile_or_else_from_the_tokens(
    lite: ConnectStage,
    monkeypatch: pytest.MonkeyPatch,
    tokens: dict[str, str | None],
    profile: dict[str, str | None],
) -> None:
    me = ZoomApi.me
    monkeypatch.setattr(
        ZoomApi, "me", lambda api, token: me(api, token).model_copy(update=profile)
    )
    for name, value in tokens.items():
        monkeypatch.setattr(GrantTokens, name, value)

    row = exchanged(lite)

    assert (row.zoom_user_id, row.zoom_account_id) == (
        lite.ana.id,
        lite.ana.account_id,
    )


def test_a_user_is_known_without_the_account(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = ZoomApi.me
    without = {"account_id": None}
    monkeypatch.setattr(
        ZoomApi, "me", lambda api, token: me(api, token).model_copy(update=without)
    )
    monkeypatch.setattr(GrantTokens, "account_id", None)

    row = exchanged(lite)

    assert (row.zoom_user_id, row.zoom_account_id) == (lite.ana.id, None)


def test_a_link_for_an_email_is_used_by_the_account_of_that_email(
    lite: ConnectStage,
) -> None:
    attempt = go(lite, invite(lite, "ana@example.com"), lite.ana)

    assert attempt.outcome is AttemptOutcome.CONNECTED


def test_while_the_profile_cannot_be_read_a_link_for_an_email_is_not_used(
    lite: ConnectStage,
) -> None:
    down = Fault(kind=FaultKind.UNAVAILABLE, path="/v2/users/me", times=10)
    lite.sandbox.zoom_faults.set([down])

    attempt = go(lite, invite(lite, "ana@example.com"), lite.ana)

    assert attempt.outcome is AttemptOutcome.UNREACHABLE
    assert attempt.detail.startswith("The profile could not be read: ")
