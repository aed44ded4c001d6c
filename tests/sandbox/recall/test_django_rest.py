"""Pages, filters and body errors of the simulated Recall's API."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.fixtures.simulated_recall import (
    APP_LOGS,
    APPS,
    CREDENTIALS,
    MAPPINGS,
    REDIRECT,
    Recall,
    a_recall,
)


def results(recall: Recall, path: str, **query: Any) -> list[dict[str, Any]]:
    return list(recall.get(path, **query).get_json()["results"])


def follow(recall: Recall, url: str) -> dict[str, Any]:
    assert urlsplit(url).scheme == "http"
    return dict(recall.http.get(url, headers=recall.headers).get_json())


def some_apps(recall: Recall, number: int) -> list[str]:
    """Client IDs of new apps, newest first."""
    names = [f"client-{index}" for index in range(number)]
    for name in names:
        recall.app(client_id=name)
    return names[::-1]


def names(page: dict[str, Any]) -> list[str]:
    return [app["client_id"] for app in page["results"]]


def test_pages_follow_each_other_by_absolute_urls_both_ways(recall: Recall) -> None:
    recall.switch(page_size=2)
    expected = some_apps(recall, 5)

    first = recall.get(APPS, kind="user_level").get_json()
    second = follow(recall, first["next"])
    third = follow(recall, second["next"])
    back = follow(recall, third["previous"])

    assert set(first) == {"next", "previous", "results"}
    assert first["previous"] is None
    assert third["next"] is None
    assert names(first) + names(second) + names(third) == expected
    assert names(back) == names(second)
    assert "kind=user_level" in first["next"]


def test_new_items_do_not_change_the_following_pages(recall: Recall) -> None:
    recall.switch(page_size=2)
    expected = some_apps(recall, 4)
    first = recall.get(APPS).get_json()
    recall.app(client_id="newer")

    second = follow(recall, first["next"])

    assert names(first) + names(second) == expected


def test_ordering_reverses_a_list(recall: Recall) -> None:
    recall.switch(page_size=2)
    expected = some_apps(recall, 3)[::-1]

    first = recall.get(APPS, ordering="created_at").get_json()
    second = follow(recall, first["next"])

    assert names(first) + names(second) == expected


@pytest.mark.parametrize("cursor", ["x", "%%%", "ZnwyMDI2"])
def test_a_made_up_cursor_is_not_found(cursor: str) -> None:
    assert a_recall().get(APPS, cursor=cursor).status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"client_id": "client-1"}, 1),
        ({"client_id": "client-9"}, 0),
        ({"kind": "user_level"}, 2),
        ({"kind": "team"}, 0),
        ({"created_at_after": "2026-11-23T12:00:00Z"}, 2),
        ({"created_at_before": "2026-11-23T12:00:00Z"}, 0),
        ({"webhook_last_validation_after": "2026-01-01T00:00:00Z"}, 0),
        ({"page_size": "1"}, 2),
        ({"client_id": ""}, 2),
    ],
)
def test_apps_are_filtered(recall: Recall, query: dict[str, str], found: int) -> None:
    some_apps(recall, 2)

    assert len(results(recall, APPS, **query)) == found


@pytest.mark.parametrize(
    ("query", "users"),
    [
        ({"user_id": "user-1"}, ["user-1"]),
        ({"account_id": "account-1"}, []),
        ({"status": "unhealthy"}, ["user-2"]),
        ({"status": "healthy"}, ["user-1"]),
        ({"meeting_sync_status": "not_started"}, ["user-2", "user-1"]),
        ({"meeting_sync_status": "failed"}, []),
        ({"created_at_before": "2030-01-01T00:00:00+00:00"}, ["user-2", "user-1"]),
        ({"oauth_app": "0b7e2a1c-9a7d-4df8-a5b8-3c2f6b1d0e9f"}, []),
    ],
)
def test_credentials_are_filtered(
    recall: Recall, query: dict[str, str], users: list[str]
) -> None:
    first = recall.credential("user-1")
    second = recall.connecting(first["oauth_app"], "user-2").get_json()
    for _ in range(3):
        recall.world.record_failure(recall.world.credentials[second["id"]], "x")

    found = results(recall, CREDENTIALS, **query)

    assert [one["user_id"] for one in found] == users


def test_credentials_of_one_app_are_found_by_it(recall: Recall) -> None:
    first, second = recall.credential(), recall.credential()

    found = results(recall, CREDENTIALS, oauth_app=second["oauth_app"])

    assert first["id"] != second["id"]
    assert [one["id"] for one in found] == [second["id"]]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CREDENTIALS, {"oauth_app": "test-client-id"}),
        (CREDENTIALS, {"status": "sick"}),
        (CREDENTIALS, {"created_at_after": "yesterday"}),
        (MAPPINGS, {"meeting_id": "one"}),
        (APP_LOGS, {"oauth_app": "x"}),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_by_name(
    recall: Recall, path: str, query: dict[str, str]
) -> None:
    recall.credential()
    recall.world.log_app(next(iter(recall.world.apps.values())), "x")

    answer = recall.get(path, **query)

    assert answer.status_code == 400
    assert list(answer.get_json()) == list(query)


def test_a_log_message_is_cut_at_its_documented_length(recall: Recall) -> None:
    recall.app()
    recall.world.log_app(next(iter(recall.world.apps.values())), "x" * 3000)

    assert len(results(recall, APP_LOGS)[0]["message"]) == 2000


def test_field_errors_have_the_form_of_django_rest(recall: Recall) -> None:
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


def test_field_errors_can_come_in_the_other_documented_envelope(recall: Recall) -> None:
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
    recall: Recall, raw: bytes, mimetype: str, status: int
) -> None:
    answer = recall.http.post(
        APPS, data=raw, headers=recall.headers, content_type=mimetype
    )

    assert answer.status_code == status


def test_the_create_operations_take_forms_as_well(recall: Recall) -> None:
    form = {
        "oauth_app": recall.app()["id"],
        "authorization_code.code": "user-1",
        "authorization_code.redirect_uri": REDIRECT,
    }

    answer = recall.http.post(CREDENTIALS, data=form, headers=recall.headers)

    assert answer.status_code == 201
