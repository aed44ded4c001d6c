import base64
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from tests.fixtures.simulated_recall import (
    CREDENTIALS,
    REDIRECT,
    Bench,
    a_recall,
    refused,
)


def test_the_code_is_spent_at_zoom_with_the_apps_own_secret() -> None:
    recall = a_recall()
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


def test_a_credential_of_a_user_level_app_names_the_user_only() -> None:
    recall = a_recall()

    credential = recall.credential()

    assert set(credential) == {
        "id",
        "oauth_app",
        "status",
        "user_id",
        "account_id",
        "access_token_callback_url",
        "created_at",
        "meeting_sync_status",
    }
    assert (credential["user_id"], credential["account_id"]) == ("user-1", None)
    assert credential["status"] == "healthy"
    assert credential["meeting_sync_status"] == "not_started"
    assert credential["access_token_callback_url"] is None


def test_a_credential_of_an_account_level_app_names_the_account_only() -> None:
    credential = a_recall().credential(kind="account_level")

    assert (credential["user_id"], credential["account_id"]) == (None, "account-1")


def test_a_user_who_cannot_be_read_is_known_by_the_token() -> None:
    recall = a_recall()
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
def test_a_refusal_of_zoom_is_passed_on_as_400(
    reply: dict[str, str], said: str
) -> None:
    recall = a_recall()
    recall.zoom.answers["/oauth/token"] = refused(400, **reply)

    answer = recall.connecting(recall.app()["id"])

    assert answer.status_code == 400
    assert said in answer.get_json()["detail"]
    assert recall.world.credentials == {}


@pytest.mark.parametrize("status", [500, 302])
def test_a_zoom_that_is_down_is_not_a_refusal(status: int) -> None:
    recall = a_recall()
    recall.zoom.answers["/oauth/token"] = lambda _: httpx2.Response(status)

    assert recall.connecting(recall.app()["id"]).status_code == 502


def create(recall: Bench, **body: Any) -> Any:
    return recall.post(CREDENTIALS, {"oauth_app": recall.app()["id"], **body})


def test_a_grant_comes_one_way_only() -> None:
    recall = a_recall()
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
def test_a_wrong_field_is_named(body: dict[str, Any], field: str | None) -> None:
    recall = a_recall()
    right = {"authorization_code": {"code": "c", "redirect_uri": REDIRECT}}

    answer = create(recall, **{**right, **body})

    assert answer.status_code == 400
    assert (field or "access_token_callback_url") in answer.get_json()
    assert recall.zoom.requests == []


@pytest.mark.parametrize(
    ("reconnect", "status"), [("upsert", 201), ("upsert_200", 200)]
)
def test_connecting_again_heals_the_same_credential(
    reconnect: str, status: int
) -> None:
    recall = a_recall()
    recall.switch(reconnect=reconnect)
    first = recall.credential()
    for _ in range(3):
        recall.world.record_failure(recall.world.credentials[first["id"]], "broken")
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
def test_connecting_again_can_conflict_and_costs_the_code(
    kind: str, key: str, value: str, noun: str
) -> None:
    recall = a_recall()
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


def test_another_user_gets_a_credential_of_their_own() -> None:
    recall = a_recall()
    first = recall.credential("user-1")

    second = recall.connecting(first["oauth_app"], "user-2").get_json()

    assert second["id"] != first["id"]


def test_a_deleted_credential_is_gone_and_nothing_is_revoked() -> None:
    recall = a_recall()
    path = f"{CREDENTIALS}{recall.credential()['id']}/"
    before = recall.zoom.paths()

    deleted = recall.http.delete(path, headers=recall.headers)

    assert (deleted.status_code, deleted.data) == (204, b"")
    assert recall.get(path).status_code == 404
    assert recall.zoom.paths() == before
