"""Claims of held grants: crashes, late answers, reconnects, twins."""

from threading import Event

import pytest

from dashboard.db import Database
from dashboard.errors import GrantLostError
from dashboard.models.connection import TokenState
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.grants import grants, refresh_claims, refreshing
from dashboard.services.grants.refresh_claims import (
    ANSWERS_WITHIN,
    LEASE,
    RefreshResult,
)
from dashboard.services.runtime import Runtime
from tests.fixtures.grants import (
    HeldStage,
    a_held_stage,
    claimed,
    kept,
    later,
)
from tests.makers import FakeClock

SOON_OVER = {"minutes": 58, "seconds": 1}


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox, database: Database) -> HeldStage:
    return a_held_stage(runtime, sandbox, database=database)


def test_what_a_process_got_after_its_lease_is_kept_all_the_same(
    held: HeldStage, clock: FakeClock
) -> None:
    claim = claimed(held, clock)
    tokens = held.runtime.zoom_grants.refresh(
        client_id=claim.app.client_id,
        client_secret=claim.client_secret,
        refresh_token=claim.refresh_token,
    )
    later(held, clock, seconds=LEASE.total_seconds())
    held.renew()  # another process: refused, for Zoom has rotated the token
    assert held.grant().lost_at is not None
    assert held.connection().token_state is TokenState.RECONNECT_NEEDED

    with held.runtime.database.writing() as session:
        came = refresh_claims.store(
            session, held.runtime.vault, claim, tokens, now=clock.now()
        )

    assert came is RefreshResult.FOUND
    assert held.grant().lost_at is None
    assert held.lives()


def test_a_refusal_while_the_earlier_answer_may_still_come_calls_nothing_lost(
    held: HeldStage, clock: FakeClock
) -> None:
    first = claimed(held, clock)
    held.runtime.zoom_grants.refresh(
        client_id=first.app.client_id,
        client_secret=first.client_secret,
        refresh_token=first.refresh_token,
    )
    held.set(lease_until=None)  # as if the lease were shorter than an answer takes
    later(held, clock, seconds=1)

    held.renew()

    row = held.grant()
    assert row.lost_at is None
    assert row.refresh_due_at == row.lease_until == first.asked_at + ANSWERS_WITHIN


def test_after_a_crash_between_answer_and_commit_the_user_must_reconnect(
    held: HeldStage, clock: FakeClock
) -> None:
    claim = claimed(held, clock)
    held.runtime.zoom_grants.refresh(
        client_id=claim.app.client_id,
        client_secret=claim.client_secret,
        refresh_token=claim.refresh_token,
    )
    later(held, clock, seconds=LEASE.total_seconds())

    refreshing.refresh_due(held.runtime)
    held.runtime.flights.wait()

    row = held.connection()
    assert row.token_state is TokenState.RECONNECT_NEEDED
    assert "never got Zoom's answer" in row.token_reason
    with pytest.raises(GrantLostError):
        held.live_token()


def test_a_crash_before_zoom_was_asked_costs_nothing(
    held: HeldStage, clock: FakeClock
) -> None:
    claimed(held, clock)
    later(held, clock, seconds=LEASE.total_seconds())

    refreshing.refresh_due(held.runtime)
    held.runtime.flights.wait()

    assert held.grant().version == 2
    assert held.lives()


def test_a_reconnect_during_a_refresh_wins(held: HeldStage, clock: FakeClock) -> None:
    claim = claimed(held, clock)
    late = held.runtime.zoom_grants.refresh(
        client_id=claim.app.client_id,
        client_secret=claim.client_secret,
        refresh_token=claim.refresh_token,
    )
    consented = held.consent()
    with held.runtime.database.writing() as session:
        row = grants.get(session, held.connection_id)
        grants.put(
            session,
            held.runtime.vault,
            row,
            consented,
            asked_at=clock.now(),
            now=clock.now(),
        )

    with held.runtime.database.writing() as session:
        came = refresh_claims.store(
            session, held.runtime.vault, claim, late, now=clock.now()
        )
        refused = refresh_claims.refused(session, claim, now=clock.now())

    assert (came, refused) == (RefreshResult.SUPERSEDED, RefreshResult.SUPERSEDED)
    assert held.grant().lost_at is None
    assert held.lives()


def test_a_later_claim_decides_about_a_refusal(
    held: HeldStage, clock: FakeClock
) -> None:
    first = claimed(held, clock)
    later(held, clock, seconds=LEASE.total_seconds())
    second = claimed(held, clock)

    with held.runtime.database.writing() as session:
        came = refresh_claims.refused(session, first, now=clock.now())

    assert came is RefreshResult.SUPERSEDED
    assert held.grant().lost_at is None
    assert kept(held, second, clock) is RefreshResult.STORED


def test_what_is_due_leaves_room_for_those_who_wait(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, minutes=58, seconds=1)
    flights, go = held.runtime.flights, Event()

    def slow() -> None:
        go.wait()

    for number in range(flights.room() - 8):
        flights.join(number, slow)

    begun = refreshing.refresh_due(held.runtime)
    held.live_token()
    go.set()

    assert begun == 0
    assert held.grant().version == 2
