"""What every API request passes first: firewall, key, limits, idempotency."""

import json
from threading import Event, Thread
from typing import Any

import httpx2
import pytest

from tests.fixtures.simulated_recall import (
    APPS,
    CREDENTIALS,
    MAPPINGS,
    REDIRECT,
    Recall,
    a_recall,
    a_token,
    plain,
)


@pytest.mark.parametrize("form", ["Token {}", "{}"], ids=["token", "bare"])
def test_both_documented_forms_of_the_key_open_the_workspace(
    recall: Recall, form: str
) -> None:
    headers = {"Authorization": form.format(recall.key)}

    assert recall.http.get(APPS, headers=headers).status_code == 200


@pytest.mark.parametrize("sent", [None, "Token nobody", "Bearer {}", ""])
def test_any_other_key_is_refused(recall: Recall, sent: str | None) -> None:
    headers = {} if sent is None else {"Authorization": sent.format(recall.key)}

    answer = recall.http.get(APPS, headers=headers)

    assert answer.status_code == 401
    assert answer.get_json() == {
        "code": "authentication_failed",
        "detail": "Invalid API token.",
    }


def test_a_get_without_the_trailing_slash_is_redirected_with_its_query() -> None:
    answer = a_recall().get(APPS.rstrip("/"), kind="user_level")

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{APPS}?kind=user_level"


def test_a_post_without_the_trailing_slash_is_refused(recall: Recall) -> None:
    answer = recall.post(APPS.rstrip("/"), {"kind": "user_level"})

    assert answer.status_code == 405
    assert recall.world.apps == {}


def test_the_firewall_refuses_a_get_with_a_body(recall: Recall) -> None:
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
def test_the_firewall_refuses_local_urls_in_payloads(
    recall: Recall, url: str, *, escape: bool
) -> None:
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


def test_the_firewall_refuses_a_local_token_callback(recall: Recall) -> None:
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


def test_spent_credit_stops_every_call(recall: Recall) -> None:
    recall.switch(credit_spent=True)

    assert recall.get(APPS).status_code == 402


def test_an_unknown_path_and_an_unknown_method_are_told_apart(recall: Recall) -> None:
    assert recall.get("/api/v2/zoom-oauth-tokens/").status_code == 404
    assert recall.http.put(APPS, headers=recall.headers).status_code == 405


def test_a_repeat_with_the_same_idempotency_key_gets_the_first_answer(
    recall: Recall,
) -> None:
    app = recall.app()

    first = recall.connecting(app["id"], Idempotency_Key="k1")
    repeat = recall.connecting(app["id"], "another-user", Idempotency_Key="k1")

    assert repeat.status_code == first.status_code == 201
    assert repeat.get_json() == first.get_json()
    assert recall.zoom.paths().count("/oauth/token") == 1


def test_stored_answers_include_errors(recall: Recall) -> None:
    recall.post(APPS, {}, Idempotency_Key="k1")

    repeat = recall.post(
        APPS,
        {
            "kind": "user_level",
            "client_id": "a",
            "client_secret": "b",
            "webhook_secret": "c",
        },
        Idempotency_Key="k1",
    )

    assert repeat.status_code == 400


def test_an_idempotency_key_is_forgotten_after_an_hour(recall: Recall) -> None:
    app = recall.app()
    first = recall.connecting(app["id"], Idempotency_Key="k1").get_json()
    recall.world.clock.advance(3601)

    second = recall.connecting(app["id"], "user-2", Idempotency_Key="k1").get_json()

    assert (first["user_id"], second["user_id"]) == ("user-1", "user-2")


def test_an_idempotency_key_belongs_to_its_path_and_caller(recall: Recall) -> None:
    app = recall.app()
    recall.connecting(app["id"], Idempotency_Key="k1")
    other = recall.world.add_workspace().api_key

    on_another_path = recall.post(APPS, {}, Idempotency_Key="k1")
    by_another_caller = recall.http.post(
        CREDENTIALS,
        json={},
        headers={"Authorization": other, "Idempotency-Key": "k1"},
    )

    assert on_another_path.status_code == 400
    assert by_another_caller.status_code == 400


def test_a_repeat_is_refused_while_the_first_is_running(recall: Recall) -> None:
    app = recall.app()
    asked, go_on = Event(), Event()

    def slow(request: httpx2.Request) -> httpx2.Response:
        del recall.zoom.answers["/oauth/token"]
        asked.set()
        go_on.wait(10)
        return recall.zoom(request)

    recall.zoom.answers["/oauth/token"] = slow
    first = Thread(
        target=recall.connecting, args=(app["id"],), kwargs={"Idempotency_Key": "k1"}
    )
    first.start()
    asked.wait(10)

    repeat = recall.connecting(app["id"], Idempotency_Key="k1")
    go_on.set()
    first.join(10)
    afterwards = recall.connecting(app["id"], Idempotency_Key="k1")

    assert repeat.status_code == 409
    assert afterwards.status_code == 201


LISTS = [
    APPS,
    CREDENTIALS,
    MAPPINGS,
    "/api/v2/zoom-oauth-app-logs/",
    "/api/v2/zoom-oauth-credential-logs/",
]


def a_full_recall() -> tuple[Recall, dict[str, Any]]:
    """A workspace with something in every list, and its credential."""
    recall = a_recall()
    credential = recall.credential()
    kept = recall.world.credentials[credential["id"]]
    recall.world.map_meeting(1, kept)
    recall.world.log_app(kept.app, "x")
    recall.world.log_credential(kept, "x")
    return recall, credential


@pytest.mark.parametrize("path", LISTS)
def test_a_list_contains_only_the_workspaces_own(path: str) -> None:
    recall, _ = a_full_recall()
    other_key = recall.world.add_workspace("eu-central-1").api_key

    own = recall.get(path)
    others = recall.http.get(path, headers={"Authorization": f"Token {other_key}"})

    assert len(own.get_json()["results"]) == 1
    assert others.get_json()["results"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{APPS}{{oauth_app}}/"),
        ("PATCH", f"{APPS}{{oauth_app}}/"),
        ("DELETE", f"{APPS}{{oauth_app}}/"),
        ("GET", f"{CREDENTIALS}{{id}}/"),
        ("DELETE", f"{CREDENTIALS}{{id}}/"),
        ("GET", f"{CREDENTIALS}{{id}}/access-token/"),
        ("POST", f"{CREDENTIALS}{{id}}/validate/"),
        ("POST", f"{CREDENTIALS}{{id}}/sync-meetings/"),
    ],
)
def test_what_is_in_another_workspace_is_not_found(method: str, path: str) -> None:
    recall, credential = a_full_recall()
    other_key = recall.world.add_workspace("eu-central-1").api_key

    answer = recall.http.open(
        path.format(**credential), method=method, headers={"Authorization": other_key}
    )

    assert answer.status_code == 404
    assert answer.get_json() == {"code": "not_found", "detail": "Not found."}
    assert credential["id"] in recall.world.credentials


def test_an_app_of_another_workspace_cannot_be_used() -> None:
    recall, credential = a_full_recall()
    other_key = recall.world.add_workspace("eu-central-1").api_key
    body = {
        "oauth_app": credential["oauth_app"],
        "authorization_code": {"code": "user-2", "redirect_uri": REDIRECT},
    }

    answer = recall.http.post(
        CREDENTIALS, json=body, headers={"Authorization": other_key}
    )

    assert answer.status_code == 400
    assert list(answer.get_json()) == ["oauth_app"]
