"""Bots of the simulated Recall: how they get in, and what keeps them from recording."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.sandbox.recall.world import ENDED, FATAL
from tests.fixtures.simulated_recall import Recall, plain, refused

BOTS = "/api/v1/bot/"
MEETING = 81234567890
DENIED = (
    "zoom_local_recording_disabled",
    "zoom_local_recording_request_disabled",
    "zoom_local_recording_request_disabled_by_host",
    "zoom_local_recording_request_denied_by_host",
    "zoom_local_recording_denied",
    "zoom_host_not_present",
    "zoom_bot_in_waiting_room",
    "zoom_local_recording_grant_not_supported",
    "zoom_sdk_key_blocked_by_host_admin",
)
LINK = f"https://us02web.zoom.us/j/{MEETING}?pwd=abc"
TOKEN = f"/v2/meetings/{MEETING}/jointoken/local_recording"


def way(recall: Recall, bot_id: str) -> list[tuple[str, str | None]]:
    bot = recall.get(f"{BOTS}{bot_id}/").get_json()
    return [(one["code"], one["sub_code"]) for one in bot["status_changes"]]


def sent(recall: Recall) -> str:
    answer = recall.post(BOTS, {"meeting_url": LINK})
    assert answer.status_code == 201, answer.text
    bot_id: str = answer.get_json()["id"]
    return bot_id


def map_it(recall: Recall) -> None:
    credential = recall.world.credentials[recall.credential()["id"]]
    recall.world.map_meeting(MEETING, credential)


def test_a_bot_with_a_join_token_records_without_asking(recall: Recall) -> None:
    map_it(recall)
    recall.zoom.answers[TOKEN] = plain('{"token": "t", "expire_in": 120}')

    bot_id = sent(recall)
    first = way(recall, bot_id)
    recall.world.clock.advance(60)

    assert first == [("joining_call", None)]
    assert [code for code, _ in way(recall, bot_id)] == [
        "joining_call",
        "in_call_not_recording",
        "recording_permission_allowed",
        "in_call_recording",
        "call_ended",
        "done",
    ]


@pytest.mark.parametrize("is_mapped", [False, True])
def test_a_bot_without_one_asks_in_vain(recall: Recall, is_mapped: bool) -> None:  # noqa: FBT001
    if is_mapped:
        map_it(recall)
        recall.zoom.answers[TOKEN] = refused(404, code=3001, message="no meeting")

    bot_id = sent(recall)
    recall.world.clock.advance(60)

    assert ("recording_permission_denied", "zoom_host_not_present") in way(
        recall, bot_id
    )
    logged = [one.message for one in recall.world.credential_logs]
    failed = "zoom_join_token_fetch_using_zoom_oauth_failed"
    assert any(failed in message for message in logged) is is_mapped


@pytest.mark.parametrize("sub_code", [*DENIED, "zoom_something_new"])
def test_each_refusal_can_be_had(recall: Recall, sub_code: str) -> None:
    recall.world.set_switches({"bots": sub_code})

    bot_id = sent(recall)
    recall.world.clock.advance(60)

    assert ("recording_permission_denied", sub_code) in way(recall, bot_id)


@pytest.mark.parametrize("sub_code", FATAL)
def test_a_fatal_error_ends_a_bot(recall: Recall, sub_code: str) -> None:
    recall.world.set_switches({"bots": sub_code})

    bot_id = sent(recall)
    recall.world.clock.advance(60)

    known = "zoom_internal_error_300" if sub_code == "automated bots" else sub_code
    assert way(recall, bot_id)[-1] == ("fatal", known)


def test_that_automated_bots_are_not_allowed_is_in_words_alone(recall: Recall) -> None:
    recall.world.set_switches({"bots": "automated bots"})

    bot_id = sent(recall)
    recall.world.clock.advance(60)

    bot = recall.get(f"{BOTS}{bot_id}/").get_json()
    assert "automated bots" in bot["status_changes"][-1]["message"]


@pytest.mark.parametrize("sub_code", ENDED)
def test_a_bot_may_leave_the_waiting_room(recall: Recall, sub_code: str) -> None:
    recall.world.set_switches({"bots": sub_code})

    bot_id = sent(recall)
    recall.world.clock.advance(60)

    assert ("call_ended", sub_code) in way(recall, bot_id)


def test_bots_are_listed_in_numbered_pages_newest_first(recall: Recall) -> None:
    ids = [sent(recall) for _ in range(101)]

    first = recall.get(BOTS, platform="zoom").get_json()
    second = recall.get(BOTS, **parse_qs(urlsplit(first["next"]).query)).get_json()

    assert (first["count"], first["previous"], second["next"]) == (101, None, None)
    assert "platform=zoom" in first["next"]
    assert [one["id"] for one in first["results"] + second["results"]] == ids[::-1]
    assert recall.get(BOTS, platform="webex").get_json()["results"] == []
    assert recall.get(BOTS, meeting_url=LINK[:-1]).get_json()["count"] == 0
    assert recall.get(BOTS, meeting_url=LINK).get_json()["count"] == 101


def test_a_bot_may_wait_for_good(recall: Recall) -> None:
    recall.world.set_switches({"bots": "waiting"})

    bot_id = sent(recall)
    recall.world.clock.advance(3600)

    assert way(recall, bot_id)[-1] == ("in_waiting_room", None)


def test_the_answer_names_the_meeting_in_parts(recall: Recall) -> None:
    bot = recall.post(BOTS, {"meeting_url": LINK, "bot_name": "Probe"}).get_json()

    assert bot["bot_name"] == "Probe"
    assert bot["meeting_url"] == {
        "meeting_id": str(MEETING),
        "meeting_password": "abc",
        "platform": "zoom",
    }


def test_what_is_no_meeting_is_refused(recall: Recall) -> None:
    for body in ({}, {"meeting_url": "https://example.com/j/1"}, {"x": 1}):
        assert recall.post(BOTS, body).status_code == 400


def test_there_may_be_no_bot_free(recall: Recall) -> None:
    recall.world.set_switches({"bots_free": "none"})

    answer = recall.post(BOTS, {"meeting_url": LINK})

    assert (answer.status_code, answer.headers["Retry-After"]) == (507, "30")


def test_another_workspace_sees_no_bot(recall: Recall) -> None:
    bot_id = sent(recall)
    other = recall.world.add_workspace()

    answer = replace(recall, key=other.api_key).get(f"{BOTS}{bot_id}/")

    assert answer.status_code == 404
