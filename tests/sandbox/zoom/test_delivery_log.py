"""Zoom's own log of its deliveries (docs/contracts/zoom.md 5.9)."""

import json
from typing import Any

import httpx2
import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from tests.fixtures.simulated_zoom import HOOK, Endpoint, pair, subscribe, web


@pytest.fixture
def ana(world: ZoomWorld, app: ZoomApp) -> ZoomUser:
    return subscribe(world, app)


def own_token(world: ZoomWorld, app: ZoomApp) -> dict[str, str]:
    form = {"grant_type": "client_credentials"}
    answer = web(world).post("/oauth/token", data=form, auth=pair(app))
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


def asked(world: ZoomWorld, app: ZoomApp, of: str = "", **query: str) -> Any:
    path = f"/v2/marketplace/apps/{of or app.app_id}/webhook_logs"
    return web(world).get(path, query_string=query, headers=own_token(world, app))


def test_every_try_is_logged_with_its_answer_newest_first(
    endpoint: Endpoint, world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    endpoint.answers.extend(
        [httpx2.Response(502, text="<html>Bad Gateway</html>"), httpx2.Response(200)]
    )
    meeting = world.create_meeting(ana.id)
    world.deliver_due()
    world.state.clock.advance(301)
    world.deliver_due()

    second, first, *_ = asked(world, app, type="1").get_json()["webhook_logs"]

    assert [one["status"] for one in (first, second)] == [502, 200]
    assert (first["endpoint"], first["event"]) == (HOOK, "meeting.created")
    assert first["response_body"] == "<html>Bad Gateway</html>"
    assert json.loads(first["request_body"])["payload"]["object"]["id"] == meeting.id
    assert first["date_time"] == "2026-11-23T12:00:00Z"
    assert first["request_id"] == second["request_id"]
    assert [one["retry_num"] for one in (first, second)] == [0, 1]


def test_a_failure_without_answer_has_zooms_own_number(
    endpoint: Endpoint, world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    endpoint.answers.append(httpx2.ConnectError("refused"))
    world.create_meeting(ana.id)
    world.deliver_due()

    newest = asked(world, app, event="meeting.created").get_json()["webhook_logs"][0]

    assert (newest["status"], newest["failed_reason_type"]) == (-1, 2)


def test_the_odd_form_has_no_seconds_and_numbers_below_zero(
    endpoint: Endpoint, world: ZoomWorld, app: ZoomApp, ana: ZoomUser
) -> None:
    world.switch(webhook_log="odd")
    endpoint.answers.append(httpx2.ConnectError("refused"))
    world.create_meeting(ana.id)
    world.deliver_due()

    (row,) = asked(world, app).get_json()["webhook_logs"]

    assert row["failed_reason_type"] == -2
    assert row["date_time"] == "2026-11-23T12:00:387Z"


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({}, 0),
        ({"type": "1"}, 2),
        ({"type": "3", "event": "endpoint.url_validation"}, 1),
        ({"type": "1", "event": "user.updated"}, 0),
        ({"type": "1", "to": "2026-11-23T11:59:59Z"}, 0),
        ({"type": "1", "page_size": "1"}, 1),
    ],
)
def test_kinds_times_events_and_pages_narrow_it(
    world: ZoomWorld, app: ZoomApp, ana: ZoomUser, query: dict[str, str], number: int
) -> None:
    world.create_meeting(ana.id)
    world.deliver_due()

    found = asked(world, app, **query).get_json()

    assert len(found["webhook_logs"]) == number
    assert "total_records" not in found


def test_a_day_that_is_none_a_strangers_app_and_a_missing_scope_are_refused(
    world: ZoomWorld, app: ZoomApp
) -> None:
    other = world.add_app(name="Other")

    wrong_day = asked(world, app, **{"from": "2026-11-23"})
    too_old = asked(world, app, **{"from": "2026-11-01T00:00:00Z"})
    strangers = asked(world, app, of=other.app_id)
    app.own_scopes = ["marketplace:read:list_event_subscriptions"]
    lacking = asked(world, app)

    assert (wrong_day.status_code, wrong_day.get_json()["code"]) == (404, 1503)
    assert (too_old.status_code, too_old.get_json()["code"]) == (404, 1502)
    assert (strangers.status_code, strangers.get_json()["code"]) == (404, 1500)
    assert (lacking.status_code, lacking.get_json()["code"]) == (400, 4711)
