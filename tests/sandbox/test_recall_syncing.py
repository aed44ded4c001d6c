from typing import Any

from tests.fixtures.simulated_recall import (
    CREDENTIALS,
    MAPPINGS,
    Bench,
    a_recall,
    refused,
)

CREDENTIAL_LOGS = "/api/v2/zoom-oauth-credential-logs/"
PMI = 5551234567


def finish(recall: Bench) -> None:
    recall.run_due()
    recall.run_due()


def mapped(recall: Bench) -> list[int]:
    results = recall.get(MAPPINGS).get_json()["results"]
    return sorted(entry["meeting_id"] for entry in results)


def sync_status(recall: Bench, credential: dict[str, Any]) -> str:
    return str(recall.read(credential)["meeting_sync_status"])


def test_the_first_sync_starts_by_itself_and_shows_each_stage() -> None:
    recall = a_recall()
    credential = recall.credential()

    stages = [sync_status(recall, credential)]
    recall.run_due()
    stages.append(sync_status(recall, credential))
    recall.run_due()
    stages.append(sync_status(recall, credential))

    assert stages == ["not_started", "in_progress", "completed"]
    assert recall.run_due() == 0


def test_a_sync_maps_the_pmi_and_every_page_of_meetings() -> None:
    recall = a_recall()
    recall.zoom.meetings = [84731728293, 84731728294, 84731728295]
    credential = recall.credential()

    finish(recall)

    assert mapped(recall) == [PMI, 84731728293, 84731728294, 84731728295]
    entry = recall.get(MAPPINGS, meeting_id=PMI).get_json()["results"][0]
    assert set(entry) == {"meeting_id", "credential", "synced_at"}
    assert entry["credential"] == credential["id"]


def test_an_account_level_sync_reads_every_user() -> None:
    recall = a_recall()
    recall.credential(kind="account_level")

    finish(recall)

    assert "/v2/users/user-1/meetings" in recall.zoom.paths()
    assert "/v2/users/user-2/meetings" in recall.zoom.paths()
    assert mapped(recall) == [PMI, 84731728293]


def test_a_resync_answers_nothing_and_finds_new_meetings() -> None:
    recall = a_recall()
    credential = recall.credential()
    finish(recall)
    recall.zoom.meetings.append(84731728299)

    answer = recall.post(f"{CREDENTIALS}{credential['id']}/sync-meetings/")
    asked = sync_status(recall, credential)
    finish(recall)

    assert (answer.status_code, answer.data) == (200, b"")
    assert asked == "not_started"
    assert 84731728299 in mapped(recall)


def test_a_missing_scope_fails_the_sync_and_is_logged() -> None:
    recall = a_recall()
    text = "Invalid access token, does not contain scopes:[meeting:read:list_meetings]."
    recall.zoom.answers["/v2/users/me/meetings"] = refused(400, code=4711, message=text)
    credential = recall.credential()

    finish(recall)

    entries = recall.get(CREDENTIAL_LOGS).get_json()["results"]
    assert sync_status(recall, credential) == "failed"
    assert set(entries[0]) == {"credential", "message", "created_at"}
    assert entries[0]["credential"] == credential["id"]
    assert "meeting:read:list_meetings" in entries[0]["message"]
    assert mapped(recall) == []


def test_a_sync_can_be_made_to_fail() -> None:
    recall = a_recall()
    recall.switch(meeting_sync="fails")
    credential = recall.credential()

    finish(recall)

    assert sync_status(recall, credential) == "failed"
    assert recall.read(credential)["status"] == "healthy"


def test_a_dead_grant_fails_the_sync_and_counts_as_an_error() -> None:
    recall = a_recall()
    credential = recall.credential()
    recall.world.clock.advance(3600)
    recall.zoom.answers["/oauth/token"] = refused(400, error="invalid_grant")

    finish(recall)

    assert sync_status(recall, credential) == "failed"
    assert recall.world.credentials[credential["id"]].errors == 1


def test_an_answer_of_another_shape_fails_the_sync() -> None:
    recall = a_recall()
    recall.zoom.answers["/v2/users/me/meetings"] = refused(200, unexpected=[1, 2, 3])
    credential = recall.credential()

    finish(recall)

    assert sync_status(recall, credential) == "failed"
