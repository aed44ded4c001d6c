"""Each app's and each grant's own host of Zoom; the settings' where neither has one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlmodel import select

from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.grants import ZoomGrants
from dashboard.clients.zoom.marketplace import ZoomMarketplace
from dashboard.clients.zoom.marketplace_apps import ZoomMarketplaceApps
from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.clients.zoom.subscriptions import ZoomSubscriptions
from dashboard.models.connection import AttemptOutcome, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp, ZoomCloud
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.connections import check
from dashboard.services.grants import refreshing
from dashboard.services.marketplace import delivery_log, subscriptions
from dashboard.services.marketplace.delivery_log import State
from dashboard.services.rotation import at_zoom as secrets_by_api
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import ZoomAppChanges
from dashboard.services.zoom_apps.credential_checks import WrongCredentialsError
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.exchange_here import a_holding_stage, at_zoom
from tests.fixtures.invitations import go, invite
from tests.fixtures.ports import free_ports
from tests.makers import CLIENT_SECRET, a_zoom_app

ACTOR = audit.Actor(name="admin@example.com")
CLIENTS = (
    *(ZoomOAuth, ZoomGrants, ZoomApi, ZoomSubscriptions, ZoomMarketplace),
    ZoomMarketplaceApps,
)


@pytest.fixture
def government(
    runtime: Runtime, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    """One whose commercial Zoom is dead, and Zoom for Government the simulated one."""
    for kind in CLIENTS:
        monkeypatch.setattr(kind, "government_url", sandbox.zoom_url)
    [port] = free_ports(1)
    dead = f"http://127.0.0.1:{port}"
    made = {
        "zoom_oauth": ZoomOAuth(dead),
        "zoom_grants": ZoomGrants(dead),
        "zoom": ZoomApi(dead),
        "zoom_subscriptions": ZoomSubscriptions(dead),
        "zoom_marketplace": ZoomMarketplace(dead),
        "zoom_marketplace_apps": ZoomMarketplaceApps(dead),
    }
    yield replace(runtime, **made)  # type: ignore[arg-type]  # a client each
    for client in made.values():
        client.close()


def of_government(stage: ConnectStage) -> ConnectStage:
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        app.zoom_cloud = ZoomCloud.GOVERNMENT
        session.add(app)
    return stage


def test_with_tokens_stored_here_every_call_goes_to_the_apps_zoom(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.zoom_world.switch(api_url="absent")
    with a_holding_stage(government, sandbox) as stage:
        of_government(stage)
        assert stage.begin().authorize_url.startswith(f"{sandbox.zoom_url}/oauth/")

        row = stage.connect()
        assert row.token_state is TokenState.HEALTHY

        credential_checks.check_again(stage.runtime, stage.app.id)
        with stage.runtime.database.reading() as session:
            app = session.get_one(ZoomApp, stage.app.id)
        assert app.verdict is Verdict.RIGHT
        refreshing.live_token(stage.runtime, row.id, at_least_s=3601)
        refreshing.revoke(stage.runtime, row, app)
        assert at_zoom(stage) is None


def test_with_tokens_at_recall_the_check_goes_there_too(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    stage = of_government(a_connect_stage(government, sandbox))

    row = check.now(stage.runtime, stage.connect().id)

    assert row.token_state is TokenState.HEALTHY


def test_whose_account_a_code_was_for_is_read_there(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    stage = of_government(a_connect_stage(government, sandbox))

    attempt = go(stage, invite(stage, "ana@example.com"), stage.ana)

    assert attempt.outcome is AttemptOutcome.CONNECTED


def test_a_grant_that_is_not_used_is_ended_there(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    ben = sandbox.zoom_world.add_user(email="ben@example.com")
    sandbox.zoom_world.switch(api_url="absent")
    with a_holding_stage(government, sandbox) as stage:
        of_government(stage)

        attempt = go(stage, invite(stage, "ana@example.com"), ben)

        assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
        assert at_zoom(stage, ben) is None


def test_the_apps_own_token_is_of_that_zoom(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    stage = of_government(a_connect_stage(government, sandbox))
    stage.connect()
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        app.marketplace_app_id = sandbox.zoom_world.state.app(app.client_id).app_id
        session.add(app)

    seen = subscriptions.read(stage.runtime, stage.app.id, actor=ACTOR)

    assert seen.reason.startswith("Zoom has no event subscription")
    assert delivery_log.read(stage.runtime, app.id, actor=ACTOR) is State.READ


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the hosts that the API is asked at, and ask the simulated one."""
    found: list[str] = []

    def at(self: ZoomApi, base_url: str) -> ZoomApi:
        found.append(base_url)
        return self

    monkeypatch.setattr(ZoomApi, "at", at)
    return found


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("regional", "https://api-eu.zoom.us"),
        ("foreign", ""),
        ("own", ""),
        ("absent", ""),
    ],
)
def test_a_grant_is_used_at_the_host_that_came_with_it(
    runtime: Runtime, sandbox: RunningSandbox, asked: list[str], named: str, used: str
) -> None:
    sandbox.zoom_world.switch(api_url=named)
    with a_holding_stage(runtime, sandbox) as stage:
        row = stage.connect()
        during = set(asked)
        asked.clear()
        check.now(stage.runtime, row.id)
        with stage.runtime.database.reading() as session:
            stored = session.exec(select(HeldGrant.api_url)).one()

    assert stored == used
    assert during == set(asked) == ({used} if used else set())


def test_a_refresh_that_names_another_host_moves_the_grant(
    runtime: Runtime, sandbox: RunningSandbox, asked: list[str]
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        row = stage.connect()
        sandbox.zoom_world.switch(api_url="regional")

        refreshing.live_token(stage.runtime, row.id, at_least_s=3601)
        stage.runtime.clock.advance(seconds=30)  # type: ignore[attr-defined]  # a FakeClock
        refreshing.live_token(stage.runtime, row.id, at_least_s=3601)

        with stage.runtime.database.reading() as session:
            assert session.exec(select(HeldGrant.api_url)).one() == (
                "https://api-eu.zoom.us"
            )
    assert asked == []


def an_app_there(runtime: Runtime, sandbox: RunningSandbox) -> ZoomApp:
    """Save an app that only the simulated Zoom knows, as one of commercial Zoom."""
    there = sandbox.zoom_world.add_app(
        name="Notetaker", client_secret=CLIENT_SECRET.get_secret_value()
    )
    row = a_zoom_app(runtime.vault, client_id=there.client_id)
    with runtime.database.writing() as session:
        session.add(row)
    return row


def moved(runtime: Runtime, row: ZoomApp, cloud: ZoomCloud | None) -> ZoomApp:
    changes = ZoomAppChanges(name="Moved", routing=row.routing, zoom_cloud=cloud)
    credential_checks.change(runtime, row.id, changes, actor=ACTOR)
    with runtime.database.reading() as session:
        return apps.get(session, row.id)


def test_the_service_of_an_app_is_changed_once_it_accepts_the_pair(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    row = an_app_there(government, sandbox)

    renamed = moved(government, row, None)
    seen = moved(government, row, ZoomCloud.GOVERNMENT)

    assert (renamed.zoom_cloud, renamed.verdict) == (row.zoom_cloud, row.verdict)
    assert (seen.zoom_cloud, seen.verdict) == (ZoomCloud.GOVERNMENT, Verdict.RIGHT)
    with government.database.reading() as session:
        newest = session.exec(AUDIT_LOG).all()[-1]
    assert newest.subject.endswith("; Zoom service: government")


def test_a_service_that_does_not_know_the_app_changes_nothing(
    runtime: Runtime, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZoomOAuth, "government_url", sandbox.zoom_url)
    row = a_zoom_app(runtime.vault)
    with runtime.database.writing() as session:
        session.add(row)

    with pytest.raises(WrongCredentialsError, match="Nothing was changed") as caught:
        moved(runtime, row, ZoomCloud.GOVERNMENT)

    with runtime.database.reading() as session:
        kept = apps.get(session, row.id)
    assert caught.value.field == "cloud"
    assert (kept.zoom_cloud, kept.name) == (ZoomCloud.COMMERCIAL, row.name)


def test_a_service_that_cannot_be_asked_is_saved_as_unverified(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    row = an_app_there(government, sandbox)
    moved(government, row, ZoomCloud.GOVERNMENT)

    seen = moved(government, row, ZoomCloud.COMMERCIAL)  # nobody answers there

    assert (seen.zoom_cloud, seen.verdict) == (ZoomCloud.COMMERCIAL, Verdict.UNKNOWN)


def test_a_new_client_secret_is_asked_of_the_apps_zoom(
    government: Runtime, sandbox: RunningSandbox
) -> None:
    there = sandbox.zoom_world.add_app(
        name="Notetaker",
        published=True,
        client_secret=CLIENT_SECRET.get_secret_value(),
    )
    row = a_zoom_app(
        government.vault,
        client_id=there.client_id,
        marketplace_app_id=there.app_id,
        zoom_cloud=ZoomCloud.GOVERNMENT,
    )
    with government.database.writing() as session:
        session.add(row)

    secrets_by_api.rotate(government, row.id, actor=ACTOR)

    with government.database.reading() as session:
        stored = apps.client_secret(government.vault, apps.get(session, row.id))
    assert stored.get_secret_value() == there.client_secret
