"""Counts of calls, and the most within any 60 seconds."""

from typing import Any

import pytest

from tests.fixtures.simulated_recall import (
    APPS,
    CREDENTIALS,
    Recall,
)


def calls(recall: Recall, operation: str = "apps.list") -> dict[str, Any]:
    answer = recall.http.get("/_sandbox/calls").get_json()
    (found,) = [one for one in answer if one["operation"] == operation]
    return {name: found[name] for name in ("limit", "asked", "refused", "peak")}


def test_the_peak_is_of_any_sixty_seconds_not_of_the_clocks_minute(
    recall: Recall,
) -> None:
    recall.world.clock.advance(50)  # 12:00:55
    for _ in range(40):
        recall.get(APPS)
    recall.world.clock.advance(10)  # 12:01:05
    for _ in range(40):
        recall.get(APPS)

    assert calls(recall) == {"limit": 60, "asked": 80, "refused": 0, "peak": 80}


def test_calls_sixty_seconds_apart_are_not_counted_together(recall: Recall) -> None:
    for _ in range(3):
        recall.get(APPS)
        recall.world.clock.advance(60)

    assert calls(recall) == {"limit": 60, "asked": 3, "refused": 0, "peak": 1}


@pytest.mark.parametrize(("is_limited", "refused"), [(True, 5), (False, 0)])
def test_what_was_refused_is_counted_too(
    recall: Recall,
    is_limited: bool,  # noqa: FBT001 - a column of the table
    refused: int,
) -> None:
    recall.switch(rate_limits=is_limited)
    for _ in range(65):
        recall.get(APPS)

    found = calls(recall)

    assert found == {"limit": 60, "asked": 65, "refused": refused, "peak": 65}


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
def test_each_operation_has_its_documented_rate_limit(
    recall: Recall, path: str, limit: int
) -> None:
    statuses = {recall.get(path).status_code for _ in range(limit)}

    refused = recall.get(path)

    assert statuses <= {200, 404}
    assert refused.status_code == 429
    assert 50 <= int(refused.headers["Retry-After"]) <= 55
    assert "throttled" in refused.get_json()["detail"]


def test_a_rate_limit_ends_with_its_minute_and_is_a_workspaces_own(
    recall: Recall,
) -> None:
    for _ in range(61):
        recall.get(APPS)
    other = recall.world.add_workspace().api_key

    elsewhere = recall.http.get(APPS, headers={"Authorization": other})
    wait_s = int(recall.get(APPS).headers["Retry-After"])
    recall.world.clock.advance(wait_s)

    assert elsewhere.status_code == 200
    assert recall.get(APPS).status_code == 200


def test_rate_limits_can_be_switched_off(recall: Recall) -> None:
    recall.switch(rate_limits=False)

    assert {recall.get(APPS).status_code for _ in range(70)} == {200}
