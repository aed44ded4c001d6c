"""Connections of any number, as an organisation of that size has them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from benchmarks.stage import APP_ID
from dashboard.models.connection import SyncStatus, TokenState
from dashboard.models.ids import first_id
from dashboard.services.token_states import who_acts

OTHER_ID = uuid5(APP_ID, "other app")
# Of a hundred; all others are healthy.
_STATES = {
    **dict.fromkeys(range(6), TokenState.RECONNECT_NEEDED),
    **dict.fromkeys(range(6, 8), TokenState.MISSING_SCOPES),
    8: TokenState.UNKNOWN,
}
_FIRST = ("Ana", "Ben", "Chiara", "Dmitri", "Ewa", "Femi", "Gül", "Hana", "Ivan", "Jo")


def row(number: int, now: datetime) -> dict[str, Any]:
    """Return the columns of one connection."""
    place = number * 37 % 100
    state = _STATES.get(place, TokenState.HEALTHY)
    name = f"{_FIRST[number * 7 % 10]} Nowak-{number * 7919 % 100_003:05d}"
    email = f"user{number}@example.com"
    is_blocked = number % 1000 == 999
    return {
        "id": _id(number),
        "zoom_app_id": OTHER_ID if number % 50 == 7 else APP_ID,
        "recall_credential_id": uuid5(APP_ID, f"credential {number}"),
        "zoom_user_id": f"zUsEr{number:017d}",
        "zoom_account_id": "AbCdEfGhIjKlMnOpQrStUv",
        "display_name": name,
        "email": email,
        "search_text": f"{email} {name}".lower(),
        "pmi": 2_000_000_000 + number,
        "previous_pmi": 3_000_000_000 + number if number % 20 == 0 else None,
        "token_state": state,
        "token_reason": who_acts.KEY_REFUSED.begins
        if state is TokenState.UNKNOWN
        else "As in a benchmark: one sentence that says what is the matter with it.",
        "token_evidence": "Zoom answered a real call with a token from Recall.",
        "recall_status": "healthy",
        "recording_block": "Only the host records." if is_blocked else "",
        "sync_status": SyncStatus.FAILED if number % 200 == 9 else SyncStatus.COMPLETED,
        "token_checked_at": now - timedelta(seconds=number * 61 % 90_000),
        "connected_at": now - timedelta(minutes=5 * number),
        # Never while the benchmark runs: there is nobody to ask.
        "due_at": now + timedelta(days=3650, seconds=number * 31 % 72_000),
    }


def mapping(number: int, now: datetime) -> dict[str, Any]:
    """Return the columns of its mapped meeting."""
    return {
        "id": first_id(now) + number,
        "connection_id": _id(number),
        "meeting_id": 90_000_000_000 + number,
        "synced_at": now.astimezone(UTC),
        "seen_at": now,
    }


def _id(number: int) -> UUID:
    return uuid5(APP_ID, f"connection {number}")
