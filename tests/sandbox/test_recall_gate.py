import json
from typing import Any

import pytest

from tests.fixtures.simulated_recall import (
    APPS,
    CREDENTIALS,
    REDIRECT,
    a_recall,
    a_token,
    plain,
)


@pytest.mark.parametrize("form", ["Token {}", "{}"], ids=["token", "bare"])
def test_both_documented_forms_of_the_key_open_the_workspace(form: str) -> None:
    recall = a_recall()
    headers = {"Authorization": form.format(recall.key)}

    assert recall.http.get(APPS, headers=headers).status_code == 200


@pytest.mark.parametrize("sent", [None, "Token nobody", "Bearer {}", ""])
def test_any_other_key_is_refused(sent: str | None) -> None:
    recall = a_recall()
    headers = {} if sent is None else {"Authorization": sent.format(recall.key)}

    answer = recall.http.get(APPS, headers=headers)

    assert answer.status_code == 401
    assert answer.get_json() == {
        "code": "authentication_failed",
        "detail": "Invalid API token.",
    }


def test_a_get_without_the_trailing_slash_is_sent_on_with_its_query() -> None:
    answer = a_recall().get(APPS.rstrip("/"), kind="user_level")

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{APPS}?kind=user_level"


def test_a_post_without_the_trailing_slash_fails_loudly() -> None:
    recall = a_recall()

    answer = recall.post(APPS.rstrip("/"), {"kind": "user_level"})

    assert answer.status_code == 405
    assert recall.world.apps == {}


def test_the_firewall_refuses_a_get_with_a_body() -> None:
    recall = a_recall()

    answer = recall.http.get(APPS, headers=recall.headers, data=b"null")

    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert "403 ERROR" in answer.text


LOCAL_URLS = [
    "https://localhost/callback",
    "https://LOCALHOST:8000/callback",
    "https://127.0.0.1/callback",
    "https://192.0.2.7:8443/callback",
    "https://[::1]/callback",
    "http://dashboard.example/callback",
]


@pytest.mark.parametrize("url", LOCAL_URLS)
@pytest.mark.parametrize("escape", [False, True], ids=["plain", "escaped"])
def test_the_firewall_refuses_local_urls_in_payloads(url: str, *, escape: bool) -> None:
    recall = a_recall()
    body: dict[str, Any] = {
        "oauth_app": recall.app()["id"],
        "authorization_code": {"code": "c", "redirect_uri": url},
    }
    text = json.dumps(body)
    sent = text.replace("/", r"\/") if escape else text

    answer = recall.http.post(
        CREDENTIALS, data=sent, headers=recall.headers, content_type="application/json"
    )

    assert answer.status_code == 403
    assert answer.mimetype == "text/html"
    assert recall.zoom.requests == []


def test_the_firewall_refuses_a_local_token_callback() -> None:
    recall = a_recall()
    body = {
        "oauth_app": recall.app()["id"],
        "access_token_callback_url": "https://localhost/token",
    }

    assert recall.post(CREDENTIALS, body).status_code == 403


def test_allow_local_lets_local_urls_pass() -> None:
    recall = a_recall(allow_local=True)
    recall.zoom.answers["/token"] = plain(a_token())
    body = {
        "oauth_app": recall.app()["id"],
        "access_token_callback_url": "http://127.0.0.1:5000/token",
    }

    assert recall.post(CREDENTIALS, body).status_code == 201


def test_spent_credit_stops_every_call() -> None:
    recall = a_recall()
    recall.switch(credit_spent=True)

    assert recall.get(APPS).status_code == 402


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (APPS, 60),
        (CREDENTIALS, 60),
        ("/api/v2/zoom-oauth-app-logs/", 60),
        ("/api/v2/zoom-meetings-to-credentials/", 60),
        ("/api/v2/zoom-oauth-credential-logs/", 300),
        (f"{APPS}00000000-0000-0000-0000-000000000000/", 300),
    ],
)
def test_each_operation_has_its_documented_rate_limit(path: str, limit: int) -> None:
    recall = a_recall()
    statuses = {recall.get(path).status_code for _ in range(limit)}

    refused = recall.get(path)

    assert statuses <= {200, 404}
    assert refused.status_code == 429
    assert 50 <= int(refused.headers["Retry-After"]) <= 55
    assert "throttled" in refused.get_json()["detail"]


def test_a_rate_limit_ends_with_its_minute_and_is_a_workspaces_own() -> None:
    recall = a_recall()
    for _ in range(61):
        recall.get(APPS)
    other = recall.world.add_workspace().api_key

    elsewhere = recall.http.get(APPS, headers={"Authorization": other})
    wait_s = int(recall.get(APPS).headers["Retry-After"])
    recall.world.clock.advance(wait_s)

    assert elsewhere.status_code == 200
    assert recall.get(APPS).status_code == 200


def test_rate_limits_can_be_switched_off() -> None:
    recall = a_recall()
    recall.switch(rate_limits=False)

    assert {recall.get(APPS).status_code for _ in range(70)} == {200}


def test_field_errors_are_told_in_the_form_of_django_rest() -> None:
    recall = a_recall()
    body = {"kind": "team", "client_id": "x" * 201, "client_secret": "", "name": "n"}

    answer = recall.post(APPS, body)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "kind": ['"team" is not a valid choice.'],
        "client_id": ["Ensure this field has no more than 200 characters."],
        "client_secret": ["This field may not be blank."],
        "webhook_secret": ["This field is required."],
        "name": ["This field is not allowed."],
    }


def test_field_errors_can_come_in_the_other_documented_envelope() -> None:
    recall = a_recall()
    recall.switch(error_envelope="invalid_request_data")

    body = recall.post(APPS, {}).get_json()

    assert body["code"] == "invalid_request_data"
    assert body["errors"]["kind"] == ["This field is required."]


@pytest.mark.parametrize(
    ("raw", "mimetype", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"kind", "text/plain", 415),
    ],
    ids=["broken", "list", "text"],
)
def test_a_body_that_is_no_object_is_refused(
    raw: bytes, mimetype: str, status: int
) -> None:
    recall = a_recall()

    answer = recall.http.post(
        APPS, data=raw, headers=recall.headers, content_type=mimetype
    )

    assert answer.status_code == status


def test_the_create_operations_take_forms_as_well() -> None:
    recall = a_recall()
    form = {
        "oauth_app": recall.app()["id"],
        "authorization_code.code": "user-1",
        "authorization_code.redirect_uri": REDIRECT,
    }

    answer = recall.http.post(CREDENTIALS, data=form, headers=recall.headers)

    assert answer.status_code == 201


def test_an_unknown_path_and_an_unknown_method_are_told_apart() -> None:
    recall = a_recall()

    assert recall.get("/api/v2/zoom-oauth-tokens/").status_code == 404
    assert recall.http.put(APPS, headers=recall.headers).status_code == 405
