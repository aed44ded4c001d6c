"""A look that heard nothing about the token is held up; one that did is not."""

import pytest

from dashboard.services.token_states.rules import CheckResult, blocking_error
from tests.fixtures.health_checks import (
    ANA,
    UNHEALTHY,
    a_credential,
    a_token,
    recall,
    zoom,
)
from tests.makers import NOON


@pytest.mark.parametrize(
    ("seen", "is_held_up"),
    [
        (CheckResult(credential=recall(429, retryable=True)), True),
        (
            CheckResult(credential=a_credential(), token=recall(429, retryable=True)),
            True,
        ),
        (CheckResult(credential=UNHEALTHY, token=recall(429, retryable=True)), False),
        (CheckResult(credential=recall(503, retryable=True)), True),
        (
            CheckResult(
                credential=a_credential(),
                token=a_token(minutes=50),
                user=zoom(429, retryable=True),
            ),
            True,
        ),
        (CheckResult(credential=recall(401)), False),
        (
            CheckResult(credential=a_credential(), token=a_token(minutes=50), user=ANA),
            False,
        ),
    ],
    ids=[
        "credential",
        "token",
        "marked all the same",
        "down",
        "by Zoom",
        "key",
        "seen",
    ],
)
def test_a_look_is_held_up_by_what_tells_nothing(
    seen: CheckResult,
    is_held_up: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert (blocking_error(seen, now=NOON) is not None) is is_held_up
