"""When, how often and in which order Zoom sends (docs/contracts/zoom.md 5.6)."""

import httpx2
import pytest

from dashboard.sandbox.zoom.records import DeliveryState
from dashboard.sandbox.zoom.webhooks import signature
from tests.fixtures.simulated_zoom import (
    HOOK,
    NOON,
    SECRET,
    Endpoint,
    a_subscriber,
    a_world,
)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx2.Response(503), id="503"),
        pytest.param(httpx2.Response(500), id="500"),
        pytest.param(httpx2.ReadTimeout("slow"), id="time-out"),
        pytest.param(httpx2.ConnectError("refused"), id="refused"),
    ],
)
def test_the_ladder_is_climbed_and_then_the_event_is_dropped(
    answer: httpx2.Response | Exception,
) -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    endpoint.answers.extend([answer] * 4)
    world.create_meeting(user.id)

    tries = [world.deliver_due()]
    for minutes in (4, 2, 19, 2, 59, 2, 600):
        world.state.clock.advance(minutes * 60)
        tries.append(world.deliver_due())

    assert tries == [1, 0, 1, 0, 1, 0, 1, 0]
    delivery = world.state.deliveries[-1]
    assert delivery.state is DeliveryState.DROPPED
    assert len(delivery.attempts) == 4


@pytest.mark.parametrize("status", [301, 308, 400, 401, 403, 404, 429])
def test_3xx_and_4xx_are_never_retried_nor_followed(status: int) -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    endpoint.answers.append(httpx2.Response(status, headers={"location": HOOK}))
    world.create_meeting(user.id)

    world.deliver_due()
    world.state.clock.advance(86400)

    assert world.deliver_due() == 0
    assert world.state.deliveries[-1].state is DeliveryState.DROPPED


@pytest.mark.parametrize("status", [200, 201, 204])
def test_any_2xx_is_success(status: int) -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    endpoint.answers.append(httpx2.Response(status))

    world.create_meeting(user.id)
    world.deliver_due()

    delivery = world.state.deliveries[-1]
    assert delivery.state is DeliveryState.DELIVERED
    assert delivery.attempts[0].status == status


@pytest.mark.parametrize(("mode", "is_moved"), [("same", False), ("fresh", True)])
def test_a_retry_keeps_or_renews_its_timestamp(
    mode: str,
    is_moved: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    world.switch(retry_timestamp=mode)
    _, user = a_subscriber(world)
    endpoint.answers.append(httpx2.Response(503))
    world.create_meeting(user.id)

    world.deliver_due()
    world.state.clock.advance(301)
    world.deliver_due()

    first, retry = endpoint.requests[-2:]
    stamps = [int(r.headers["x-zm-request-timestamp"]) for r in (first, retry)]
    assert (stamps[1] - stamps[0] >= 300) is is_moved
    assert (stamps[1] == stamps[0]) is not is_moved
    assert first.content == retry.content
    signed = signature(SECRET, str(stamps[1]), retry.content)
    assert retry.headers["x-zm-signature"] == signed


def test_duplicates_differ_in_their_request_id_only() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(duplicate=True)

    world.create_meeting(user.id)
    sent = world.deliver_due()

    first, second = endpoint.requests[-2:]
    assert sent == 2
    assert first.content == second.content
    assert first.headers["x-zm-request-id"] != second.headers["x-zm-request-id"]


def test_late_events_keep_their_own_time() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(late_s=3600)
    world.create_meeting(user.id)

    at_once = world.deliver_due()
    world.state.clock.advance(3601)
    later = world.deliver_due()

    assert (at_once, later) == (0, 1)
    stamp = int(endpoint.requests[-1].headers["x-zm-request-timestamp"])
    assert stamp - int(NOON.timestamp()) < 5


def test_out_of_order_lets_the_second_event_overtake_the_first() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    world.switch(out_of_order=True)

    world.create_meeting(user.id)
    world.change_pmi(user.id, 5559876543)
    world.deliver_due()
    world.state.clock.advance(31)
    world.deliver_due()

    names = [event["event"] for event in endpoint.events()]
    assert names == ["user.updated", "meeting.created"]


def test_a_second_sender_leaves_alone_what_the_first_is_sending() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world)
    second: list[int] = []
    endpoint.meanwhile = lambda: second.append(world.deliver_due())

    world.create_meeting(user.id)
    first = world.deliver_due()

    assert (first, second) == (1, [0])
