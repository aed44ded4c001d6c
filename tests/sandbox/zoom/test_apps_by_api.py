"""Apps by API: created from a manifest, deleted, secrets rotated (zoom.md 12)."""

from collections import deque
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from werkzeug.test import TestResponse

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.oauth import SERVER_APP
from dashboard.sandbox.zoom.records import ZoomApp
from tests.fixtures.simulated_zoom import HOOK, Endpoint, a_world, an_app, pair, web
from tests.sandbox.zoom.test_manifest import a_manifest, without

APPS = "/v2/marketplace/apps"


@pytest.fixture
def world() -> ZoomWorld:
    return a_world(Endpoint())


def ask(
    world: ZoomWorld, method: str, path: str, body: Any = None, token: str = ""
) -> TestResponse:
    bearer = token or world.issue_marketplace_token()
    return web(world).open(
        path, method=method, json=body, headers={"Authorization": f"Bearer {bearer}"}
    )


def a_creation(**over: Any) -> dict[str, Any]:
    manifest = without(a_manifest(), "features", "event_subscription")
    return {
        "app_type": "general",
        "app_name": "Notetaker",
        "contact_name": "Ana Nowak",
        "contact_email": "ana@example.com",
        "company_name": "Acme",
        "manifest": manifest,
        **over,
    }


@pytest.mark.parametrize(
    ("form", "status", "where"),
    [
        ("development_credentials", 201, "development_credentials"),
        ("credentials", 200, "credentials"),
        ("id_only", 200, None),
    ],
)
def test_an_app_is_created_with_the_development_pair(
    world: ZoomWorld, form: str, status: int, where: str | None
) -> None:
    world.switch(app_creation=form)

    answer = ask(world, "POST", APPS, a_creation())

    (app,) = world.state.apps.values()
    pair = {"client_id": app.client_id, "client_secret": app.client_secret}
    said = answer.get_json()
    assert (answer.status_code, said["app_id"]) == (status, app.app_id)
    assert [said[name] for name in said if "credentials" in name] == (
        [pair] if where else []
    )
    assert app.secret_token not in answer.text
    assert (app.name, app.environment, app.webhook_url) == (
        "Notetaker",
        "development",
        None,
    )
    assert "user:read:user" in app.scopes


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "a manifest that is wrong": (
        a_creation(manifest=a_manifest(usage="ACCOUNT_OPERATION")),
        400,
        "invalid_manifest",
    ),
    "no contact": (a_creation(contact_email=""), 400, "contact_email"),
    "another type": (a_creation(app_type="s2s_oauth"), 400, "app_type"),
    "a webhook URL that does not answer": (
        a_creation(manifest=a_manifest()),
        400,
        HOOK,
    ),
}


@pytest.mark.parametrize(
    ("body", "status", "said"), REFUSED.values(), ids=REFUSED.keys()
)
def test_what_is_refused_leaves_no_app(
    body: dict[str, Any], status: int, said: str
) -> None:
    world = a_world(Endpoint(answers=deque([httpx2.Response(500)] * 4)))

    answer = ask(world, "POST", APPS, body)

    assert answer.status_code == status
    assert said in answer.text
    assert not world.state.apps


def test_an_account_may_deny_it(world: ZoomWorld) -> None:
    world.switch(app_creation="denied")

    answer = ask(world, "POST", APPS, a_creation())

    assert (answer.status_code, answer.get_json()["message"]) == (401, "Access Denied")
    assert not world.state.apps


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", APPS),
        ("DELETE", f"{APPS}/x"),
        ("POST", f"{APPS}/x/rotate_client_secret"),
    ],
)
def test_a_token_that_may_only_read_is_refused(
    world: ZoomWorld, method: str, path: str
) -> None:
    reader = world.issue_marketplace_token(["marketplace:read:app:admin"])

    answer = ask(world, method, path, a_creation(), token=reader)

    assert answer.get_json()["code"] == 4711


@pytest.mark.parametrize(
    ("what", "field"),
    [("scopes", "scopes"), ("redirect_url", "redirect_url"), ("events", "events")],
)
def test_an_import_may_silently_leave_something_out(
    world: ZoomWorld, what: str, field: str
) -> None:
    world.switch(manifest_forgets=what)

    answer = ask(world, "POST", APPS, a_creation())

    (app,) = world.state.apps.values()
    assert answer.status_code == 201
    assert not getattr(app, field)


def test_an_app_says_what_it_is_and_is_deleted(world: ZoomWorld) -> None:
    app = an_app(world)
    path = f"{APPS}/{app.app_id}"

    about, gone = ask(world, "GET", path), ask(world, "DELETE", path)

    assert about.get_json()["app_name"] == app.name
    assert (gone.status_code, gone.data) == (200, b"")
    assert ask(world, "GET", path).status_code == 404


def own_token(world: ZoomWorld, app: ZoomApp) -> str:
    form = {"grant_type": "client_credentials"}
    answer = web(world).post("/oauth/token", data=form, auth=pair(app))
    return str(answer.get_json()["access_token"])


def rotate(world: ZoomWorld, app: ZoomApp, body: dict[str, str]) -> TestResponse:
    path = f"{APPS}/{app.app_id}/rotate_client_secret"
    return ask(world, "POST", path, body, token=own_token(world, app))


def test_an_app_rotates_no_other_apps_secret(world: ZoomWorld) -> None:
    app, other = an_app(world), world.add_app(name="Other")
    body = {"action": "new", "revoke_old_secret_time": "2030-01-01T00:00:00Z"}
    path = f"{APPS}/{other.app_id}/rotate_client_secret"

    answer = ask(world, "POST", path, body, token=own_token(world, app))

    assert (answer.status_code, answer.get_json()["code"]) == (404, 1401)


def test_a_server_app_gets_a_token_for_its_account_only(world: ZoomWorld) -> None:
    def asked(account_id: str, secret: str) -> TestResponse:
        form = {"grant_type": "account_credentials", "account_id": account_id}
        auth = (SERVER_APP, secret)
        return web(world).post("/oauth/token", data=form, auth=auth)

    mine, secret = world.state.account_id, world.state.server_app_secret
    token = asked(mine, secret).get_json()["access_token"]

    assert asked(mine, "x").get_json()["error"] == "invalid_client"
    assert asked("x", secret).get_json()["error"] == "invalid_request"
    assert ask(world, "POST", APPS, a_creation(), token=token).status_code == 201


def test_a_rotated_secret_leaves_the_old_one_valid_for_a_while(
    world: ZoomWorld,
) -> None:
    app = an_app(world)
    old = app.client_secret
    until = world.state.now() + timedelta(hours=1)
    body = {"action": "new", "revoke_old_secret_time": until.isoformat()}

    answer = rotate(world, app, body)

    new = answer.get_json()["new_secret"]
    assert new == app.client_secret != old
    assert [_works(world, app.client_id, one) for one in (old, new)] == [True, True]
    world.state.clock.advance(3601)
    assert [_works(world, app.client_id, one) for one in (old, new)] == [False, True]


def _works(world: ZoomWorld, client_id: str, client_secret: str) -> bool:
    answer = web(world).post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client_id, client_secret),
    )
    return answer.status_code == 200


@pytest.mark.parametrize(
    ("switch", "status"), [("without_secret", 200), ("denied", 403)]
)
def test_a_rotation_may_hide_the_secret_or_be_denied(
    world: ZoomWorld, switch: str, status: int
) -> None:
    app = an_app(world)
    old = app.client_secret
    world.switch(rotation=switch)
    body = {"action": "new", "revoke_old_secret_time": "2030-01-01T00:00:00Z"}

    answer = rotate(world, app, body)

    assert answer.status_code == status
    assert "new_secret" not in answer.text
    assert (app.client_secret == old) is (switch == "denied")


@pytest.mark.parametrize(
    "body", [{}, {"action": "new"}, {"action": "old", "revoke_old_secret_time": "x"}]
)
def test_a_rotation_without_its_fields_changes_nothing(
    world: ZoomWorld, body: dict[str, str]
) -> None:
    app = an_app(world)
    old = app.client_secret

    answer = rotate(world, app, body)

    assert answer.status_code == 400
    assert app.client_secret == old


def test_the_marketplace_shows_a_server_app_and_its_token(world: ZoomWorld) -> None:
    page = web(world).post("/marketplace/token").text

    issued = next(iter(world.state.grants[-1].access))
    shown = (issued, world.state.account_id, world.state.server_app_secret, SERVER_APP)
    assert all(value in page for value in shown)
