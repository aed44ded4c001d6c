"""The webhook sender of the simulated Zoom (docs/contracts/zoom.md 5)."""

import json

import httpx2
import pytest

from dashboard.sandbox.zoom.webhooks import signature
from tests.fixtures.simulated_zoom import (
    HOOK,
    SECRET,
    Endpoint,
    a_subscriber,
    a_user,
    a_world,
    an_app,
    tokens,
)


def is_signed_by(secret: str, request: httpx2.Request) -> bool:
    stamp = request.headers["x-zm-request-timestamp"]
    signed = signature(secret, stamp, request.content)
    return request.headers.get("x-zm-signature") == signed


def test_an_event_is_signed_over_the_bytes_it_sends() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)

    world.create_meeting(user.id, topic="Café 🚒")
    world.deliver_due()

    sent = endpoint.requests[-1]
    assert is_signed_by(SECRET, sent)
    assert "Café \\uD83D\\uDE92".encode() in sent.content
    assert b": " not in sent.content


def test_the_timestamp_header_is_the_event_time_in_whole_seconds() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)

    world.create_meeting(user.id)
    world.deliver_due()

    event_ts = json.loads(endpoint.requests[-1].content)["event_ts"]
    stamp = endpoint.requests[-1].headers["x-zm-request-timestamp"]
    assert stamp == str(event_ts // 1000)


def test_the_headers_are_zooms() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    app, user = a_subscriber(world)

    world.create_meeting(user.id)
    world.deliver_due()

    headers = endpoint.requests[-1].headers
    assert headers["user-agent"] == "Zoom Marketplace/1.0a"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["clientid"] == app.client_id
    assert headers["authorization"] == app.verification_token
    assert {"x-zm-request-id", "x-zm-trackingid", "traceparent"} <= set(headers)


def test_a_wrong_secret_signs_wrongly() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(signing="wrong_secret")

    world.create_meeting(user.id)
    world.deliver_due()

    assert "x-zm-signature" in endpoint.requests[-1].headers
    assert not is_signed_by(SECRET, endpoint.requests[-1])


def test_after_a_regeneration_the_new_secret_signs_unless_switched() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    app, user = a_subscriber(world)
    world.regenerate_secret_token(app.client_id)

    world.create_meeting(user.id)
    world.deliver_due()
    world.switch(signing="previous_secret")
    world.create_meeting(user.id)
    world.deliver_due()

    assert is_signed_by(app.secret_token, endpoint.requests[-2])
    assert is_signed_by(SECRET, endpoint.requests[-1])


def test_the_signature_header_can_be_stripped() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(signing="no_header")

    world.create_meeting(user.id)
    world.deliver_due()

    assert "x-zm-signature" not in endpoint.requests[-1].headers


def test_a_reserialised_body_says_the_same_but_fails_the_signature() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(body="reserialised")

    world.create_meeting(user.id)
    world.deliver_due()

    assert endpoint.events()[-1]["event"] == "meeting.created"
    assert not is_signed_by(SECRET, endpoint.requests[-1])


@pytest.mark.parametrize(
    ("mode", "least", "most"),
    [("empty", 0, 0), ("invalid_json", 100, 2000), ("oversized", 2**21, 2**22)],
)
def test_odd_bodies_are_signed_as_they_are_sent(
    mode: str, least: int, most: int
) -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(body=mode)

    world.create_meeting(user.id)
    world.deliver_due()

    assert least <= len(endpoint.requests[-1].content) <= most
    assert is_signed_by(SECRET, endpoint.requests[-1])


def test_a_user_managed_app_hears_only_of_users_who_added_it() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    app, user = a_subscriber(world)
    stranger = a_user(world, email="ben@example.com")

    world.create_meeting(stranger.id)
    world.deliver_due()
    before = endpoint.events()
    world.uninstall(app.client_id, user.id)
    world.create_meeting(user.id)

    assert before == []
    assert world.deliver_due() == 0


def test_an_account_level_app_hears_of_its_whole_account() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    a_subscriber(world, kind="account_level")
    colleague = a_user(world, email="ben@example.com")
    outsider = a_user(world, email="eve@example.org", account_id="other")

    world.create_meeting(colleague.id)
    world.create_meeting(outsider.id)

    assert world.deliver_due() == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"validated_at": None}, id="never-validated"),
        pytest.param({"subscription_enabled": False}, id="disabled"),
        pytest.param({"events": ["user.updated"]}, id="not-subscribed"),
        pytest.param({"webhook_url": None}, id="no-url"),
    ],
)
def test_nothing_is_sent_without_a_validated_subscription(
    change: dict[str, object],
) -> None:
    world = a_world()
    app, user = a_subscriber(world)
    world.change_app(app.client_id, **change)

    world.create_meeting(user.id)

    assert world.deliver_due() == 0


def test_two_apps_with_one_user_are_both_told() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    second = an_app(world)
    tokens(world, second, user)
    world.validate(second.client_id, "https://two.example.com/hook")

    world.create_meeting(user.id)
    world.deliver_due()

    urls = {str(request.url) for request in endpoint.requests[-2:]}
    assert urls == {HOOK, "https://two.example.com/hook"}
