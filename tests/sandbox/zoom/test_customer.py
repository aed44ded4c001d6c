"""The customer's own token server (docs/contracts/recall.md 5)."""

from typing import Any

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.customer import KEY
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from tests.fixtures.simulated_zoom import tokens, web


def ask(world: ZoomWorld, app: ZoomApp, user: str, key: str = KEY) -> Any:
    query = {"user": user, "auth_token": key}
    return web(world).get(f"/customer/{app.client_id}/token", query_string=query)


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_it_hands_out_a_token_that_zoom_accepts(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    app.scopes = ["user:read:user"]

    answer = ask(world, app, user.id)

    me = web(world).get("/v2/users/me", headers=bearing(answer.text))
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert me.get_json()["id"] == user.id


def test_it_keeps_the_users_grant(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    mine = tokens(world, app, user)

    ask(world, app, user.id)

    grant = world.state.active_grant(app.client_id, user.id)
    assert grant is not None
    assert grant.refresh_token == mine["refresh_token"]


def test_strangers_and_wrong_keys_get_none(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    assert ask(world, app, "nobody").status_code == 404
    assert ask(world, app, user.id, key="x").status_code == 401


@pytest.mark.parametrize(
    ("mode", "answered"),
    [
        ("no_token", (503, "n")),
        ("json", (200, "{")),
        ("quoted", (200, '"')),
        ("error_in_200", (200, "E")),
        ("redirect", (302, "<")),
    ],
)
def test_its_mistakes_are_switches(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser, mode: str, answered: tuple[int, str]
) -> None:
    world.switch(customer=mode)

    answer = ask(world, app, user.id)

    assert (answer.status_code, answer.text[:1]) == answered


def test_it_may_be_open_to_strangers_or_fail_for_them(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    world.switch(customer="open")
    assert ask(world, app, "nobody").status_code == 200
    world.switch(customer="error_for_unknown")
    assert ask(world, app, "nobody").status_code == 500
    assert ask(world, app, user.id).status_code == 200
