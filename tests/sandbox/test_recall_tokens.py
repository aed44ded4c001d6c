from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from werkzeug.test import TestResponse

from tests.fixtures.simulated_recall import (
    CREDENTIALS,
    NOON,
    Bench,
    a_recall,
    a_token,
    plain,
    refused,
)

DEAD = {"error": "invalid_grant", "reason": "Invalid Token!"}
CREDENTIAL_LOGS = "/api/v2/zoom-oauth-credential-logs/"


def token(recall: Bench, credential: dict[str, Any]) -> TestResponse:
    return recall.get(f"{CREDENTIALS}{credential['id']}/access-token/")


def validate(recall: Bench, credential: dict[str, Any]) -> TestResponse:
    return recall.post(f"{CREDENTIALS}{credential['id']}/validate/")


def logged(recall: Bench, credential: dict[str, Any]) -> list[str]:
    page = recall.get(CREDENTIAL_LOGS, credential=credential["id"]).get_json()
    return [entry["message"] for entry in page["results"]]


def test_a_living_token_is_handed_out_as_it_is() -> None:
    recall = a_recall()
    credential = recall.credential()

    body = token(recall, credential).get_json()

    left = datetime.fromisoformat(body["expires_at"]) - recall.world.clock.now()
    assert set(body) == {"token", "expires_at"}
    assert body["token"] == a_token("user-1", jti=1)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert recall.zoom.issued == 1


def test_a_token_with_less_than_five_minutes_left_is_refreshed_first() -> None:
    recall = a_recall()
    credential = recall.credential()
    recall.world.clock.advance(56 * 60)

    body = token(recall, credential).get_json()

    assert body["token"] == a_token("user-1", jti=2)
    assert "refresh_token=refresh-1" in recall.zoom.requests[-1].read().decode()


def test_refreshing_ahead_can_be_switched_off() -> None:
    recall = a_recall()
    recall.switch(refresh_ahead=False)
    credential = recall.credential()
    recall.world.clock.advance(61 * 60)

    body = token(recall, credential).get_json()

    assert body["token"] == a_token("user-1", jti=1)
    assert datetime.fromisoformat(body["expires_at"]) < recall.world.clock.now()


def test_the_third_dead_refresh_in_a_row_makes_a_credential_unhealthy() -> None:
    recall = a_recall()
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


def test_a_refresh_that_works_forgives_the_failures_before_it() -> None:
    recall = a_recall()
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


def test_an_unhealthy_credential_hands_out_nothing() -> None:
    recall = a_recall()
    credential = recall.credential()
    for _ in range(3):
        recall.world.record_failure(recall.world.credentials[credential["id"]], "x")

    assert token(recall, credential).status_code == 400


def test_a_customers_token_is_fetched_and_handed_out() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(a_token())
    url = "https://dashboard.example/token?key=test-secret"
    body = {"oauth_app": recall.app()["id"], "access_token_callback_url": url}
    credential = recall.post(CREDENTIALS, body).get_json()

    answer = token(recall, credential).get_json()

    assert answer["token"] == a_token()
    expires_at = datetime.fromisoformat(answer["expires_at"])
    assert expires_at == NOON + timedelta(hours=1)
    assert credential["access_token_callback_url"] == url


def test_validate_answers_nothing_and_heals_what_works() -> None:
    recall = a_recall()
    credential = recall.credential()
    for _ in range(3):
        recall.world.record_failure(recall.world.credentials[credential["id"]], "x")

    answer = validate(recall, credential)

    assert (answer.status_code, answer.data) == (200, b"")
    assert recall.read(credential)["status"] == "healthy"


def test_validate_finds_out_that_the_user_removed_the_app() -> None:
    recall = a_recall()
    credential = recall.credential()
    recall.zoom.answers["/v2/users/me"] = refused(401, code=124, message="Invalid")
    recall.zoom.answers["/oauth/token"] = refused(400, **DEAD)

    answer = validate(recall, credential)

    assert (answer.status_code, answer.data) == (200, b"")
    assert recall.read(credential)["status"] == "unhealthy"
    assert "Invalid Token!" in logged(recall, credential)[0]


def test_validate_refreshes_a_token_that_zoom_no_longer_knows() -> None:
    recall = a_recall()
    credential = recall.credential()

    def only_the_new_one(request: httpx2.Request) -> httpx2.Response:
        new = request.headers["Authorization"] == f"Bearer {a_token('user-1', jti=2)}"
        return httpx2.Response(200 if new else 401, json={})

    recall.zoom.answers["/v2/users/me"] = only_the_new_one

    validate(recall, credential)

    assert recall.read(credential)["status"] == "healthy"
    assert recall.zoom.issued == 2


@pytest.mark.parametrize("status", ["healthy", "unhealthy"])
def test_validate_learns_nothing_from_a_zoom_that_is_down(status: str) -> None:
    recall = a_recall()
    credential = recall.credential()
    for _ in range(3 if status == "unhealthy" else 0):
        recall.world.record_failure(recall.world.credentials[credential["id"]], "x")
    recall.zoom.answers["/v2/users/me"] = refused(503)

    validate(recall, credential)

    assert recall.read(credential)["status"] == status


def test_a_missing_scope_is_no_sign_of_a_dead_credential() -> None:
    recall = a_recall()
    credential = recall.credential()
    recall.zoom.answers["/v2/users/me"] = refused(400, code=4711, message="no scope")

    validate(recall, credential)

    assert recall.read(credential)["status"] == "healthy"
