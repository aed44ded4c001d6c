"""Requests for pre-approval (docs/contracts/zoom.md 5.10)."""

from typing import Any

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from tests.fixtures.simulated_zoom import a_code, pair, web


@pytest.fixture
def refused(world: ZoomWorld, app: ZoomApp, user: ZoomUser) -> ZoomUser:
    """A user who tried to add the app and was told to ask their admin."""
    world.switch(pre_approval=True)
    with pytest.raises(RefusedError, match="Request pre-approval"):
        a_code(world, app, user)
    return user


def ask(world: ZoomWorld, app: ZoomApp, method: str = "GET", **body: Any) -> Any:
    form = {"grant_type": "client_credentials"}
    token = web(world).post("/oauth/token", data=form, auth=pair(app)).get_json()
    return web(world).open(
        f"/v2/marketplace/apps/{app.app_id}/requests",
        method=method,
        json=body or None,
        headers={"Authorization": f"Bearer {token['access_token']}"},
    )


def test_who_was_refused_is_listed_once_and_may_come_back_once_approved(
    world: ZoomWorld, app: ZoomApp, refused: ZoomUser
) -> None:
    with pytest.raises(RefusedError):
        a_code(world, app, refused)
    [row] = ask(world, app).get_json()["requests"]
    assert (row["request_user_id"], row["status"]) == (refused.id, "pending")

    done = ask(world, app, "PATCH", action="approve", request_user_ids=[refused.id])

    assert done.status_code == 204
    assert ask(world, app).get_json()["requests"][0]["status"] == "approved"
    assert a_code(world, app, refused)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "approved", "request_user_ids": ["x"]}, 400),
        ({"action": "approve", "request_user_ids": ["x"]}, 404),
        ({"action": "approve"}, 404),
    ],
)
def test_what_is_no_request_is_refused(
    world: ZoomWorld, app: ZoomApp, body: dict[str, Any], status: int
) -> None:
    assert ask(world, app, "PATCH", **body).status_code == status


def test_it_takes_a_scope_for_each(world: ZoomWorld, app: ZoomApp) -> None:
    app.own_scopes = []

    assert ask(world, app).get_json()["code"] == 4711
    assert ask(world, app, "PATCH", action="approve").get_json()["code"] == 4711
