"""How grants of the simulated Zoom go on and end.

Source: docs/contracts/zoom.md 3.5 and 3.6.
"""

import pytest
from werkzeug.test import TestResponse

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomApp
from tests.fixtures.simulated_zoom import a_user, a_world, an_app, pair, tokens, web


def refresh(world: ZoomWorld, app: ZoomApp, token: str) -> TestResponse:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return web(world).post("/oauth/token", data=form, auth=pair(app))


def me(world: ZoomWorld, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return web(world).get("/v2/users/me", headers=headers).status_code


def test_a_refresh_kills_the_refresh_token_it_used() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    first = tokens(world, app, user)["refresh_token"]

    second = refresh(world, app, first).get_json()["refresh_token"]

    assert second != first
    again = refresh(world, app, first)
    assert again.status_code == 400
    assert again.get_json() == {"error": "invalid_grant", "reason": "Invalid Token!"}
    assert refresh(world, app, second).status_code == 200


def test_a_refresh_token_lasts_ninety_days() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    token = tokens(world, app, user)["refresh_token"]
    world.state.clock.advance(91 * 86400)

    assert refresh(world, app, token).get_json()["reason"] == "Invalid Token!"


def test_authorising_again_kills_the_earlier_grant() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    first = tokens(world, app, user)

    second = tokens(world, app, user)

    assert refresh(world, app, first["refresh_token"]).status_code == 400
    assert me(world, first["access_token"]) == 401
    assert me(world, second["access_token"]) == 200


def test_another_users_grant_survives() -> None:
    world = a_world()
    app, ana = an_app(world), a_user(world)
    ben = a_user(world, email="ben@example.com")
    anas = tokens(world, app, ana)

    tokens(world, app, ben)

    assert me(world, anas["access_token"]) == 200


def test_revoking_kills_both_tokens() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    got = tokens(world, app, user)
    form = {"token": got["access_token"]}

    answer = web(world).post("/oauth/revoke", data=form, auth=pair(app))

    assert (answer.status_code, answer.get_json()) == (200, {"status": "success"})
    assert me(world, got["access_token"]) == 401
    assert refresh(world, app, got["refresh_token"]).status_code == 400


def test_revoking_with_a_bearer_is_an_invalid_client() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    token = tokens(world, app, user)["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    answer = web(world).post("/oauth/revoke", data={"token": token}, headers=headers)

    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_client"


def test_revoking_takes_basic_credentials_only() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    form = {
        "token": tokens(world, app, user)["access_token"],
        "client_id": app.client_id,
        "client_secret": app.client_secret,
    }

    assert web(world).post("/oauth/revoke", data=form).status_code == 400


def test_client_credentials_prove_the_pair_and_bring_no_refresh_token() -> None:
    world = a_world()
    app = an_app(world)
    form = {"grant_type": "client_credentials"}

    answer = web(world).post("/oauth/token", data=form, auth=pair(app))

    assert answer.status_code == 200
    assert "refresh_token" not in answer.get_json()


@pytest.mark.parametrize("deed", ["uninstall", "deactivate"])
def test_a_user_who_left_leaves_dead_tokens(deed: str) -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    got = tokens(world, app, user)

    if deed == "uninstall":
        world.uninstall(app.client_id, user.id)
    else:
        world.deactivate_user(user.id)

    answer = refresh(world, app, got["refresh_token"])
    assert answer.get_json() == {"error": "invalid_grant", "reason": "Invalid Token!"}
    assert me(world, got["access_token"]) == 401
