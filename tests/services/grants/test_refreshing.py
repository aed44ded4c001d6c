"""A held grant is renewed by one at a time, and nothing Zoom gave is lost."""

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.grants import GrantTokens, ZoomGrants
from dashboard.db import Database
from dashboard.errors import GrantLostError, NotFoundError, StorageError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import check
from dashboard.services.grants import refreshing
from dashboard.services.grants.refresh_claims import RefreshResult
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
PATIENT_S = 60.0
"""For many threads on a busy machine; nothing here takes as long."""


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox, database: Database) -> HeldStage:
    return a_held_stage(runtime, sandbox, database=database)


def pair_of(held: HeldStage) -> tuple[Verdict, datetime | None]:
    """Return what Zoom said last of the app's pair, and when."""
    with held.runtime.database.reading() as session:
        app = session.get_one(ZoomApp, held.stage.app.id)
    return app.verdict, app.checked_at


def test_a_token_with_time_left_is_given_as_it_is(
    held: HeldStage, clock: FakeClock
) -> None:
    before = held.live_token()
    later(held, clock, minutes=58)

    assert held.live_token() == before
    assert held.grant().version == 1


def test_one_with_less_than_two_minutes_is_renewed_first(
    held: HeldStage, clock: FakeClock
) -> None:
    before = held.live_token()
    later(held, clock, **SOON_OVER)

    assert held.live_token() != before
    assert held.grant().version == 2
    assert held.grant().lease_until is None
    assert held.lives()


def test_it_is_renewed_for_whoever_needs_it_longer(held: HeldStage) -> None:
    held.live_token(at_least_s=3601)

    assert held.grant().version == 2


def test_many_threads_that_need_it_at_once_make_one_refresh(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, **SOON_OVER)
    held.strike(FaultKind.LATE_ANSWER, seconds=0.05)
    got: list[str] = []
    threads = [
        Thread(target=lambda: got.append(held.live_token(wait_s=PATIENT_S)))
        for _ in range(20)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 20
    assert len(set(got)) == 1
    assert held.grant().version == 2
    assert held.lives()


def test_while_another_process_renews_it_is_waited_for_and_not_asked_again(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, **SOON_OVER)
    claim = claimed(held, clock)
    got: list[str] = []
    waiting = Thread(target=lambda: got.append(held.live_token(wait_s=PATIENT_S)))
    waiting.start()

    assert kept(held, claim, clock) is RefreshResult.STORED
    waiting.join()

    assert held.grant().version == 2
    assert len(got) == 1


def test_nobody_waits_longer_than_patience_has(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, **SOON_OVER)
    claimed(held, clock)

    with pytest.raises(UpstreamError, match="being refreshed") as caught:
        held.live_token(wait_s=0.05)

    assert caught.value.retryable


class DeletedMeanwhile(ZoomGrants):
    """A client whose user is deleted here while Zoom answers."""

    def __init__(self, held: HeldStage) -> None:
        super().__init__(
            held.runtime.settings.zoom_url,
            http=make_http(held.runtime.settings.zoom_url, timeout_s=5),
        )
        self._held = held

    def refresh(self, **asked: Any) -> GrantTokens:
        tokens = super().refresh(**asked)
        with self._held.runtime.database.writing() as session:
            session.delete(session.get_one(Connection, self._held.connection_id))
        return tokens


def test_what_comes_for_a_deleted_connection_is_revoked(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, **SOON_OVER)

    held.renew(replace(held.runtime, zoom_grants=DeletedMeanwhile(held)))

    assert held.at_zoom() is None


def test_a_wrong_pair_is_the_admins_and_touches_no_user(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, **SOON_OVER)
    before = held.connection().model_dump(exclude={"search_text"})
    app = held.stage.app
    held.stage.sandbox.zoom_world.change_app(app.client_id, client_secret="another")

    with pytest.raises(UpstreamError) as caught:
        held.live_token()

    assert pair_of(held) == (Verdict.WRONG, clock.now())
    assert caught.value.code == "invalid_client"
    assert held.grant().lost_at is None
    assert held.connection().model_dump(exclude={"search_text"}) == before
    assert held.grant().refresh_due_at >= clock.now() + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("activation", "code", "begins"),
    [
        ("disabled", "app_disabled", "Zoom has switched this app off"),
        ("disabled_bare", "app_disabled", "Zoom has switched this app off"),
        ("odd", "client_refused", "Zoom refused the pair and said"),
        ("unauthorized", "unauthorized_client", "Zoom refused the app and said"),
    ],
)
def test_an_app_that_zoom_refuses_is_the_admins_and_kept_with_its_reason(
    held: HeldStage, clock: FakeClock, activation: str, code: str, begins: str
) -> None:
    later(held, clock, **SOON_OVER)
    before = held.connection().model_dump(exclude={"search_text"})
    held.stage.sandbox.zoom_world.switch(app_activation=activation)

    with pytest.raises(UpstreamError) as caught:
        held.live_token()

    with held.runtime.database.reading() as session:
        app = session.get_one(ZoomApp, held.stage.app.id)
    assert caught.value.code == code
    assert app.verdict is Verdict.UNKNOWN
    assert app.verdict_reason.startswith(begins)
    assert held.grant().lost_at is None
    assert held.connection().model_dump(exclude={"search_text"}) == before


@pytest.mark.parametrize(
    "kind", [FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE, FaultKind.DOWN]
)
def test_trouble_at_zoom_is_nobodys_and_is_tried_again_later(
    held: HeldStage, clock: FakeClock, kind: FaultKind
) -> None:
    later(held, clock, **SOON_OVER)
    held.strike(kind)

    with pytest.raises(UpstreamError):
        held.live_token()
    with pytest.raises(UpstreamError, match="not refreshed this token yet") as caught:
        held.live_token()  # Zoom is not asked again so soon

    assert caught.value.retry_after_s is not None
    assert held.grant().failures == 1
    assert held.connection().token_state is TokenState.HEALTHY
    later(held, clock, seconds=5)
    held.live_token()
    assert held.grant().failures == 0
    assert held.lives()


def test_failures_back_off_up_to_five_minutes(
    held: HeldStage, clock: FakeClock
) -> None:
    held.strike(FaultKind.UNAVAILABLE, times=12)
    pauses = []
    for _ in range(9):
        with pytest.raises(UpstreamError):
            held.renew()
        pauses.append((held.grant().refresh_due_at - clock.now()).total_seconds())

    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_refused_refresh_is_the_users_and_is_not_tried_again(
    held: HeldStage, clock: FakeClock
) -> None:
    world, app = held.stage.sandbox.zoom_world, held.stage.app
    world.revoke_grant(app.client_id, held.stage.ana.id)
    later(held, clock, **SOON_OVER)

    with pytest.raises(GrantLostError):
        held.live_token()

    assert held.connection().token_state is TokenState.RECONNECT_NEEDED
    assert refreshing.DueRefreshes(held.runtime)() == 0


def test_what_is_due_is_renewed_and_nothing_else(
    held: HeldStage, clock: FakeClock
) -> None:
    assert refreshing.DueRefreshes(held.runtime)() == 0
    later(held, clock, minutes=45)

    assert refreshing.DueRefreshes(held.runtime)() == 1
    held.runtime.flights.wait()

    assert held.grant().version == 2
    assert refreshing.DueRefreshes(held.runtime)() == 0


class ClosedNow:
    """A database that cannot be written the next so many times."""

    def __init__(self, database: Database, times: int) -> None:
        self._database, self.times, self.after = database, times, 1

    def reading(self) -> object:
        return self._database.reading()

    def writing(self) -> object:
        if self.after == 0 and self.times > 0:
            self.times -= 1
            raise StorageError("The database is busy; nothing was stored.")
        self.after = max(0, self.after - 1)
        return self._database.writing()


def test_a_pair_that_cannot_be_stored_at_once_is_stored_a_little_later(
    held: HeldStage,
) -> None:
    closed = ClosedNow(held.runtime.database, 3)
    pauses: list[float] = []
    runtime = replace(held.runtime, database=closed)  # type: ignore[arg-type]

    refreshing.refresh(runtime, held.connection_id, 1, pause=pauses.append)

    assert len(pauses) == 3
    assert held.lives()


def test_the_scopes_of_the_token_are_noted(held: HeldStage) -> None:
    held.stage.sandbox.zoom_world.state.grants[-1].scopes = ["user:read:user"]

    held.renew()

    assert held.connection().scopes == "user:read:user"


def test_however_many_scopes_a_token_has_all_are_noted(held: HeldStage) -> None:
    grant = held.stage.sandbox.zoom_world.state.grants[-1]
    required = sorted(grant.scopes)
    many = [f"contact_center:read:some_very_long_name_{n}:admin" for n in range(120)]
    grant.scopes = [*many, *required]

    held.renew()

    assert (held.connection().scopes or "").split() == sorted([*many, *required])
    check.now(held.runtime, held.connection_id)
    assert held.connection().token_state is not TokenState.MISSING_SCOPES


def test_a_connection_without_a_grant_here_has_no_token(held: HeldStage) -> None:
    with pytest.raises(NotFoundError):
        refreshing.live_token(held.runtime, held.stage.app.id)


def test_after_a_mended_pair_the_grants_of_the_app_are_renewed_within_a_minute(
    held: HeldStage, clock: FakeClock
) -> None:
    later(held, clock, **SOON_OVER)
    held.stage.sandbox.zoom_world.change_app(
        held.stage.app.client_id, client_secret="another-secret-0002"
    )
    with pytest.raises(UpstreamError):
        held.live_token()
    mended = held.runtime.vault.seal_text(
        SecretStr("another-secret-0002"),
        table="zoom_app",
        column="client_secret",
        row=held.stage.app.id,
    )
    with held.runtime.database.writing() as session:
        session.get_one(ZoomApp, held.stage.app.id).client_secret = mended
    later(held, clock, minutes=1)

    refreshing.DueRefreshes(held.runtime)()
    held.runtime.flights.wait()

    assert held.lives()
    assert held.grant().failures == 0
    assert pair_of(held) == (Verdict.RIGHT, clock.now())


def test_a_grant_that_cannot_be_opened_is_logged_once_and_when_renewals_go_on(
    held: HeldStage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "_CALM_S", 0.0)
    chore = refreshing.DueRefreshes(held.runtime)
    intact = held.grant().refresh_token

    with capture_logs() as logs:
        for refresh_token in (b"spoiled", b"spoiled", intact):
            later(held, clock, hours=1)
            held.set(refresh_token=refresh_token)
            chore()
            held.runtime.flights.wait()

    events = [(one["event"], one.get("connection_id")) for one in logs]
    assert events == [
        ("grant.not_renewed", str(held.connection_id)),
        ("grant.renewals_go_on", None),
    ]
    assert held.lives()
