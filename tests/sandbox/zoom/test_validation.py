"""URL validation by the simulated Zoom (docs/contracts/zoom.md 5.1 and 5.5)."""

import json
from collections.abc import Callable

import httpx2
import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import ZoomApp
from dashboard.sandbox.zoom.webhooks import encrypted_token, signature
from tests.fixtures.simulated_zoom import (
    HOOK,
    SECRET,
    Endpoint,
    a_subscriber,
    a_world,
    an_app,
    web,
)

HOUR_S = 3600
Right = dict[str, str]
WRONG_ANSWERS: dict[str, Callable[[Right], httpx2.Response]] = {
    "no_content": lambda _: httpx2.Response(204),
    "created": lambda right: httpx2.Response(201, json=right),
    "not_json": lambda _: httpx2.Response(200, text="<html>Sign in</html>"),
    "not_utf8": lambda _: httpx2.Response(200, content=b"\xff"),
    "extra_key": lambda right: httpx2.Response(200, json={**right, "ok": True}),
    "other_plain": lambda right: httpx2.Response(
        200, json={**right, "plainToken": "x"}
    ),
    "other_case": lambda right: httpx2.Response(
        200, json={**right, "encryptedToken": right["encryptedToken"].upper()}
    ),
    "nested": lambda right: httpx2.Response(200, json={"payload": right}),
    "redirect": lambda _: httpx2.Response(301, headers={"location": HOOK}),
    "down": lambda _: httpx2.Response(503),
}


class WrongEndpoint(Endpoint):
    """Answers validation requests with one of `WRONG_ANSWERS`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        plain = json.loads(request.content)["payload"]["plainToken"]
        token = encrypted_token(SECRET, plain)
        right = {"plainToken": plain, "encryptedToken": token}
        return WRONG_ANSWERS[self._name](right)


def is_signed(request: httpx2.Request) -> bool:
    stamp = request.headers["x-zm-request-timestamp"]
    expected = signature(SECRET, stamp, request.content)
    return request.headers["x-zm-signature"] == expected


def test_the_right_answer_validates_and_saves_the_url(
    world: ZoomWorld, app: ZoomApp
) -> None:
    assert world.validate(app.client_id, HOOK).valid
    assert app.webhook_url == HOOK
    assert app.validated_at is not None


@pytest.mark.parametrize(
    ("signing", "valid"), [("right", True), ("wrong_secret", False)]
)
def test_the_request_is_signed_and_contains_only_the_token(
    endpoint: Endpoint, world: ZoomWorld, app: ZoomApp, signing: str, *, valid: bool
) -> None:
    world.switch(validation_signing=signing)

    world.validate(app.client_id, HOOK)

    body = json.loads(endpoint.requests[0].content)
    assert set(body) == {"event", "event_ts", "payload"}
    assert set(body["payload"]) == {"plainToken"}
    assert is_signed(endpoint.requests[0]) is valid


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_any_other_answer_fails_and_saves_nothing(name: str) -> None:
    world = a_world(WrongEndpoint(name))
    app = an_app(world)

    result = world.validate(app.client_id, HOOK)

    assert not result.valid
    assert result.message == "URL validation failed. Try again later."
    assert app.webhook_url is None


def test_an_answer_made_with_another_secret_fails() -> None:
    world = a_world(Endpoint(secret="test-other-secret"))

    assert not world.validate(an_app(world).client_id, HOOK).valid


@pytest.mark.parametrize(
    "url",
    [
        "http://dash.example.com/hooks",
        "https://localhost/hooks",
        "https://127.0.0.1/hooks",
        "https://[::1]/hooks",
        "https://[",
        "dash.example.com",
        "",
    ],
)
def test_zoom_accepts_only_public_https_urls(
    world: ZoomWorld, app: ZoomApp, url: str
) -> None:
    with pytest.raises(RefusedError):
        world.validate(app.client_id, url)


def test_with_allow_local_it_accepts_local_urls() -> None:
    world = a_world(allow_local=True)

    assert world.validate(an_app(world).client_id, "http://127.0.0.1:8000/h").valid


def test_it_repeats_every_72_hours(endpoint: Endpoint, world: ZoomWorld) -> None:
    a_subscriber(world)

    world.state.clock.advance(71 * HOUR_S)
    early = world.deliver_due()
    world.state.clock.advance(2 * HOUR_S)
    due = world.deliver_due()

    assert (early, due, world.deliver_due()) == (0, 1, 0)
    assert b"url_validation" in endpoint.requests[-1].content


def test_a_second_sender_does_not_repeat_it_as_well(
    endpoint: Endpoint, world: ZoomWorld
) -> None:
    a_subscriber(world)
    second: list[int] = []
    endpoint.meanwhile = lambda: second.append(world.deliver_due())

    world.state.clock.advance(73 * HOUR_S)
    first = world.deliver_due()

    assert (first, second) == (1, [0])


def test_two_and_four_failures_are_mailed_and_six_disable(
    endpoint: Endpoint, world: ZoomWorld
) -> None:
    app, _ = a_subscriber(world)
    endpoint.answers.extend(httpx2.Response(500) for _ in range(6))

    enabled = []
    for _ in range(6):
        world.state.clock.advance(73 * HOUR_S)
        world.deliver_due()
        enabled.append(app.subscription_enabled)

    assert enabled == [True] * 5 + [False]
    assert [mail.subject for mail in world.state.mails] == [
        "Your webhook URL failed validation 2 times",
        "Your webhook URL failed validation 4 times",
        "Your event subscription was disabled",
    ]
    world.state.clock.advance(7 * 24 * HOUR_S)
    assert world.deliver_due() == 0


def test_one_success_resets_the_count(endpoint: Endpoint, world: ZoomWorld) -> None:
    app, _ = a_subscriber(world)
    endpoint.answers.append(httpx2.Response(500))
    world.state.clock.advance(73 * HOUR_S)
    world.deliver_due()
    failures = app.failures

    world.validate(app.client_id)

    assert (failures, app.failures) == (1, 0)


def test_a_new_url_is_not_validated_yet(world: ZoomWorld) -> None:
    app, _ = a_subscriber(world)

    world.change_app(app.client_id, webhook_url="https://new.example.com/hook")

    assert app.validated_at is None


@pytest.mark.parametrize(
    ("button", "words"),
    [
        ("validate", "URL validation failed. Try again later."),
        ("save", "Press Validate first."),
    ],
)
def test_the_page_saves_nothing_before_the_url_is_validated(
    button: str, words: str
) -> None:
    world = a_world(WrongEndpoint("not_json"))
    app = an_app(world)
    form = {"webhook_url": HOOK, "do": button}

    page = web(world).post(f"/marketplace/apps/{app.client_id}/webhook", data=form)

    assert page.status_code == 422
    assert words in page.text
    assert HOOK in page.text
    assert app.webhook_url is None
