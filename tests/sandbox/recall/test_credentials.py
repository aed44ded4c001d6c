"""Credentials of the simulated Recall: tokens, callbacks, meeting sync."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook
from werkzeug.test import TestResponse

from tests.fixtures.simulated_recall import (
    CALLBACK_URL,
    CREDENTIAL_LOGS,
    CREDENTIALS,
    MAPPINGS,
    NOON,
    REDIRECT,
    Answer,
    Recall,
    a_token,
    plain,
    refused,
)

DEAD = {"error": "invalid_grant", "reason": "Invalid Token!"}
PMI = 5551234567
TOO_SOON = int((NOON + timedelta(seconds=118)).timestamp())
LATE_ENOUGH = int((NOON + timedelta(seconds=180)).timestamp())


def test_the_code_is_exchanged_at_zoom_with_the_apps_own_secret(recall: Recall) -> None:
    code = {"code": "user-1", "redirect_uri": REDIRECT, "code_verifier": "v" * 43}
    body = {"oauth_app": recall.app()["id"], "authorization_code": code}

    answer = recall.post(CREDENTIALS, body)

    asked = recall.zoom.requests[0]
    pair = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic "))
    form = {name: values[0] for name, values in parse_qs(asked.read().decode()).items()}
    assert answer.status_code == 201
    assert pair == b"test-client-id:test-client-secret"
    assert form == {"grant_type": "authorization_code", **code}
    assert asked.url.query == b""


@pytest.mark.parametrize(
    ("kind", "user_id", "account_id"),
    [("user_level", "user-1", None), ("account_level", None, "account-1")],
)
def test_a_credential_has_the_id_of_its_user_or_its_account_only(
    recall: Recall, kind: str, user_id: str | None, account_id: str | None
) -> None:
    credential = recall.credential(kind=kind)

    del credential["id"], credential["oauth_app"], credential["created_at"]
    assert credential == {
        "status": "healthy",
        "user_id": user_id,
        "account_id": account_id,
        "access_token_callback_url": None,
        "meeting_sync_status": "not_started",
    }


def test_the_token_has_the_user_id_if_the_user_cannot_be_read(recall: Recall) -> None:
    recall.zoom.answers["/v2/users/me"] = refused(400, code=4711, message="no scope")

    assert recall.credential("user-9")["user_id"] == "user-9"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"error": "invalid_grant", "reason": "Invalid code"}, "Invalid Grant"),
        ({"error": "invalid_request", "reason": "Redirect URI"}, "Invalid Grant"),
        ({"error": "invalid_client", "reason": "Invalid client_id"}, "Invalid Client"),
    ],
    ids=["code", "redirect", "secret"],
)
def test_a_refusal_by_zoom_becomes_a_400(
    recall: Recall, reply: dict[str, str], said: str
) -> None:
    recall.zoom.answers["/oauth/token"] = refused(400, **reply)

    answer = recall.connecting(recall.app()["id"])

    assert answer.status_code == 400
    assert said in answer.get_json()["detail"]
    assert recall.world.credentials == {}


FAILED = "Failed to exchange the authorization code: Invalid Grant (invalid_grant)."


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("detail", {"detail": FAILED}),
        (
            "nested_detail",
            {"detail": {"error": "invalid_grant", "reason": FAILED}},
        ),
        ("nested_field", {"authorization_code": {"code": [FAILED]}}),
    ],
)
def test_a_failed_exchange_is_told_in_the_form_that_is_switched_on(
    recall: Recall, form: str, body: dict[str, Any]
) -> None:
    recall.zoom.answers["/oauth/token"] = refused(400, error="invalid_grant")
    recall.switch(code_error=form)

    answer = recall.connecting(recall.app()["id"])

    assert (answer.status_code, answer.get_json()) == (400, body)


@pytest.mark.parametrize("status", [500, 302])
def test_an_outage_of_zoom_is_a_502(recall: Recall, status: int) -> None:
    recall.zoom.answers["/oauth/token"] = lambda _: httpx2.Response(status)

    assert recall.connecting(recall.app()["id"]).status_code == 502


def create(recall: Recall, **body: Any) -> Any:
    return recall.post(CREDENTIALS, {"oauth_app": recall.app()["id"], **body})


def test_a_code_or_a_callback_is_given_but_not_both(recall: Recall) -> None:
    code = {"code": "c", "redirect_uri": REDIRECT}
    url = "https://dashboard.example/token"

    neither = create(recall)
    null = create(recall, access_token_callback_url=None)
    both = create(recall, authorization_code=code, access_token_callback_url=url)

    assert {neither.status_code, null.status_code, both.status_code} == {400}
    assert "non_field_errors" in both.get_json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"oauth_app": "test-client-id"}, "oauth_app"),
        ({"oauth_app": "0b7e2a1c-9a7d-4df8-a5b8-3c2f6b1d0e9f"}, "oauth_app"),
        ({"authorization_code": None}, "authorization_code"),
        ({"authorization_code": {"code": "c"}}, "authorization_code"),
        (
            {"authorization_code": {"code": "c", "redirect_uri": "callback"}},
            "authorization_code",
        ),
        ({"access_token_callback_url": "https://a/" + "b" * 200}, None),
        ({"user_id": "user-1"}, "user_id"),
    ],
    ids=["client-id", "stranger", "null", "no-redirect", "no-url", "long", "unknown"],
)
def test_a_wrong_field_is_named(
    recall: Recall, body: dict[str, Any], field: str | None
) -> None:
    right = {"authorization_code": {"code": "c", "redirect_uri": REDIRECT}}

    answer = create(recall, **{**right, **body})

    assert answer.status_code == 400
    assert (field or "access_token_callback_url") in answer.get_json()
    assert recall.zoom.requests == []


@pytest.mark.parametrize(
    ("reconnect", "status"), [("upsert", 201), ("upsert_200", 200)]
)
def test_connecting_again_makes_the_same_credential_healthy(
    recall: Recall, reconnect: str, status: int
) -> None:
    recall.switch(reconnect=reconnect)
    first = recall.credential()
    recall.make_unhealthy(first)
    sick = recall.read(first)

    again = recall.connecting(first["oauth_app"])

    assert sick["status"] == "unhealthy"
    assert again.status_code == status
    assert again.get_json()["id"] == first["id"]
    assert again.get_json()["status"] == "healthy"
    assert recall.world.credentials[first["id"]].grant.refresh_token == "refresh-2"


@pytest.mark.parametrize(
    ("kind", "key", "value", "noun"),
    [
        ("user_level", "conflicting_zoom_user_id", "user-1", "user(user_id: user-1)"),
        (
            "account_level",
            "conflicting_zoom_account_id",
            "account-1",
            "account(account_id: account-1)",
        ),
    ],
)
def test_connecting_again_can_conflict_and_uses_the_code_up(
    recall: Recall, kind: str, key: str, value: str, noun: str
) -> None:
    first = recall.credential(kind=kind)
    recall.switch(reconnect="conflict")

    again = recall.connecting(first["oauth_app"])

    body = again.get_json()
    assert again.status_code == 400
    assert set(body) == {"detail", key}
    assert body[key] == value
    assert body["detail"].startswith("A Zoom OAuth Credential already exists for")
    assert body["detail"].endswith(f"for Zoom {noun} and try again.")
    assert recall.zoom.paths().count("/oauth/token") == 2
    assert recall.world.credentials[first["id"]].grant.refresh_token == "refresh-1"


def test_another_user_gets_a_credential_of_their_own(recall: Recall) -> None:
    first = recall.credential("user-1")

    second = recall.connecting(first["oauth_app"], "user-2").get_json()

    assert second["id"] != first["id"]


def test_deleting_a_credential_revokes_nothing(recall: Recall) -> None:
    path = f"{CREDENTIALS}{recall.credential()['id']}/"
    before = recall.zoom.paths()

    deleted = recall.http.delete(path, headers=recall.headers)

    assert (deleted.status_code, deleted.data) == (204, b"")
    assert recall.get(path).status_code == 404
    assert recall.zoom.paths() == before


def token(recall: Recall, credential: dict[str, Any]) -> TestResponse:
    return recall.get(f"{CREDENTIALS}{credential['id']}/access-token/")


def validate(recall: Recall, credential: dict[str, Any]) -> TestResponse:
    return recall.post(f"{CREDENTIALS}{credential['id']}/validate/")


def logged(recall: Recall, credential: dict[str, Any]) -> list[str]:
    page = recall.get(CREDENTIAL_LOGS, credential=credential["id"]).get_json()
    return [entry["message"] for entry in page["results"]]


def test_a_valid_token_is_returned_unchanged(recall: Recall) -> None:
    credential = recall.credential()

    body = token(recall, credential).get_json()

    left = datetime.fromisoformat(body["expires_at"]) - recall.world.clock.now()
    assert set(body) == {"token", "expires_at"}
    assert body["token"] == a_token("user-1", jti=1)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert recall.zoom.issued == 1


def test_a_token_with_less_than_five_minutes_left_is_refreshed_first(
    recall: Recall,
) -> None:
    credential = recall.credential()
    recall.world.clock.advance(56 * 60)

    body = token(recall, credential).get_json()

    assert body["token"] == a_token("user-1", jti=2)
    assert "refresh_token=refresh-1" in recall.zoom.requests[-1].read().decode()


def test_refreshing_ahead_can_be_switched_off(recall: Recall) -> None:
    recall.switch(refresh_ahead=False)
    credential = recall.credential()
    recall.world.clock.advance(61 * 60)

    body = token(recall, credential).get_json()

    assert body["token"] == a_token("user-1", jti=1)
    assert datetime.fromisoformat(body["expires_at"]) < recall.world.clock.now()


def test_the_third_dead_refresh_in_a_row_makes_a_credential_unhealthy(
    recall: Recall,
) -> None:
    credential = recall.credential()
    recall.zoom.answers["/oauth/token"] = refused(400, **DEAD)
    recall.world.clock.advance(3600)

    answers = [token(recall, credential) for _ in range(2)]
    still = recall.read(credential)["status"]
    token(recall, credential)

    assert [answer.status_code for answer in answers] == [400, 400]
    assert set(answers[0].get_json()) == {"code", "detail"}
    assert still == "healthy"
    assert recall.read(credential)["status"] == "unhealthy"
    assert (
        logged(recall, credential)
        == ["Failed to refresh the Zoom access token: invalid_grant Invalid Token!"] * 3
    )


def test_a_successful_refresh_resets_the_failures(recall: Recall) -> None:
    credential = recall.credential()
    recall.world.clock.advance(3600)
    recall.zoom.answers["/oauth/token"] = refused(400, **DEAD)
    for _ in range(2):
        token(recall, credential)
    del recall.zoom.answers["/oauth/token"]
    token(recall, credential)
    recall.zoom.answers["/oauth/token"] = refused(400, **DEAD)
    recall.world.clock.advance(3600)

    token(recall, credential)

    assert recall.read(credential)["status"] == "healthy"


def test_an_unhealthy_credential_returns_no_token(recall: Recall) -> None:
    credential = recall.credential()
    recall.make_unhealthy(credential)

    assert token(recall, credential).status_code == 400


def test_a_customers_token_is_fetched_and_returned(recall: Recall) -> None:
    recall.zoom.answers["/token"] = plain(a_token())
    credential = recall.connecting_by_callback().get_json()

    answer = token(recall, credential).get_json()

    assert answer["token"] == a_token()
    expires_at = datetime.fromisoformat(answer["expires_at"])
    assert expires_at == NOON + timedelta(hours=1)
    assert credential["access_token_callback_url"] == CALLBACK_URL


def test_validate_makes_a_working_credential_healthy(recall: Recall) -> None:
    credential = recall.credential()
    recall.make_unhealthy(credential)

    answer = validate(recall, credential)

    assert (answer.status_code, answer.data) == (200, b"")
    assert recall.read(credential)["status"] == "healthy"


def test_validate_notices_that_the_user_removed_the_app(recall: Recall) -> None:
    credential = recall.credential()
    recall.zoom.answers["/v2/users/me"] = refused(401, code=124, message="Invalid")
    recall.zoom.answers["/oauth/token"] = refused(400, **DEAD)

    answer = validate(recall, credential)

    assert (answer.status_code, answer.data) == (200, b"")
    assert recall.read(credential)["status"] == "unhealthy"
    assert "Invalid Token!" in logged(recall, credential)[0]


def test_validate_refreshes_a_token_that_zoom_no_longer_knows(recall: Recall) -> None:
    credential = recall.credential()

    def only_the_new_one(request: httpx2.Request) -> httpx2.Response:
        new = request.headers["Authorization"] == f"Bearer {a_token('user-1', jti=2)}"
        return httpx2.Response(200 if new else 401, json={})

    recall.zoom.answers["/v2/users/me"] = only_the_new_one

    validate(recall, credential)

    assert recall.read(credential)["status"] == "healthy"
    assert recall.zoom.issued == 2


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("healthy", refused(503)),
        ("unhealthy", refused(503)),
        ("healthy", refused(400, code=4711, message="no scope")),
    ],
    ids=["down", "down-while-unhealthy", "missing-scope"],
)
def test_an_outage_or_a_missing_scope_does_not_change_the_status(
    recall: Recall, status: str, answer: Answer
) -> None:
    credential = recall.credential()
    if status == "unhealthy":
        recall.make_unhealthy(credential)
    recall.zoom.answers["/v2/users/me"] = answer

    validate(recall, credential)

    assert recall.read(credential)["status"] == status


def test_the_callback_url_is_called_unchanged_and_its_token_has_the_user_id(
    recall: Recall,
) -> None:
    recall.zoom.answers["/token"] = plain(a_token("user-7", exp=LATE_ENOUGH))

    credential = recall.connecting_by_callback().get_json()

    asked = recall.zoom.requests
    assert [str(request.url) for request in asked] == [CALLBACK_URL]
    assert asked[0].method == "GET"
    assert credential["user_id"] == "user-7"
    assert credential["access_token_callback_url"] == CALLBACK_URL


def too_slow(request: httpx2.Request) -> httpx2.Response:
    assert request.extensions["timeout"]["read"] == 5.0
    raise httpx2.ReadTimeout("simulated")


NO_TOKEN = "did not answer with a Zoom access token"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (plain("opaque"), NO_TOKEN),
        (plain(f'"{a_token()}"'), NO_TOKEN),
        (plain(a_token() + "\n"), NO_TOKEN),
        (plain(a_token(exp=None)), NO_TOKEN),
        (plain(a_token(exp=10**30)), NO_TOKEN),
        (plain(a_token(iss="zm:cid:another-client")), "another Zoom client id"),
        (plain(a_token(exp=TOO_SOON)), "less than 120 seconds"),
        (plain(a_token(), status=503), "answered 503"),
        (too_slow, "within 5 seconds"),
    ],
    ids=[
        "opaque",
        "quoted",
        "newline",
        "no-exp",
        "far-exp",
        "app",
        "old",
        "503",
        "slow",
    ],
)
def test_a_callback_without_a_valid_token_makes_the_create_fail(
    recall: Recall, answer: Answer, said: str
) -> None:
    recall.zoom.answers["/token"] = answer

    refusal = recall.connecting_by_callback()

    assert refusal.status_code == 400
    assert said in refusal.get_json()["detail"]
    assert recall.world.credentials == {}


def test_a_callback_is_unsigned_until_the_workspace_has_a_secret(
    recall: Recall,
) -> None:
    recall.zoom.answers["/token"] = plain(a_token())

    recall.connecting_by_callback()

    assert "webhook-signature" not in recall.zoom.requests[0].headers


def test_a_callback_is_signed_with_the_workspaces_secret(recall: Recall) -> None:
    recall.zoom.answers["/token"] = plain(a_token())
    secret = recall.world.renew_verification_secret(recall.key)

    recall.connecting_by_callback()

    headers = recall.zoom.requests[0].headers
    message_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    expected = Webhook(secret).sign(message_id, datetime.fromtimestamp(at, UTC), "")
    assert message_id.startswith("msg_")
    assert at == int(NOON.timestamp())
    assert headers["webhook-signature"] == expected


def test_an_old_secret_signs_beside_the_new_one_for_a_day(recall: Recall) -> None:
    recall.zoom.answers["/token"] = plain(a_token())
    recall.world.renew_verification_secret(recall.key)
    recall.world.renew_verification_secret(recall.key)

    recall.connecting_by_callback()
    recall.world.clock.advance(24 * 3600 + 1)
    recall.connecting_by_callback()

    signatures = [
        request.headers["webhook-signature"].split() for request in recall.zoom.requests
    ]
    assert [len(found) for found in signatures] == [2, 1]
    assert all(one.startswith("v1,") for one in signatures[0])
    digests = {base64.b64decode(one.removeprefix("v1,")) for one in signatures[0]}
    assert len(digests) == 2


def sync_status(recall: Recall, credential: dict[str, Any]) -> str:
    return str(recall.read(credential)["meeting_sync_status"])


def test_the_first_sync_starts_at_once_and_shows_each_status(recall: Recall) -> None:
    credential = recall.credential()

    stages = [sync_status(recall, credential)]
    recall.run_due()
    stages.append(sync_status(recall, credential))
    recall.run_due()
    stages.append(sync_status(recall, credential))

    assert stages == ["not_started", "in_progress", "completed"]
    assert recall.run_due() == 0


def test_a_sync_maps_the_pmi_and_every_page_of_meetings(recall: Recall) -> None:
    recall.zoom.meetings = [84731728293, 84731728294, 84731728295]
    credential = recall.credential()

    recall.sync()

    assert recall.mapped() == [PMI, 84731728293, 84731728294, 84731728295]
    entry = recall.get(MAPPINGS, meeting_id=PMI).get_json()["results"][0]
    assert set(entry) == {"meeting_id", "credential", "synced_at"}
    assert entry["credential"] == credential["id"]


def test_an_account_level_sync_reads_every_user(recall: Recall) -> None:
    recall.credential(kind="account_level")

    recall.sync()

    assert "/v2/users/user-1/meetings" in recall.zoom.paths()
    assert "/v2/users/user-2/meetings" in recall.zoom.paths()
    assert recall.mapped() == [PMI, 84731728293]


def test_a_resync_finds_new_meetings(recall: Recall) -> None:
    credential = recall.credential()
    recall.sync()
    recall.zoom.meetings.append(84731728299)

    answer = recall.post(f"{CREDENTIALS}{credential['id']}/sync-meetings/")
    asked = sync_status(recall, credential)
    recall.sync()

    assert (answer.status_code, answer.data) == (200, b"")
    assert asked == "not_started"
    assert 84731728299 in recall.mapped()


def test_a_missing_scope_fails_the_sync_and_is_logged(recall: Recall) -> None:
    text = "Invalid access token, does not contain scopes:[meeting:read:list_meetings]."
    recall.zoom.answers["/v2/users/me/meetings"] = refused(400, code=4711, message=text)
    credential = recall.credential()

    recall.sync()

    entries = recall.get(CREDENTIAL_LOGS).get_json()["results"]
    assert sync_status(recall, credential) == "failed"
    assert set(entries[0]) == {"credential", "message", "created_at"}
    assert entries[0]["credential"] == credential["id"]
    assert "meeting:read:list_meetings" in entries[0]["message"]
    assert recall.mapped() == []


@pytest.mark.parametrize("cause", ["switch", "another-shape"])
def test_a_sync_that_fails_leaves_the_credential_healthy(
    recall: Recall, cause: str
) -> None:
    if cause == "switch":
        recall.switch(meeting_sync="fails")
    else:
        recall.zoom.answers["/v2/users/me/meetings"] = refused(200, unexpected=[1])
    credential = recall.credential()

    recall.sync()

    assert sync_status(recall, credential) == "failed"
    assert recall.read(credential)["status"] == "healthy"


def test_a_dead_grant_fails_the_sync_and_counts_as_an_error(recall: Recall) -> None:
    credential = recall.credential()
    recall.world.clock.advance(3600)
    recall.zoom.answers["/oauth/token"] = refused(400, **DEAD)

    recall.sync()

    assert sync_status(recall, credential) == "failed"
    assert recall.world.credentials[credential["id"]].errors == 1
