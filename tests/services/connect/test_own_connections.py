"""The state of a connection in words for its user."""

import itertools
from datetime import datetime, timedelta

import pytest

from dashboard.models.connection import TokenState
from dashboard.services.connect import own_connections
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"token_state": TokenState.HEALTHY}, "Your connection works."),
        ({"token_state": TokenState.EXPIRING}, "Your connection works."),
        (
            {
                "token_state": TokenState.MISSING_SCOPES,
                "token_reason": "The grant lacks user:read:user. Add it.",
            },
            "Zoom did not grant user:read:user.",
        ),
        (
            {"token_state": TokenState.RECONNECT_NEEDED},
            "Your connection no longer works",
        ),
        (
            {"token_state": TokenState.UNHEALTHY_IN_RECALL},
            "Your connection had errors. We'll try it again.",
        ),
        (
            {"token_state": TokenState.UNKNOWN},
            "We could not check your connection",
        ),
        (
            {"token_state": TokenState.UNKNOWN, "deauthorized_at": NOON},
            "You removed the app in Zoom.",
        ),
    ],
    ids=[
        *("healthy", "expiring", "scopes", "reconnect", "unhealthy", "unknown"),
        "removed",
    ],
)
def test_each_state_is_said_in_plain_words(
    vault: Vault, values: dict[str, object], words: str
) -> None:
    row = a_connection(a_zoom_app(vault), token_checked_at=NOON, **values)

    status = own_connections.status_of(row, now=NOON)

    assert words in f"{status.sentence} {status.advice}"
    assert status.reconnects is (
        status.tone in ("waiting", "trouble") or "deauthorized_at" in values
    )


STATES = list(
    itertools.product(TokenState, [None, NOON], [None, -1, 0, 1], [0, 59, 60, 999])
)


@pytest.mark.parametrize(
    ("state", "removed_at", "expires_h", "minutes"),
    STATES,
    ids=lambda value: getattr(value, "value", str(value)),
)
def test_only_what_was_seen_to_work_and_still_may_is_said_to_work(
    vault: Vault,
    state: TokenState,
    removed_at: datetime | None,
    expires_h: int | None,
    minutes: int,
) -> None:
    ends_at = None if expires_h is None else NOON + timedelta(hours=expires_h)
    row = a_connection(
        a_zoom_app(vault),
        token_state=state,
        deauthorized_at=removed_at,
        token_checked_at=NOON,
        token_expires_at=ends_at,
    )
    now = NOON + timedelta(minutes=minutes)

    status = own_connections.status_of(row, now=now)

    is_good = state in (TokenState.HEALTHY, TokenState.EXPIRING)
    is_removed = removed_at is not None and state is not TokenState.HEALTHY
    lasts = now < (ends_at or NOON + timedelta(hours=1))
    works = is_good and lasts and not is_removed
    assert (status.tone == "good") is works
    assert ("You are connected" in status.headline) is works
    assert ("connection works" in status.sentence) is works
    assert status.reconnects is (not is_good and state is not TokenState.UNKNOWN) or (
        is_removed
    )
