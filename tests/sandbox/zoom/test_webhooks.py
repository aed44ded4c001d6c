"""Webhooks of the simulated Zoom: signatures, contents, retries.

Source: docs/contracts/zoom.md 5; the vectors are those of section 8.
"""

import base64
import gzip
import json
import random
from collections.abc import Callable
from urllib.parse import parse_qs

import httpx2
import pytest

from dashboard.sandbox.zoom import ZoomWorld, webhooks
from dashboard.sandbox.zoom.records import DeliveryState
from tests.fixtures.simulated_zoom import (
    HOOK,
    NOON,
    SECRET,
    Subscriber,
    a_subscriber,
    a_user,
    an_app,
    tokens,
)

V1_SECRET = "4fv1RkqGQUq5sWbEz6hA5A"
V1_BODY = (
    b'{"payload":{"plainToken":"xys8n8PGS7mAU0m5-YJjRA"},'
    b'"event_ts":1720705455858,"event":"endpoint.url_validation"}'
)
C1_BODY = (
    b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},'
    b'"event_ts":1654503849680,"event":"endpoint.url_validation"}'
)
C2_BODY = (
    b'{"event":"user.updated","event_ts":1760000000123,"payload":{"account_id":'
    b'"AbCdEfGhIjKlMnOpQrStUv","operator":"ana@example.com","operator_id":'
    b'"zUsEr0001AAAAAAAAAAAAA","object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":'
    b'5551234567},"old_object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":5559876543},'
    b'"time_stamp":1760000000100}}'
)


def an_order() -> random.Random:
    return random.Random(1)  # noqa: S311 - the order of keys is no secret


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "expected"),
    [
        pytest.param(
            V1_SECRET,
            "1720705455",
            V1_BODY,
            "v0=93a1a675965ceb9c5a50c5dfb31f20e50f763be37a54ef74cd2d16a1a8e5c0d6",
            id="V1-captured",
        ),
        pytest.param(
            SECRET,
            "1654503849",
            C1_BODY,
            "v0=0483ac479818cffec360da2cfd8426263cf1108e49d4efb63aea6f1313202358",
            id="C1",
        ),
        pytest.param(
            SECRET,
            "1760000000",
            C2_BODY,
            "v0=29479befbb7041ee3de943c8470a13e56ddb26cbbedc5dff389c8e94fca1d005",
            id="C2",
        ),
    ],
)
def test_signatures_are_zooms(
    secret: str, timestamp: str, body: bytes, expected: str
) -> None:
    assert webhooks.signature(secret, timestamp, body) == expected


@pytest.mark.parametrize(
    ("secret", "plain", "expected"),
    [
        pytest.param(
            V1_SECRET,
            "xys8n8PGS7mAU0m5-YJjRA",
            "2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3",
            id="V1-captured",
        ),
        pytest.param(
            SECRET,
            "qgg8vlvZRS6UYooatFL8Aw",
            "72596419203632983777668b3abf3fb366d47c026a8b24a599d86c9ecce12c23",
            id="C1",
        ),
        pytest.param(
            SECRET + " ",
            "qgg8vlvZRS6UYooatFL8Aw",
            "02f04a30be4a8865e2e3bca3a4565d7ca49c180076989cdfd0142e0ffc6cb2e7",
            id="C1-trailing-space",
        ),
        pytest.param(
            SECRET + "\n",
            "qgg8vlvZRS6UYooatFL8Aw",
            "540e031c4ae2505d1c247e2d23c19d496f3375ce1a1de7a893e67b3bf2346bb7",
            id="C1-trailing-newline",
        ),
    ],
)
def test_validation_answers_are_zooms(secret: str, plain: str, expected: str) -> None:
    assert webhooks.encrypted_token(secret, plain) == expected


def test_only_characters_beyond_the_bmp_are_escaped_and_in_uppercase() -> None:
    envelope: dict[str, object] = {"topic": "Café ✅ 🚒"}

    body = webhooks.encode(envelope, an_order())

    assert body == '{"topic":"Café ✅ \\uD83D\\uDE92"}'.encode()
    assert json.loads(body) == envelope


def test_the_order_of_the_outer_keys_varies() -> None:
    envelope: dict[str, object] = {"event": "a", "event_ts": 1, "payload": {}}
    order = an_order()

    spellings = {webhooks.encode(envelope, order) for _ in range(50)}

    assert len(spellings) == 6


def test_a_reserialised_body_says_the_same_in_other_bytes() -> None:
    body = webhooks.encode({"topic": "🚒", "n": 1}, an_order())

    other = webhooks.reserialised(body)

    assert other != body
    assert json.loads(other) == json.loads(body)


@pytest.fixture
def zoom() -> Subscriber:
    return Subscriber()


def is_signed_by(secret: str, request: httpx2.Request) -> bool:
    stamp = request.headers["x-zm-request-timestamp"]
    signed = webhooks.signature(secret, stamp, request.content)
    return request.headers.get("x-zm-signature") == signed


def test_an_event_is_signed_over_the_bytes_it_sends(zoom: Subscriber) -> None:
    sent = zoom.send(topic="Café 🚒")

    assert is_signed_by(SECRET, sent)
    assert "Café \\uD83D\\uDE92".encode() in sent.content
    assert b": " not in sent.content


def test_the_headers_are_zooms(zoom: Subscriber) -> None:
    sent = zoom.send()

    headers = sent.headers
    assert headers["user-agent"] == "Zoom Marketplace/1.0a"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["clientid"] == zoom.app.client_id
    assert headers["authorization"] == zoom.app.verification_token
    assert {"x-zm-request-id", "x-zm-trackingid", "traceparent"} <= set(headers)
    event_ts = json.loads(sent.content)["event_ts"]
    assert headers["x-zm-request-timestamp"] == str(event_ts // 1000)


@pytest.mark.parametrize(
    ("switches", "has_header"),
    [
        ({"signing": "wrong_secret"}, True),
        ({"signing": "no_header"}, False),
        ({"body": "reserialised"}, True),
    ],
    ids=["wrong-secret", "no-header", "reserialised"],
)
def test_webhooks_can_fail_the_signature(
    zoom: Subscriber, switches: dict[str, object], *, has_header: bool
) -> None:
    zoom.world.switch(**switches)

    sent = zoom.send()

    assert json.loads(sent.content)["event"] == "meeting.created"
    assert ("x-zm-signature" in sent.headers) is has_header
    assert not is_signed_by(SECRET, sent)


def test_after_a_regeneration_the_new_secret_signs_unless_switched(
    zoom: Subscriber,
) -> None:
    zoom.world.regenerate_secret_token(zoom.app.client_id)

    new = zoom.send()
    zoom.world.switch(signing="previous_secret")
    old = zoom.send()

    assert is_signed_by(zoom.app.secret_token, new)
    assert is_signed_by(SECRET, old)


@pytest.mark.parametrize(
    ("mode", "least", "most"),
    [
        ("empty", 0, 0),
        ("invalid_json", 100, 2000),
        ("commented", 100, 2000),
        ("broken_text", 100, 2000),
        ("oversized", 2**21, 2**22),
    ],
)
def test_odd_bodies_are_signed_as_they_are_sent(
    zoom: Subscriber, mode: str, least: int, most: int
) -> None:
    zoom.world.switch(body=mode)

    sent = zoom.send()

    assert least <= len(sent.content) <= most
    assert is_signed_by(SECRET, sent)


@pytest.mark.parametrize("mode", ["gzip", "base64", "form"])
def test_a_body_that_a_proxy_packed_is_signed_as_it_was_before(
    zoom: Subscriber, mode: str
) -> None:
    zoom.world.switch(body=mode)

    sent = zoom.send()
    ways: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "base64": base64.b64decode,
        "form": lambda body: parse_qs(body)[b"payload"][0],
    }
    unpacked = ways[mode](sent.content)

    assert json.loads(unpacked)["event"] == "meeting.created"
    assert not is_signed_by(SECRET, sent)


def test_the_timestamp_can_be_ahead_and_in_milliseconds(zoom: Subscriber) -> None:
    zoom.world.switch(ahead_s=720)
    ahead = zoom.send()
    zoom.world.switch(ahead_s=0, timestamp_unit="milliseconds")
    fine = zoom.send()

    now_s = int(NOON.timestamp())
    assert 715 < int(ahead.headers["x-zm-request-timestamp"]) - now_s < 900
    assert int(fine.headers["x-zm-request-timestamp"]) // 1000 - now_s < 300
    assert is_signed_by(SECRET, ahead)
    assert is_signed_by(SECRET, fine)


def test_a_user_level_app_gets_events_of_users_who_added_it_only(
    zoom: Subscriber,
) -> None:
    zoom.world.create_meeting(a_user(zoom.world, email="ben@example.com").id)
    zoom.world.deliver_due()
    before = zoom.endpoint.events()
    zoom.world.uninstall(zoom.app.client_id, zoom.user.id)
    zoom.world.create_meeting(zoom.user.id)

    assert before == []
    assert zoom.world.deliver_due() == 0


def test_an_account_level_app_gets_events_of_its_whole_account(
    world: ZoomWorld,
) -> None:
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
        pytest.param({"webhook_url": "https://new.example.com/hook"}, id="new-url"),
    ],
)
def test_nothing_is_sent_without_a_validated_subscription(
    zoom: Subscriber, change: dict[str, object]
) -> None:
    zoom.world.change_app(zoom.app.client_id, **change)

    zoom.world.create_meeting(zoom.user.id)

    assert zoom.world.deliver_due() == 0


def test_two_apps_of_one_user_both_get_the_event(zoom: Subscriber) -> None:
    second = an_app(zoom.world)
    tokens(zoom.world, second, zoom.user)
    zoom.world.validate(second.client_id, "https://two.example.com/hook")

    zoom.send()

    urls = {str(request.url) for request in zoom.endpoint.requests[-2:]}
    assert urls == {HOOK, "https://two.example.com/hook"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx2.Response(503), id="503"),
        pytest.param(httpx2.Response(500), id="500"),
        pytest.param(httpx2.ReadTimeout("slow"), id="time-out"),
        pytest.param(httpx2.ConnectError("refused"), id="refused"),
    ],
)
def test_an_event_is_retried_three_times_and_then_dropped(
    zoom: Subscriber, answer: httpx2.Response | Exception
) -> None:
    zoom.endpoint.answers.extend([answer] * 4)
    zoom.world.create_meeting(zoom.user.id)

    sent = [zoom.wait_and_send(minutes) for minutes in (0, 4, 2, 19, 2, 59, 2, 600)]

    assert sent == [1, 0, 1, 0, 1, 0, 1, 0]
    delivery = zoom.world.state.deliveries[-1]
    assert delivery.state is DeliveryState.DROPPED
    assert len(delivery.attempts) == 4


@pytest.mark.parametrize("status", [301, 308, 400, 401, 403, 404, 429])
def test_3xx_and_4xx_are_never_retried_nor_followed(
    zoom: Subscriber, status: int
) -> None:
    redirect = httpx2.Response(status, headers={"location": HOOK})
    zoom.endpoint.answers.append(redirect)

    zoom.send()

    assert zoom.wait_and_send(24 * 60) == 0
    assert zoom.world.state.deliveries[-1].state is DeliveryState.DROPPED


@pytest.mark.parametrize("status", [200, 201, 204])
def test_any_2xx_is_success(zoom: Subscriber, status: int) -> None:
    zoom.endpoint.answers.append(httpx2.Response(status))

    zoom.send()

    delivery = zoom.world.state.deliveries[-1]
    assert delivery.state is DeliveryState.DELIVERED
    assert delivery.attempts[0].status == status


@pytest.mark.parametrize(("mode", "is_fresh"), [("same", False), ("fresh", True)])
def test_a_retry_keeps_or_renews_its_timestamp(
    zoom: Subscriber, mode: str, *, is_fresh: bool
) -> None:
    zoom.world.switch(retry_timestamp=mode)
    zoom.endpoint.answers.append(httpx2.Response(503))

    first = zoom.send()
    zoom.wait_and_send(minutes=6)

    retry = zoom.endpoint.requests[-1]
    stamps = [int(r.headers["x-zm-request-timestamp"]) for r in (first, retry)]
    assert (stamps[1] - stamps[0] >= 300) is is_fresh
    assert (stamps[1] == stamps[0]) is not is_fresh
    assert first.content == retry.content
    assert is_signed_by(SECRET, retry)


def test_duplicates_differ_in_their_request_id_only(zoom: Subscriber) -> None:
    zoom.world.switch(duplicate=True)

    zoom.send()

    first, second = zoom.endpoint.requests[-2:]
    assert len(zoom.endpoint.events()) == 2
    assert first.content == second.content
    assert first.headers["x-zm-request-id"] != second.headers["x-zm-request-id"]


def test_late_events_keep_their_own_time(zoom: Subscriber) -> None:
    zoom.world.switch(late_s=3600)
    zoom.world.create_meeting(zoom.user.id)

    sent = zoom.wait_and_send(minutes=0), zoom.wait_and_send(minutes=61)

    assert sent == (0, 1)
    stamp = int(zoom.endpoint.requests[-1].headers["x-zm-request-timestamp"])
    assert stamp - int(NOON.timestamp()) < 5


def test_out_of_order_lets_the_second_event_overtake_the_first(
    zoom: Subscriber,
) -> None:
    zoom.world.switch(out_of_order=True)

    zoom.world.create_meeting(zoom.user.id)
    zoom.world.change_pmi(zoom.user.id, 5559876543)
    zoom.wait_and_send(minutes=0)
    zoom.wait_and_send(minutes=1)

    names = [event["event"] for event in zoom.endpoint.events()]
    assert names == ["user.updated", "meeting.created"]


def test_a_second_sender_skips_what_the_first_is_sending(zoom: Subscriber) -> None:
    second: list[int] = []
    zoom.endpoint.meanwhile = lambda: second.append(zoom.world.deliver_due())

    zoom.world.create_meeting(zoom.user.id)
    first = zoom.world.deliver_due()

    assert (first, second) == (1, [0])
