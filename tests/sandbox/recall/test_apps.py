"""Zoom OAuth apps of the simulated Recall (docs/contracts/recall.md 3.1 to 3.4)."""

from typing import Any

import pytest

from tests.fixtures.simulated_recall import (
    APPS,
    CREDENTIALS,
    MAPPINGS,
    NOON,
    SECRET_TOKEN,
    Recall,
)


def test_an_app_is_returned_with_its_secrets_in_clear(recall: Recall) -> None:
    app = recall.app()

    created_at = app.pop("created_at")
    assert created_at.startswith(f"{NOON:%Y-%m-%dT%H:%M}")
    assert created_at.endswith("Z")
    assert app == {
        "id": app["id"],
        "kind": "user_level",
        "client_id": "test-client-id",
        "client_secret": "test-client-secret",
        "webhook_secret": SECRET_TOKEN,
        "webhook_last_validation": None,
    }
    assert recall.get(f"{APPS}{app['id']}/").get_json()["id"] == app["id"]


def test_two_apps_may_have_the_same_client_id(recall: Recall) -> None:
    assert recall.app()["id"] != recall.app()["id"]


def test_a_second_app_with_the_client_id_can_be_refused(recall: Recall) -> None:
    recall.app()
    recall.switch(duplicate_client_id="refuse")

    assert list(recall.app()) == ["client_id"]
    assert len(recall.world.apps) == 1


def test_both_secrets_can_be_changed(recall: Recall) -> None:
    path = f"{APPS}{recall.app()['id']}/"

    answer = recall.http.patch(
        path, json={"client_secret": "new-fake-secret"}, headers=recall.headers
    )

    assert answer.status_code == 200
    assert answer.get_json()["client_secret"] == "new-fake-secret"
    assert answer.get_json()["webhook_secret"] == SECRET_TOKEN


@pytest.mark.parametrize("field", ["client_id", "kind"])
def test_client_id_and_kind_cannot_be_changed(recall: Recall, field: str) -> None:
    path = f"{APPS}{recall.app()['id']}/"

    answer = recall.http.patch(
        path, json={field: "account_level"}, headers=recall.headers
    )

    assert answer.status_code == 400
    assert list(answer.get_json()) == [field]


def test_deleting_an_app_deletes_its_credentials_and_mappings(
    recall: Recall,
) -> None:
    credential = recall.credential()
    recall.run_due()
    recall.run_due()

    answer = recall.http.delete(
        f"{APPS}{credential['oauth_app']}/", headers=recall.headers
    )

    assert answer.status_code == 204
    assert answer.data == b""
    assert recall.get(CREDENTIALS).get_json()["results"] == []
    assert recall.get(MAPPINGS).get_json()["results"] == []


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_app_is_not_found(recall: Recall, method: str) -> None:
    body: dict[str, Any] = {} if method == "GET" else {"json": {}}

    answer = recall.http.open(
        f"{APPS}not-an-id/", method=method, headers=recall.headers, **body
    )

    assert answer.status_code == 404
