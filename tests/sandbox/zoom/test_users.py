"""The events about users and meetings (docs/contracts/zoom.md 6)."""

from typing import Any

import pytest

from dashboard.sandbox.zoom.scopes import EVENTS
from tests.fixtures.simulated_zoom import HOOK, Subscriber


@pytest.fixture
def zoom() -> Subscriber:
    return Subscriber(events=list(EVENTS))


def test_meeting_created_has_the_required_fields_and_a_numeric_id(
    zoom: Subscriber,
) -> None:
    meeting = zoom.world.create_meeting(zoom.user.id, topic="Weekly")

    event = zoom.event()
    assert event["event"] == "meeting.created"
    assert event["payload"]["account_id"] == zoom.user.account_id
    assert event["payload"]["operator_id"] == zoom.user.id
    shown = event["payload"]["object"]
    assert shown["id"] == meeting.id
    assert shown["host_id"] == zoom.user.id
    assert shown["settings"]["use_pmi"] is False
    assert {"uuid", "topic", "type", "duration", "join_url"} <= set(shown)


def test_meeting_created_with_the_pmi_carries_it_as_a_string(zoom: Subscriber) -> None:
    zoom.world.create_meeting(zoom.user.id, use_pmi=True)

    shown = zoom.event()["payload"]["object"]
    assert shown["pmi"] == str(zoom.user.pmi)
    assert shown["settings"]["use_pmi"] is True


def test_meeting_updated_holds_only_the_id_and_what_changed(zoom: Subscriber) -> None:
    meeting = zoom.world.create_meeting(zoom.user.id, topic="Weekly")

    zoom.world.update_meeting(meeting.id, topic="Moved")

    payload = zoom.event()["payload"]
    assert payload["object"] == {"id": meeting.id, "topic": "Moved"}
    assert payload["old_object"] == {"id": meeting.id, "topic": "Weekly"}
    assert isinstance(payload["time_stamp"], int)


def test_meeting_deleted_has_no_join_link(zoom: Subscriber) -> None:
    meeting = zoom.world.create_meeting(zoom.user.id)

    zoom.world.delete_meeting(meeting.id)

    shown = zoom.event()["payload"]["object"]
    assert shown["id"] == meeting.id
    assert "join_url" not in shown
    assert meeting.id not in zoom.world.state.meetings


@pytest.mark.parametrize("action", ["start_meeting", "end_meeting"])
def test_started_and_ended_carry_the_id_as_a_string(
    zoom: Subscriber, action: str
) -> None:
    meeting = zoom.world.create_meeting(zoom.user.id)

    getattr(zoom.world, action)(meeting.id)

    assert zoom.event()["payload"]["object"]["id"] == str(meeting.id)


def test_a_started_pmi_meeting_appears_as_the_personal_room(zoom: Subscriber) -> None:
    meeting = zoom.world.create_meeting(zoom.user.id, topic="Weekly", use_pmi=True)

    zoom.world.start_meeting(meeting.id)

    shown = zoom.event()["payload"]["object"]
    assert (shown["id"], shown["type"]) == (str(zoom.user.pmi), 4)
    assert shown["topic"] == "Ana Nowak's Personal Meeting Room"


def test_a_changed_pmi_is_sent_as_numbers_new_and_old(zoom: Subscriber) -> None:
    old = zoom.user.pmi

    zoom.world.change_pmi(zoom.user.id, 5559876543)

    event = zoom.event()
    assert event["event"] == "user.updated"
    assert event["payload"]["object"] == {"id": zoom.user.id, "pmi": 5559876543}
    assert event["payload"]["old_object"] == {"id": zoom.user.id, "pmi": old}


def test_the_old_values_can_be_left_out(zoom: Subscriber) -> None:
    zoom.world.switch(old_object=False)

    zoom.world.change_pmi(zoom.user.id, 5559876543)

    assert "old_object" not in zoom.event()["payload"]


def test_another_change_of_the_profile_has_no_pmi(zoom: Subscriber) -> None:
    zoom.world.change_user(zoom.user.id, dept="Sales")

    assert zoom.event()["payload"]["object"] == {
        "id": zoom.user.id,
        "dept": "Sales",
    }


def test_no_change_is_no_event(zoom: Subscriber) -> None:
    zoom.world.change_pmi(zoom.user.id, zoom.user.pmi)

    assert zoom.world.deliver_due() == 0


def test_deactivating_a_user_sends_an_event(zoom: Subscriber) -> None:
    zoom.world.deactivate_user(zoom.user.id)

    event = zoom.event()
    assert event["event"] == "user.deactivated"
    assert event["payload"]["object"] == {
        "id": zoom.user.id,
        "first_name": "Ana",
        "last_name": "Nowak",
        "email": "ana@example.com",
        "type": 2,
    }


def removed(**switches: object) -> Any:
    """Return the event a published app gets when a user removes it."""
    zoom = Subscriber(published=True, deauthorization_url=HOOK + "/bye")
    zoom.world.switch(**switches)
    zoom.world.uninstall(zoom.app.client_id, zoom.user.id)
    event = zoom.event()
    assert str(zoom.endpoint.requests[-1].url) == HOOK + "/bye"
    assert event["payload"]["client_id"] == zoom.app.client_id
    assert event["payload"]["user_id"] == zoom.user.id
    return event


def test_removal_of_a_published_app_has_no_object() -> None:
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


def test_removal_of_an_unpublished_app_sends_nothing() -> None:
    zoom = Subscriber(deauthorization_url=HOOK + "/bye")

    zoom.world.uninstall(zoom.app.client_id, zoom.user.id)

    assert zoom.world.deliver_due() == 0
