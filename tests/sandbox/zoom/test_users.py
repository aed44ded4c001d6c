"""The events about users and meetings (docs/contracts/zoom.md 6)."""

from typing import Any

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomUser
from dashboard.sandbox.zoom.scopes import EVENTS
from tests.fixtures.simulated_zoom import (
    HOOK,
    Endpoint,
    a_subscriber,
    a_world,
)


def told(**app_fields: object) -> tuple[Endpoint, ZoomWorld, ZoomUser]:
    """Return an endpoint that hears every event of a user."""
    endpoint = Endpoint()
    world = a_world(endpoint)
    _, user = a_subscriber(world, events=list(EVENTS), **app_fields)
    return endpoint, world, user


def last(endpoint: Endpoint, world: ZoomWorld) -> Any:
    world.deliver_due()
    return endpoint.events()[-1]


def test_meeting_created_has_the_required_fields_and_a_numeric_id() -> None:
    endpoint, world, user = told()

    meeting = world.create_meeting(user.id, topic="Weekly")

    event = last(endpoint, world)
    assert event["event"] == "meeting.created"
    assert event["payload"]["account_id"] == user.account_id
    assert event["payload"]["operator_id"] == user.id
    shown = event["payload"]["object"]
    assert shown["id"] == meeting.id
    assert shown["host_id"] == user.id
    assert shown["settings"]["use_pmi"] is False
    assert {"uuid", "topic", "type", "duration", "join_url"} <= set(shown)


def test_meeting_created_with_the_pmi_carries_it_as_a_string() -> None:
    endpoint, world, user = told()

    world.create_meeting(user.id, use_pmi=True)

    shown = last(endpoint, world)["payload"]["object"]
    assert shown["pmi"] == str(user.pmi)
    assert shown["settings"]["use_pmi"] is True


def test_meeting_updated_holds_only_the_id_and_what_changed() -> None:
    endpoint, world, user = told()
    meeting = world.create_meeting(user.id, topic="Weekly")

    world.update_meeting(meeting.id, topic="Moved")

    payload = last(endpoint, world)["payload"]
    assert payload["object"] == {"id": meeting.id, "topic": "Moved"}
    assert payload["old_object"] == {"id": meeting.id, "topic": "Weekly"}
    assert isinstance(payload["time_stamp"], int)


def test_meeting_deleted_has_no_join_link() -> None:
    endpoint, world, user = told()
    meeting = world.create_meeting(user.id)

    world.delete_meeting(meeting.id)

    shown = last(endpoint, world)["payload"]["object"]
    assert shown["id"] == meeting.id
    assert "join_url" not in shown
    assert meeting.id not in world.state.meetings


@pytest.mark.parametrize("deed", ["start_meeting", "end_meeting"])
def test_started_and_ended_carry_the_id_as_a_string(deed: str) -> None:
    endpoint, world, user = told()
    meeting = world.create_meeting(user.id)

    getattr(world, deed)(meeting.id)

    assert last(endpoint, world)["payload"]["object"]["id"] == str(meeting.id)


def test_a_started_pmi_meeting_appears_as_the_personal_room() -> None:
    endpoint, world, user = told()
    meeting = world.create_meeting(user.id, topic="Weekly", use_pmi=True)

    world.start_meeting(meeting.id)

    shown = last(endpoint, world)["payload"]["object"]
    assert (shown["id"], shown["type"]) == (str(user.pmi), 4)
    assert shown["topic"] == "Ana Nowak's Personal Meeting Room"


def test_a_changed_pmi_is_told_as_numbers_new_and_old() -> None:
    endpoint, world, user = told()
    old = user.pmi

    world.change_pmi(user.id, 5559876543)

    event = last(endpoint, world)
    assert event["event"] == "user.updated"
    assert event["payload"]["object"] == {"id": user.id, "pmi": 5559876543}
    assert event["payload"]["old_object"] == {"id": user.id, "pmi": old}


def test_the_old_values_can_be_left_out() -> None:
    endpoint, world, user = told()
    world.switch(old_object=False)

    world.change_pmi(user.id, 5559876543)

    assert "old_object" not in last(endpoint, world)["payload"]


def test_another_change_of_the_profile_has_no_pmi() -> None:
    endpoint, world, user = told()

    world.change_user(user.id, dept="Sales")

    assert last(endpoint, world)["payload"]["object"] == {
        "id": user.id,
        "dept": "Sales",
    }


def test_nothing_changed_is_no_event() -> None:
    _, world, user = told()

    world.change_pmi(user.id, user.pmi)

    assert world.deliver_due() == 0


def test_a_deactivated_user_is_told() -> None:
    endpoint, world, user = told()

    world.deactivate_user(user.id)

    event = last(endpoint, world)
    assert event["event"] == "user.deactivated"
    assert event["payload"]["object"] == {
        "id": user.id,
        "first_name": "Ana",
        "last_name": "Nowak",
        "email": "ana@example.com",
        "type": 2,
    }


def removed(**switches: object) -> Any:
    """Return what a published app's deauthorization endpoint hears."""
    endpoint, world, user = told(published=True, deauthorization_url=HOOK + "/bye")
    world.switch(**switches)
    client_id = next(iter(world.state.apps))
    world.uninstall(client_id, user.id)
    event = last(endpoint, world)
    assert str(endpoint.requests[-1].url) == HOOK + "/bye"
    assert event["payload"]["client_id"] == client_id
    assert event["payload"]["user_id"] == user.id
    return event


def test_removal_of_a_published_app_is_told_without_an_object() -> None:
    event = removed()

    assert event["event"] == "app_deauthorized"
    assert isinstance(event["event_ts"], int)
    assert "object" not in event["payload"]
    assert len(event["payload"]["signature"]) == 64
    assert "user_data_retention" not in event["payload"]


@pytest.mark.parametrize(
    ("where", "outer", "inner"),
    [("top", True, False), ("payload", False, True), ("absent", False, False)],
)
def test_removal_may_carry_its_time_elsewhere(
    where: str, *, outer: bool, inner: bool
) -> None:
    event = removed(deauthorized_ts=where)

    assert ("event_ts" in event, "event_ts" in event["payload"]) == (outer, inner)


def test_removal_may_carry_the_legacy_retention_field_as_text() -> None:
    event = removed(data_retention=True)

    assert event["payload"]["user_data_retention"] == "false"


def test_removal_of_an_unpublished_app_is_told_to_nobody() -> None:
    _, world, user = told(deauthorization_url=HOOK + "/bye")

    world.uninstall(next(iter(world.state.apps)), user.id)

    assert world.deliver_due() == 0
