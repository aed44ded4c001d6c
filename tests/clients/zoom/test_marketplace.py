"""An app in Zoom's Marketplace by API, as far as Zoom's answers go."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from dashboard.clients.zoom.marketplace import Log, ZoomMarketplace
from tests.fixtures.vendors import answering, everything_in, http_to, refusal_of

TOKEN = SecretStr("test-app-token-0001")
SINCE = datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)
UNTIL = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=2)))


def zoom_at(handler: Callable[[httpx2.Request], httpx2.Response]) -> ZoomMarketplace:
    base = "https://api.zoom.us"
    return ZoomMarketplace(base, http=http_to(handler, base))


def log_of(
    handler: Callable[[httpx2.Request], httpx2.Response], app_id: str = "app1"
) -> Log:
    zoom = zoom_at(handler)
    return zoom.webhook_log(TOKEN, app_id, since=SINCE, until=UNTIL, pages=3)


def one(**fields: object) -> Any:
    return log_of(answering(body={"webhook_logs": [fields]})).deliveries[0]


def test_pages_are_followed_to_the_end() -> None:
    asked: list[httpx2.URL] = []

    def pages(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url)
        following = "" if "next_page_token" in request.url.params else "t1"
        body = {"webhook_logs": [{"trace_id": "x"}], "next_page_token": following}
        return httpx2.Response(200, json=body)

    found = log_of(pages, "a/../b")

    assert (len(found.deliveries), found.is_whole) == (2, True)
    assert asked[0].raw_path.startswith(
        b"/v2/marketplace/apps/a%2F..%2Fb/webhook_logs?"
    )
    assert dict(asked[0].params) == {
        "from": "2026-11-22T12:00:01Z",
        "to": "2026-11-23T10:00:00Z",
        "type": "2",
        "page_size": "300",
    }


def test_a_log_without_end_is_read_to_a_limit_and_said_to_go_on() -> None:
    number = iter(range(100))

    def endless(_: httpx2.Request) -> httpx2.Response:
        body = {"webhook_logs": [{}], "next_page_token": f"t{next(number)}"}
        return httpx2.Response(200, json=body)

    found = log_of(endless)

    assert (len(found.deliveries), found.is_whole) == (3, False)


@pytest.mark.parametrize(
    ("written", "read"),
    [(502, 502), ("502", 502), (-1, None), (0, None), (True, None), ("bad", None)],
)
def test_a_status_is_one_only_if_it_can_be(written: object, read: int | None) -> None:
    assert one(status=written).status == read


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23 12:00:00",
        "2026-11-23T12:00:387Z",  # as the example in Zoom's reference
        "2026-11-23T14:00:00+02:00",
        1795435200,
        1795435200000,
        "1795435200000",
    ],
)
def test_a_time_is_read_in_every_form(written: object) -> None:
    assert one(date_time=written).date_time == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("odd", ["soon", "", None, -5, 10**30, {"at": 1}, [1], True])
def test_what_is_no_time_is_none(odd: object) -> None:
    found = one(date_time=odd).date_time

    assert found is None or found.year == 1970


def test_odd_rows_and_fields_hide_no_others() -> None:
    rows = [None, "x", {"event": 5, "request_body": {"a": 1}}, {"event": "e"}]

    found = log_of(answering(body={"webhook_logs": rows}))

    assert [each.event for each in found.deliveries] == ["", "e"]


def test_half_a_body_is_none() -> None:
    assert one(request_body="x" * 70_000).request_body == ""


def test_a_refusal_holds_no_token() -> None:
    body = {"code": 4711, "message": f"does not contain scopes:[x] {TOKEN!s}"}

    error = refusal_of(lambda: log_of(answering(400, body)))

    assert error.code == "4711"
    assert TOKEN.get_secret_value() not in everything_in(error)
