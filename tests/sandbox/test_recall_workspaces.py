from typing import Any

import pytest

from tests.fixtures.simulated_recall import (
    APPS,
    CREDENTIALS,
    MAPPINGS,
    REDIRECT,
    Bench,
    a_recall,
)

LISTS = [
    APPS,
    CREDENTIALS,
    MAPPINGS,
    "/api/v2/zoom-oauth-app-logs/",
    "/api/v2/zoom-oauth-credential-logs/",
]


def a_full_recall() -> tuple[Bench, dict[str, Any]]:
    """A workspace with something in every list, and its credential."""
    recall = a_recall()
    credential = recall.credential()
    kept = recall.world.credentials[credential["id"]]
    recall.world.map_meeting(1, kept)
    recall.world.log_app(kept.app, "x")
    recall.world.log_credential(kept, "x")
    return recall, credential


@pytest.mark.parametrize("path", LISTS)
def test_a_list_holds_what_is_in_the_callers_workspace_only(path: str) -> None:
    recall, _ = a_full_recall()
    stranger = recall.world.add_workspace("eu-central-1").api_key

    own = recall.get(path)
    others = recall.http.get(path, headers={"Authorization": f"Token {stranger}"})

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
    stranger = recall.world.add_workspace("eu-central-1").api_key

    answer = recall.http.open(
        path.format(**credential), method=method, headers={"Authorization": stranger}
    )

    assert answer.status_code == 404
    assert answer.get_json() == {"code": "not_found", "detail": "Not found."}
    assert credential["id"] in recall.world.credentials


def test_nobody_connects_to_an_app_of_another_workspace() -> None:
    recall, credential = a_full_recall()
    stranger = recall.world.add_workspace("eu-central-1").api_key
    body = {
        "oauth_app": credential["oauth_app"],
        "authorization_code": {"code": "user-2", "redirect_uri": REDIRECT},
    }

    answer = recall.http.post(
        CREDENTIALS, json=body, headers={"Authorization": stranger}
    )

    assert answer.status_code == 400
    assert list(answer.get_json()) == ["oauth_app"]
