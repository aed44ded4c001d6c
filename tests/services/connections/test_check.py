"""Looking at connections, and what connect attempts and staff do."""

from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.api import ZoomApi
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.audit import Actor
from dashboard.services.connect.exchange_at_recall import ExchangeAtRecall
from dashboard.services.connections import check
from dashboard.services.facts import connections as facts
from dashboard.services.sweep import sweep
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON, FakeClock, a_connection

ADMIN = Actor(name="admin@example.com")


def add(stage: ConnectStage, **over: object) -> Connection:
    row = a_connection(stage.app, **over)
    with stage.runtime.database.writing() as session:
        session.add(row)
    return row


def test_a_development_app_uninstalled_is_seen_though_recall_says_healthy(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)

    seen = check.now(stage.runtime, row.id)

    assert stage.credentials()[0].status == "healthy"
    assert seen.token_state is TokenState.RECONNECT_NEEDED
    assert "124" not in seen.token_reason
    assert seen.email == "ana@example.com"  # what is known is kept


def test_a_grant_that_cannot_be_refreshed_needs_the_user(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.revoke_grant(stage.app.client_id, stage.ana.id)
    stage.sandbox.clock.advance(3600)
    clock.advance(hours=1)

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is TokenState.RECONNECT_NEEDED
    assert "access-token" in seen.token_evidence


def test_a_token_that_recall_does_not_renew_is_expiring(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    stage.sandbox.recall_world.set_switches({"refresh_ahead": False})
    stage.sandbox.clock.advance(3600 - 200)
    assert row.token_expires_at is not None
    clock.set(row.token_expires_at - timedelta(seconds=200))

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is TokenState.EXPIRING


def test_a_token_that_a_clock_behind_makes_live_for_days_counts_half_an_hour(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(days=-3)

    seen = check.now(stage.runtime, row.id)

    assert facts.standing(seen, now=clock.now()).tone == "good"
    assert seen.due_at - clock.now() < timedelta(minutes=50)
    clock.advance(minutes=31)
    assert facts.standing(seen, now=clock.now()).tone != "good"


def test_a_credential_deleted_in_recall_needs_the_user(stage: ConnectStage) -> None:
    row = stage.connect()
    stage.sandbox.recall_world.remove_credential(stage.credentials()[0])

    seen = check.now(stage.runtime, row.id)

    assert seen.token_state is TokenState.RECONNECT_NEEDED
    assert "404" in seen.token_evidence


@pytest.mark.parametrize("side", ["recall", "zoom"])
@pytest.mark.parametrize(
    "kind", [FaultKind.UNAVAILABLE, FaultKind.HTML_403, FaultKind.PAGE, FaultKind.DOWN]
)
def test_in_an_outage_what_was_seen_stands_with_its_age(
    lite: ConnectStage, clock: FakeClock, kind: FaultKind, side: str
) -> None:
    row = lite.connect()
    faults = (
        lite.sandbox.recall_faults if side == "recall" else lite.sandbox.zoom_faults
    )
    path = "/api/v2/" if side == "recall" else "/v2/users/me"
    faults.set([Fault(kind=kind, path=path)])
    clock.advance(hours=6)
    lite.sandbox.clock.set(clock.now())

    with pytest.raises(UpstreamError):
        check.now(lite.runtime, row.id)

    seen = lite.connection(row.id)
    assert (seen.token_state, seen.token_reason) == (row.token_state, row.token_reason)
    assert (seen.display_name, seen.token_checked_at) == ("Ana Nowak", NOON)
    assert timedelta(minutes=5) <= seen.due_at - clock.now() <= timedelta(minutes=6)
    assert seen.lease_until is None


def test_a_sync_under_way_is_looked_at_soon(stage: ConnectStage) -> None:
    with stage.sandbox.recall_world.syncing:  # however long connecting takes
        row = stage.connect()

    assert row.sync_status in (SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS)
    assert row.due_at == NOON + timedelta(seconds=30)


def test_only_those_due_are_looked_at_longest_due_first(
    stage: ConnectStage,
) -> None:
    late = add(stage, due_at=NOON - timedelta(hours=2))
    later = add(stage, due_at=NOON - timedelta(hours=1))
    fresh = add(stage, due_at=NOON + timedelta(seconds=1))

    counts = [sweep.check_due(stage.runtime, limit=1) for _ in range(3)]

    states = [stage.connection(row.id).token_state for row in (late, later, fresh)]
    assert counts == [1, 1, 0]
    gone = TokenState.RECONNECT_NEEDED
    assert states == [gone, gone, TokenState.HEALTHY]


def test_one_connection_is_never_looked_at_twice_at_once(
    stage: ConnectStage, clock: FakeClock
) -> None:
    taken = add(stage, due_at=NOON, lease_until=NOON + timedelta(seconds=1))

    before = sweep.check_due(stage.runtime)
    refreshed = check.now(stage.runtime, taken.id)
    clock.advance(seconds=1)
    after = sweep.check_due(stage.runtime)

    assert (before, after) == (0, 1)
    assert refreshed.token_state is TokenState.HEALTHY  # as it stood: nobody asked


def test_a_slow_look_cannot_overwrite_what_came_after(stage: ConnectStage) -> None:
    row = stage.connect()

    def refuse_after_the_user_reconnected(_: httpx2.Request) -> httpx2.Response:
        stage.connect()
        return httpx2.Response(401, json={"code": 124, "message": "Invalid."})

    url = stage.sandbox.zoom_url
    transport = httpx2.MockTransport(refuse_after_the_user_reconnected)
    with make_http(url, transport=transport) as http:
        slow = replace(stage.runtime, zoom=ZoomApi(url, http=http))
        check.now(slow, row.id)

    assert stage.connection(row.id).token_state is TokenState.HEALTHY


def test_a_renewed_connection_waits_for_its_own_look(stage: ConnectStage) -> None:
    row = stage.connect()
    attempt = stage.come_back(stage.allow(stage.begin()))

    def refuse_while_the_user_reconnects(_: httpx2.Request) -> httpx2.Response:
        assert ExchangeAtRecall(stage.runtime, attempt).run() == row.id
        return httpx2.Response(401, json={"code": 124, "message": "Invalid."})

    url = stage.sandbox.zoom_url
    transport = httpx2.MockTransport(refuse_while_the_user_reconnects)
    with make_http(url, transport=transport) as http:
        slow = replace(stage.runtime, zoom=ZoomApi(url, http=http))
        check.now(slow, row.id)

    assert stage.connection(row.id).token_state is TokenState.UNKNOWN


def test_a_throttled_recall_is_left_alone(stage: ConnectStage) -> None:
    add(stage, due_at=NOON)
    add(stage, due_at=NOON)
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.RATE_LIMITED)])

    assert sweep.check_due(stage.runtime) == 1
