"""Counts of calls, and the most within any 60 seconds."""

from typing import Any

import pytest

from tests.fixtures.simulated_recall import APPS, Recall


def tally(recall: Recall, operation: str = "apps.list") -> dict[str, Any]:
    told = recall.http.get("/_sandbox/calls").get_json()
    (found,) = [one for one in told if one["operation"] == operation]
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

    assert tally(recall) == {"limit": 60, "asked": 80, "refused": 0, "peak": 80}


def test_calls_sixty_seconds_apart_are_not_counted_together(recall: Recall) -> None:
    for _ in range(3):
        recall.get(APPS)
        recall.world.clock.advance(60)

    assert tally(recall) == {"limit": 60, "asked": 3, "refused": 0, "peak": 1}


@pytest.mark.parametrize(("is_limited", "refused"), [(True, 5), (False, 0)])
def test_what_was_refused_is_counted_too(
    recall: Recall,
    is_limited: bool,  # noqa: FBT001 - a column of the table
    refused: int,
) -> None:
    recall.switch(rate_limits=is_limited)
    for _ in range(65):
        recall.get(APPS)

    found = tally(recall)

    assert found == {"limit": 60, "asked": 65, "refused": refused, "peak": 65}
