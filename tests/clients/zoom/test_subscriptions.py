"""Event subscriptions by API, as far as Zoom's answers go; the rest is in services."""

from collections.abc import Callable

import httpx2
import pytest
from pydantic import SecretStr

from dashboard.clients.zoom.subscriptions import Subscriber, Wanted, ZoomSubscriptions
from tests.fixtures.vendors import answering, everything_in, http_to, refusal_of

TOKEN = SecretStr("test-app-token-0001")
ANA = Subscriber(account_id="a1", user_id="u1")
WANTED = Wanted(name="N", url="https://x.example/h", events=["e"], scope="user")


def zoom_at(handler: Callable[[httpx2.Request], httpx2.Response]) -> ZoomSubscriptions:
    return ZoomSubscriptions(
        "https://api.zoom.us", http=http_to(handler, "https://api.zoom.us")
    )


def an_entry(number: int) -> dict[str, object]:
    return {"event_subscription_id": f"s{number}"}


def test_every_page_of_a_list_is_read() -> None:
    asked: list[httpx2.URL] = []

    def pages(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url)
        last = "next_page_token" in request.url.params
        page = {
            "event_subscriptions": [an_entry(len(asked))],
            "next_page_token": "" if last else "t1",
        }
        return httpx2.Response(200, json=page)

    found = zoom_at(pages).find(TOKEN, "user", ANA)

    assert [one.id for one in found] == ["s1", "s2"]
    assert asked[1].params["next_page_token"] == "t1"
    assert dict(asked[0].params) == {
        "subscription_scope": "user",
        "account_id": "a1",
        "user_id": "u1",
    }


def test_a_list_without_end_is_not_read_for_ever() -> None:
    endless = answering(body={"event_subscriptions": [], "next_page_token": "again"})

    error = refusal_of(lambda: zoom_at(endless).find(TOKEN, "user", ANA))

    assert "more event subscriptions than an app can have" in str(error)


@pytest.mark.parametrize(
    "odd",
    [
        {"events": None, "event_webhook_url": 7, "subscription_scope": None},
        {"events": "meeting.created", "created_source": []},
        {"events": [1, None]},
        {},
    ],
)
def test_an_odd_entry_says_nothing_and_breaks_nothing(odd: dict[str, object]) -> None:
    body = {"event_subscriptions": [an_entry(1) | odd]}

    (found,) = zoom_at(answering(body=body)).find(TOKEN, "user", ANA)

    assert (found.id, found.events, found.url, found.scope, found.source) == (
        "s1",
        [],
        "",
        "",
        "",
    )


def test_an_id_cannot_lead_to_another_address() -> None:
    asked: list[bytes] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path)
        return httpx2.Response(204)

    zoom_at(note).delete(TOKEN, "../../users/me?x=1")

    assert asked == [
        b"/v2/marketplace/app/event_subscription/..%2F..%2Fusers%2Fme%3Fx%3D1"
    ]


@pytest.mark.parametrize("body", [b"", b"{}", {"event_subscription_id": ""}, b"<html>"])
def test_a_made_one_without_its_id_may_have_been_made(body: object) -> None:
    error = refusal_of(
        lambda: zoom_at(answering(201, body)).create(TOKEN, WANTED, [ANA])
    )

    assert error.may_have_happened


def test_the_token_stays_out_of_what_zoom_is_quoted_with() -> None:
    echo = answering(400, {"code": 1500, "message": f"bad {TOKEN.get_secret_value()}"})

    error = refusal_of(lambda: zoom_at(echo).create(TOKEN, WANTED, [ANA]))

    assert error.code == "1500"
    assert TOKEN.get_secret_value() not in everything_in(error)
