"""Whose grant a code turned out to be, and what is kept of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.connection import AttemptOutcome, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect.callbacks import ReturnedAttempt
from dashboard.services.connect.exchange_here import ExchangeHere, GrantedHere
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage
from tests.fixtures.exchange_here import (
    a_holding_stage,
    at_zoom,
    everything,
    grant_of,
    lives,
)
from tests.fixtures.invitations import go, invite, reconnect_link

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
