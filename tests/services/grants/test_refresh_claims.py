"""Claims of held grants: crashes, late answers, reconnects, twins."""

from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest

from dashboard.db import Database
from dashboard.errors import GrantLostError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import ZoomApp
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
from tests.makers import NOON, FakeClock, a_connection, a_zoom_app

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
    assert row.asked_at == first.asked_at
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

    refreshing.DueRefreshes(held.runtime)()
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

    refreshing.DueRefreshes(held.runtime)()
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

    begun = refreshing.DueRefreshes(held.runtime)()
    held.live_token()
    go.set()

    assert begun == 0
    assert held.grant().version == 2


def another(held: HeldStage, app: ZoomApp | None = None, **over: Any) -> UUID:
    """Add a grant of another user, due now unless said otherwise."""
    now = held.runtime.clock.now()
    values: dict[str, Any] = {
        "refresh_due_at": now,
        "expires_at": now,
        "obtained_at": now,
        **over,
    }
    row = a_connection(app or held.stage.app)
    with held.runtime.database.writing() as session:
        session.add(row)
        session.flush()
        session.add(
            HeldGrant(
                connection_id=row.id,
                key_hash=uuid4().hex,
                access_token=b"x",
                refresh_token=b"x",
                **values,
            )
        )
        return row.id


def test_the_longest_due_comes_first_and_what_is_lost_or_leased_never(
    held: HeldStage, clock: FakeClock
) -> None:
    now, minute = clock.now(), timedelta(minutes=1)
    newest = another(held)
    oldest = another(held, refresh_due_at=now - 2 * minute)
    middle = another(held, refresh_due_at=now - minute, lease_until=now)
    another(held, refresh_due_at=now + minute)
    another(held, lost_at=now)
    another(held, lease_until=now + minute)

    with held.runtime.database.reading() as session:
        found = refresh_claims.due(session, limit=10, now=now)
        first = refresh_claims.due(session, limit=1, now=now)

    assert found == [(oldest, 1), (middle, 1), (newest, 1)]
    assert first == [(oldest, 1)]


def test_wrong_credentials_put_off_the_free_grants_of_their_app_alone(
    held: HeldStage, clock: FakeClock
) -> None:
    now, minute = clock.now(), timedelta(minutes=1)
    other = a_zoom_app(held.runtime.vault, workspace_id=held.stage.app.workspace_id)
    with held.runtime.database.writing() as session:
        session.add(other)
    free = another(held)
    later_anyway = another(held, refresh_due_at=now + 2 * minute)
    leased = another(held, lease_until=now + minute)
    of_another_app = another(held, other)
    claim = claimed(held, clock)
    error = UpstreamError("Zoom refused.", service="Zoom", code="invalid_client")

    with held.runtime.database.writing() as session:
        refresh_claims.failed(session, claim, error, now=now)

    with held.runtime.database.reading() as session:
        due_in = [
            grants.get(session, each).refresh_due_at - now
            for each in (
                held.connection_id,
                free,
                later_anyway,
                leased,
                of_another_app,
            )
        ]
    assert due_in == [minute, minute, 2 * minute, timedelta(0), timedelta(0)]


@pytest.mark.parametrize(
    ("waited", "result"),
    [
        (ANSWERS_WITHIN - timedelta(seconds=1), RefreshResult.WAITS),
        (ANSWERS_WITHIN, RefreshResult.LOST),
    ],
)
def test_an_earlier_answer_is_waited_for_until_its_call_has_ended(
    held: HeldStage, clock: FakeClock, waited: timedelta, result: RefreshResult
) -> None:
    claim = replace(claimed(held, clock), asked_before=clock.now() - waited)

    with held.runtime.database.writing() as session:
        came = refresh_claims.refused(session, claim, now=clock.now())

    assert came is result
    assert (held.grant().lost_at is not None) is (result is RefreshResult.LOST)


@pytest.mark.parametrize(
    ("detail", "evidence"),
    [
        ("Token is revoked.", "Zoom's answer to a refresh: Token is revoked."),
        (None, "Zoom's answer to a refresh: Zoom refused."),
        ("x" * 300, "Zoom's answer to a refresh: " + "x" * 272),
    ],
)
def test_a_lost_grant_says_why_and_drops_the_check_that_runs(
    held: HeldStage, clock: FakeClock, detail: str | None, evidence: str
) -> None:
    claim = claimed(held, clock)
    with held.runtime.database.writing() as session:
        row = session.get_one(Connection, held.connection_id)
        row.claim, row.lease_until = 4, clock.now()
    error = UpstreamError("Zoom refused.", service="Zoom", detail=detail)

    with held.runtime.database.writing() as session:
        refresh_claims.mark_lost(session, claim, error, now=clock.now())

    row = held.connection()
    assert row.token_state is TokenState.RECONNECT_NEEDED
    assert row.token_reason == refresh_claims.LOST_GRANT
    assert row.token_evidence == evidence
    assert row.token_checked_at == row.due_at == clock.now()
    assert (row.claim, row.lease_until) == (5, None)
    assert row.token_since == clock.now()


def test_a_lost_answer_is_dated(held: HeldStage, clock: FakeClock) -> None:
    claim = replace(claimed(held, clock), asked_before=clock.now())
    error = UpstreamError("Zoom refused.", service="Zoom")

    with held.runtime.database.writing() as session:
        refresh_claims.mark_lost(session, claim, error, now=clock.now())

    asked = f"asked at {clock.now():%Y-%m-%d %H:%M:%S} UTC and never got Zoom's answer"
    assert asked in held.connection().token_reason


@pytest.mark.parametrize(
    ("changes", "is_claimed"),
    [
        ({}, True),
        ({"lease_until": NOON}, True),
        ({"lease_until": NOON + timedelta(seconds=1)}, False),
        ({"version": 2}, False),
        ({"lost_at": NOON}, False),
    ],
    ids=["free", "lease over", "leased", "another version", "lost"],
)
def test_only_a_free_grant_of_this_version_is_claimed(
    held: HeldStage, changes: dict[str, Any], *, is_claimed: bool
) -> None:
    held.set(**changes)

    with held.runtime.database.writing() as session:
        claim = refresh_claims.claim(
            session, held.runtime.vault, held.connection_id, version=1, now=NOON
        )

    assert (claim is not None) is is_claimed
    if set(changes) <= {"lease_until"}:
        free = HeldGrant(**({"lease_until": None} | changes))
        assert refresh_claims.is_free(free, now=NOON) is is_claimed


def refusal(**facts: Any) -> UpstreamError:
    return UpstreamError("x" * 301, service="Zoom", **facts)


@pytest.mark.parametrize("may_have_happened", [True, False])
def test_a_failure_says_why_and_when_zoom_was_asked(
    held: HeldStage, clock: FakeClock, *, may_have_happened: bool
) -> None:
    before = clock.now() - timedelta(hours=1)
    claim = replace(claimed(held, clock), asked_before=before)
    error = refusal(may_have_happened=may_have_happened)
    later(held, clock, seconds=2)

    with held.runtime.database.writing() as session:
        refresh_claims.failed(session, claim, error, now=clock.now())

    row = held.grant()
    assert row.asked_at == (claim.asked_at if may_have_happened else before)
    assert (row.failed_at, row.failure) == (clock.now(), "x" * 300)
    assert (row.failures, row.lease_until) == (1, None)


@pytest.mark.parametrize("newer", [{"version": 2}, {"claim": 9}])
def test_a_failure_of_an_outdated_refresh_changes_nothing(
    held: HeldStage, clock: FakeClock, newer: dict[str, int]
) -> None:
    claim = claimed(held, clock)
    held.set(**newer)
    before = held.grant()

    with held.runtime.database.writing() as session:
        refresh_claims.failed(session, claim, refusal(), now=clock.now())

    assert held.grant() == before


def test_a_failure_of_a_grant_that_is_deleted_meanwhile_is_none(
    held: HeldStage, clock: FakeClock
) -> None:
    claim = claimed(held, clock)
    with held.runtime.database.writing() as session:
        session.delete(grants.get(session, held.connection_id))

    with held.runtime.database.writing() as session:
        refresh_claims.failed(session, claim, refusal(), now=clock.now())
        refused = refresh_claims.refused(session, claim, now=clock.now())

    assert refused is RefreshResult.GONE


@pytest.mark.parametrize("was_lost", [True, False])
def test_a_grant_that_was_thought_lost_is_checked_again(
    held: HeldStage, clock: FakeClock, *, was_lost: bool
) -> None:
    now = clock.now()
    with held.runtime.database.writing() as session:
        row = session.get_one(Connection, held.connection_id)
        row.claim, row.lease_until, row.due_at = 4, now, now + timedelta(hours=1)
        row.note_state(TokenState.RECONNECT_NEEDED, "Lost.", evidence="x", at=now)
    later(held, clock, minutes=1)
    tokens = held.consent()

    with held.runtime.database.writing() as session:
        refresh_claims.mark_renewed(
            session, held.connection_id, tokens, was_lost=was_lost, now=clock.now()
        )

    row = held.connection()
    assert row.scopes == tokens.scope
    if not was_lost:
        assert (row.token_state, row.claim) == (TokenState.RECONNECT_NEEDED, 4)
        return
    assert (row.token_state, row.token_since) == (TokenState.UNKNOWN, clock.now())
    assert row.token_reason == refresh_claims._SAVED
    assert row.token_evidence == refresh_claims._SAVED_BY
    assert (row.claim, row.lease_until, row.due_at) == (5, None, clock.now())
