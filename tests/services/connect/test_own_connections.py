"""The state of a connection in words for its user."""

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
            "Your connection no longer works",
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
    row = a_connection(a_zoom_app(vault), **values)

    status = own_connections.status_of(row)

    assert words in f"{status.sentence} {status.advice}"
    assert status.reconnects is (
        status.tone in ("waiting", "trouble") or "deauthorized_at" in values
    )
