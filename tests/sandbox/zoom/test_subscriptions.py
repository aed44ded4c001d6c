"""Event subscriptions managed by API (docs/contracts/zoom.md 5.7)."""

from typing import Any

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from tests.fixtures.simulated_zoom import (
    HOOK,
    Endpoint,
    a_subscriber,
    a_user,
    an_app,
    pair,
    subscribe,
    tokens,
    web,
)

PATH = "/v2/marketplace/app/event_subscription"
ELSEWHERE = f"{HOOK}/elsewhere"


@pytest.fixture
def ana(world: ZoomWorld, app: ZoomApp) -> ZoomUser:
    """A user who added the app; its webhook URL is validated."""
    return subscribe(world, app)


def own_token(world: ZoomWorld, app: ZoomApp) -> dict[str, str]:
    form = {"grant_type": "client_credentials"}
    answer = web(world).post("/oauth/token", data=form, auth=pair(app))
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def call(
    world: ZoomWorld, app: ZoomApp, method: str, path: str = "", **body: Any
) -> Any:
    return web(world).open(
        PATH + path, method=method, json=body or None, headers=own_token(world, app)
    )


def asked(**over: Any) -> dict[str, Any]:
    return {
        "events": ["meeting.created"],
        "event_webhook_url": ELSEWHERE,
        "subscription_scope": "user",
        **over,
    }


def listed(world: ZoomWorld, app: ZoomApp, **query: str) -> list[dict[str, Any]]:
    answer = web(world).get(PATH, query_string=query, headers=own_token(world, app))
    found: list[dict[str, Any]] = answer.get_json()["event_subscriptions"]
    return found


def test_a_subscription_is_validated_created_and_listed_with_the_consoles(
    world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    made = call(world, app, "POST", **asked(user_ids=[ana.id]))

    found = listed(world, app, user_id=ana.id, account_id=ana.account_id)
    assert made.status_code == 201
    assert [one["created_source"] for one in found] == ["default", "openapi"]
    assert found[1]["event_subscription_id"] == made.get_json()["event_subscription_id"]
    assert world.state.deliveries[-1].url == ELSEWHERE


def test_overlapping_subscriptions_bring_the_same_event_twice(
    endpoint: Endpoint, world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    call(world, app, "POST", **asked(event_webhook_url=HOOK, user_ids=[ana.id]))

    world.create_meeting(ana.id)
    world.deliver_due()

    assert [event["event"] for event in endpoint.events()] == ["meeting.created"] * 2


def test_only_events_of_subscribed_users_are_sent(
    endpoint: Endpoint, world: ZoomWorld
) -> None:
    app, ana, ben = an_app(world), a_user(world), a_user(world, email="ben@example.com")
    for user in (ana, ben):
        tokens(world, app, user)
    made = call(world, app, "POST", **asked(user_ids=[ana.id])).get_json()
    world.create_meeting(ben.id)
    world.deliver_due()
    before = len(endpoint.events())

    path = f"/{made['event_subscription_id']}"
    joined = call(
        world, app, "PATCH", path, user_ids=[ben.id], account_id=ben.account_id
    )
    world.create_meeting(ben.id)
    world.deliver_due()

    assert joined.status_code == 204
    assert (before, len(endpoint.events())) == (0, 1)


@pytest.mark.parametrize(
    ("over", "status", "code"),
    [
        ({"events": []}, 400, 1500),
        ({"events": ["meeting.exploded"]}, 404, 1601),
        ({"event_webhook_url": ""}, 400, 1500),
        ({"event_webhook_url": "http://localhost/x"}, 404, 1701),
        ({"subscription_scope": "galaxy"}, 400, 1500),
        ({"subscription_scope": "account", "account_id": "x"}, 400, 1300),
        ({"user_ids": ["nobody"]}, 404, 1001),
        ({"user_ids": ["a"] * 11}, 400, 300),
    ],
)
def test_each_refusal_has_its_code(
    world: ZoomWorld, over: dict[str, Any], status: int, code: int
) -> None:
    app, _ = a_subscriber(world)

    refused = call(world, app, "POST", **asked(**over))

    assert (refused.status_code, refused.get_json()["code"]) == (status, code)
    assert world.state.subscriptions == []


def test_an_event_without_its_scope_is_not_allowed(
    world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    world.change_app(app.client_id, events=[], scopes=["user:read:user"])

    refused = call(world, app, "POST", **asked(user_ids=[ana.id])).get_json()

    assert refused["code"] == 1602
    assert refused["message"] == "The event is not allowed for the app: meeting.created"


def test_an_app_without_own_scopes_is_refused(
    world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    world.change_app(app.client_id, own_scopes=[])

    refused = call(world, app, "POST", **asked(user_ids=[ana.id])).get_json()

    assert refused["code"] == 4711
    assert "marketplace:write:event_subscription" in refused["message"]


def test_a_change_validates_a_new_url_and_cannot_change_the_consoles(
    endpoint: Endpoint, world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    made = call(world, app, "POST", **asked(user_ids=[ana.id])).get_json()
    requests = len(endpoint.requests)

    changed = call(
        world, app, "PATCH", **made, event_webhook_url=HOOK, events=["user.updated"]
    )
    by_hand = call(
        world, app, "PATCH", event_subscription_id=app.console_subscription_id
    )

    (kept,) = world.state.subscriptions
    assert (changed.status_code, by_hand.status_code) == (204, 404)
    assert (kept.url, kept.events) == (HOOK, ["user.updated"])
    assert len(endpoint.requests) == requests + 1


def test_updates_can_be_switched_off(world: ZoomWorld) -> None:
    app, _ = a_subscriber(world)
    world.switch(updates_subscriptions=False)

    assert call(world, app, "PATCH", event_subscription_id="x").status_code == 405


def test_a_deleted_subscription_is_gone(
    world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    made = call(world, app, "POST", **asked(user_ids=[ana.id])).get_json()
    path = f"/{made['event_subscription_id']}"

    statuses = [call(world, app, "DELETE", path).status_code for _ in range(2)]

    assert statuses == [204, 404]
    assert world.state.subscriptions == []
