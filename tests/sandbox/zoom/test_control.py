"""The control API of the simulated Zoom."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from tests.fixtures.simulated_zoom import (
    CALLBACK,
    HOOK,
    NOON,
    a_subscriber,
    a_user,
    a_world,
    an_app,
    web,
)


def test_an_app_is_made_with_any_field_and_shown_with_its_secrets() -> None:
    client = web(a_world())
    fields = {"name": "B", "environment": "production", "client_id": "simC-fixed"}

    answer = client.post("/_sandbox/apps", json=fields)

    app = answer.get_json()
    assert answer.status_code == 201
    assert app["client_id"] == "simC-fixed"
    assert len(app["secret_token"]) == 22
    assert app["events"] == ["meeting.created", "user.updated"]


def test_an_app_is_changed_and_a_failed_change_changes_nothing(
    world: ZoomWorld,
) -> None:
    app, client = an_app(world), web(world)
    path = f"/_sandbox/apps/{app.client_id}"

    good = client.post(path, json={"name": "New"})
    bad = client.post(path, json={"name": "Newer", "webhook_url": "http://x"})

    assert (good.status_code, bad.status_code) == (200, 400)
    assert app.name == "New"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("switches", {"nonsense": True}),
        ("switches", {"decline": "shout"}),
        ("switches", {"duplicate": "yes"}),
        ("switches", ["decline"]),
        ("clock", {"now": "noon"}),
        ("clock", {"now": "2026-01-01T00:00:00"}),
        ("clock", {}),
        ("faults", [{"kind": "earthquake"}]),
        ("apps", {"nonsense": 1}),
        ("users", {}),
        ("do/nonsense", {}),
        ("do/change_pmi", {"user_id": 3}),
    ],
)
def test_a_wrong_request_is_400_with_a_sentence(path: str, body: object) -> None:
    answer = web(a_world()).post(f"/_sandbox/{path}", json=body)

    assert answer.status_code == 400
    assert answer.get_json()["error"].endswith(".")


def test_switches_are_set_and_all_returned(world: ZoomWorld) -> None:
    answer = web(world).post("/_sandbox/switches", json={"pmi_as": "string"})

    assert answer.get_json()["pmi_as"] == "string"
    assert answer.get_json()["decline"] == "redirect"
    assert world.switches.pmi_as == "string"


def test_the_clock_is_set_and_advanced() -> None:
    client = web(a_world())
    client.post("/_sandbox/clock", json={"now": NOON.isoformat()})

    answer = client.post("/_sandbox/clock", json={"advance_s": 3600})

    now = datetime.fromisoformat(answer.get_json()["now"])
    assert now - NOON >= timedelta(hours=1)


def test_faults_apply_to_zoom_but_never_to_the_control_api() -> None:
    client = web(a_world())

    client.post("/_sandbox/faults", json=[{"kind": "unavailable"}])

    assert client.get("/marketplace/").status_code == 503
    assert client.get("/_sandbox/state").status_code == 200
    client.post("/_sandbox/faults", json=[])
    assert client.get("/marketplace/").status_code == 200


def test_a_reset_deletes_everything_but_the_time(world: ZoomWorld) -> None:
    a_subscriber(world)
    world.switch(decline="silence")
    world.create_meeting(next(iter(world.state.users)))

    web(world).post("/_sandbox/reset")

    state = web(world).get("/_sandbox/state").get_json()
    assert state["switches"]["decline"] == "redirect"
    assert {name for name, value in state.items() if value == []} == {
        "apps",
        "users",
        "meetings",
        "codes",
        "grants",
        "deliveries",
        "mails",
        "subscriptions",
    }
    assert datetime.fromisoformat(state["now"]).date() == NOON.date()


def test_the_state_and_the_deliveries_can_be_read(world: ZoomWorld) -> None:
    app, user = a_subscriber(world)
    world.create_meeting(user.id, topic="🚒")
    world.deliver_due()
    client = web(world)

    state = client.get("/_sandbox/state").get_json()
    rows = client.get("/_sandbox/deliveries").get_json()

    assert state["simulated"] is True
    assert state["apps"][0]["client_secret"] == app.client_secret
    assert [row["event"] for row in rows] == [
        "endpoint.url_validation",
        "meeting.created",
    ]
    assert rows[1]["state"] == "delivered"
    assert rows[1]["attempts"][0]["status"] == 200


def test_actions_are_called_by_name(world: ZoomWorld) -> None:
    app, user, client = an_app(world), a_user(world), web(world)
    asked = {
        "user_id": user.id,
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "state": "s1",
    }

    back = client.post("/_sandbox/do/authorize", json=asked).get_json()
    verdict = client.post(
        "/_sandbox/do/validate", json={"client_id": app.client_id, "url": HOOK}
    ).get_json()
    meeting = client.post(
        "/_sandbox/do/create_meeting", json={"user_id": user.id, "topic": "A"}
    ).get_json()

    assert urlsplit(back).query.endswith("state=s1")
    assert verdict["valid"] is True
    assert world.state.meetings[meeting["id"]].topic == "A"


def test_an_action_on_an_unknown_user_is_404() -> None:
    answer = web(a_world()).post(
        "/_sandbox/do/deactivate_user", json={"user_id": "nobody"}
    )

    assert answer.status_code == 404
