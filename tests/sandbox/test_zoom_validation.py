"""URL validation by the simulated Zoom (docs/contracts/zoom.md 5.1 and 5.5)."""

import json

import httpx2
import pytest

from dashboard.sandbox.zoom.errors import RefusedError
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

WEEK_S = 7 * 86400


class Careless:
    """Answers challenges as `spoil` makes of the right two values."""

    def __init__(self, spoil: str) -> None:
        self._spoil = spoil

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        plain = json.loads(request.content)["payload"]["plainToken"]
        right = {
            "plainToken": plain,
            "encryptedToken": encrypted_token(SECRET, plain),
        }
        return {
            "no_content": httpx2.Response(204),
            "created": httpx2.Response(201, json=right),
            "not_json": httpx2.Response(200, text="<html>Sign in</html>"),
            "not_utf8": httpx2.Response(200, content=b"\xff"),
            "extra_key": httpx2.Response(200, json={**right, "ok": True}),
            "other_plain": httpx2.Response(200, json={**right, "plainToken": "x"}),
            "other_case": httpx2.Response(
                200, json={**right, "encryptedToken": right["encryptedToken"].upper()}
            ),
            "nested": httpx2.Response(200, json={"payload": right}),
            "redirect": httpx2.Response(301, headers={"location": HOOK}),
            "down": httpx2.Response(503),
        }[self._spoil]


def test_the_right_answer_validates_and_saves_the_url() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    app = an_app(world)

    verdict = world.validate(app.client_id, HOOK)

    assert verdict.valid
    assert app.webhook_url == HOOK
    assert app.validated_at is not None


def test_the_challenge_is_signed_and_holds_nothing_but_the_token() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)

    world.validate(an_app(world).client_id, HOOK)

    sent = endpoint.requests[0]
    body = json.loads(sent.content)
    assert set(body) == {"event", "event_ts", "payload"}
    assert set(body["payload"]) == {"plainToken"}
    stamp = sent.headers["x-zm-request-timestamp"]
    assert sent.headers["x-zm-signature"] == signature(SECRET, stamp, sent.content)


@pytest.mark.parametrize(
    "spoil",
    [
        "no_content",
        "created",
        "not_json",
        "not_utf8",
        "extra_key",
        "other_plain",
        "other_case",
        "nested",
        "redirect",
        "down",
    ],
)
def test_any_other_answer_fails_and_saves_nothing(spoil: str) -> None:
    world = a_world(Careless(spoil))  # type: ignore[arg-type] # a callable as well
    app = an_app(world)

    verdict = world.validate(app.client_id, HOOK)

    assert not verdict.valid
    assert verdict.message == "URL validation failed. Try again later."
    assert app.webhook_url is None


def test_an_answer_made_with_another_secret_fails() -> None:
    world = a_world(Endpoint(secret="test-other-secret"))

    assert not world.validate(an_app(world).client_id, HOOK).valid


def test_a_challenge_can_be_signed_wrongly() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    world.switch(validation_signing="wrong_secret")

    world.validate(an_app(world).client_id, HOOK)

    sent = endpoint.requests[0]
    stamp = sent.headers["x-zm-request-timestamp"]
    assert sent.headers["x-zm-signature"] != signature(SECRET, stamp, sent.content)


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
def test_zoom_takes_only_public_https_urls(url: str) -> None:
    world = a_world()
    app = an_app(world)

    with pytest.raises(RefusedError):
        world.validate(app.client_id, url)


def test_with_allow_local_it_takes_local_ones() -> None:
    world = a_world(allow_local=True)

    assert world.validate(an_app(world).client_id, "http://127.0.0.1:8000/h").valid


def test_it_repeats_every_72_hours() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    a_subscriber(world)

    world.state.clock.advance(71 * 3600)
    early = world.deliver_due()
    world.state.clock.advance(2 * 3600)
    due = world.deliver_due()

    assert (early, due, world.deliver_due()) == (0, 1, 0)
    assert b"url_validation" in endpoint.requests[-1].content


def test_a_second_sender_does_not_repeat_it_as_well() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    a_subscriber(world)
    second: list[int] = []
    endpoint.meanwhile = lambda: second.append(world.deliver_due())

    world.state.clock.advance(73 * 3600)
    first = world.deliver_due()

    assert (first, second) == (1, [0])


def test_two_and_four_failures_are_mailed_and_six_disable() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    app, _ = a_subscriber(world)
    endpoint.answers.extend(httpx2.Response(500) for _ in range(6))

    enabled = []
    for _ in range(6):
        world.state.clock.advance(73 * 3600)
        world.deliver_due()
        enabled.append(app.subscription_enabled)

    assert enabled == [True] * 5 + [False]
    assert [mail.subject for mail in world.state.mails] == [
        "Your webhook URL failed validation 2 times",
        "Your webhook URL failed validation 4 times",
        "Your event subscription was disabled",
    ]
    world.state.clock.advance(WEEK_S)
    assert world.deliver_due() == 0


def test_one_success_clears_the_count() -> None:
    endpoint = Endpoint()
    world = a_world(endpoint)
    app, _ = a_subscriber(world)
    endpoint.answers.append(httpx2.Response(500))
    world.state.clock.advance(73 * 3600)
    world.deliver_due()

    world.validate(app.client_id)

    assert app.failures == 0


def test_a_new_url_is_unvalidated_until_challenged() -> None:
    world = a_world()
    app, user = a_subscriber(world)

    world.change_app(app.client_id, webhook_url="https://new.example.com/hook")
    world.create_meeting(user.id)

    assert app.validated_at is None
    assert world.deliver_due() == 0


def test_the_page_says_zooms_words_and_keeps_what_was_typed() -> None:
    world = a_world(Careless("not_json"))  # type: ignore[arg-type] # a callable as well
    app = an_app(world)
    form = {"webhook_url": HOOK, "do": "validate"}

    page = web(world).post(f"/marketplace/apps/{app.client_id}/webhook", data=form)

    assert page.status_code == 422
    assert "URL validation failed. Try again later." in page.text
    assert HOOK in page.text


def test_a_subscription_cannot_be_saved_before_it_is_validated() -> None:
    world = a_world()
    app = an_app(world)
    form = {"webhook_url": HOOK, "do": "save"}

    page = web(world).post(f"/marketplace/apps/{app.client_id}/webhook", data=form)

    assert page.status_code == 422
    assert app.webhook_url is None
