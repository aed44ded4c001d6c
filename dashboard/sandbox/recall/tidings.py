"""What Zoom's proven events change in the simulated Recall.

Source: docs/contracts/recall.md 2.
"""

from typing import Any

from dashboard.sandbox.recall.records import App, Credential, Health, Kind
from dashboard.sandbox.recall.store import Store


def take(store: Store, app: App, event: dict[str, Any]) -> str:
    """Act on an event and return in a few words what it did."""
    payload = event["payload"]
    match event.get("event"):
        case "meeting.created":
            return _meeting_created(store, app, payload)
        case "user.updated":
            return _user_updated(store, app, payload)
        case "app_deauthorized":
            return _deauthorized(store, app, payload)
        case _:
            return "nothing to do"


def _meeting_created(store: Store, app: App, payload: dict[str, Any]) -> str:
    meeting = _object(payload)
    host, number = str(meeting.get("host_id")), _number(meeting.get("id"))
    if number is None:
        return "no meeting number"
    credential = _credential(store, app, host, payload)
    if credential is None:
        store.log_app(
            app, f"meeting.created: no credential for host {host} of meeting {number}."
        )
        return "no credential for the host"
    store.map_meeting(number, credential)
    return "meeting mapped"


def _user_updated(store: Store, app: App, payload: dict[str, Any]) -> str:
    user = _object(payload)
    pmi = _number(user.get("pmi"))
    if pmi is None:
        return "no new PMI"
    credential = _credential(store, app, str(user.get("id")), payload)
    if credential is None:
        store.log_app(app, f"user.updated: no credential for user {user.get('id')}.")
        return "no credential for the user"
    store.map_meeting(pmi, credential)
    return "PMI mapped"


def _deauthorized(store: Store, app: App, payload: dict[str, Any]) -> str:
    if payload.get("client_id") != app.client_id:
        store.log_app(app, "app_deauthorized: for another client id, ignored.")
        return "another client id"
    credential = _credential(store, app, str(payload.get("user_id")), payload)
    if credential is None:
        return "no credential for the user"
    store.log_credential(credential, "The app was deauthorized in Zoom.")
    credential.status = Health.UNHEALTHY
    return "credential unhealthy"


def _credential(
    store: Store, app: App, user_id: str, payload: dict[str, Any]
) -> Credential | None:
    """Return the credential of the user, or of the account the event comes from."""
    for one in store.credentials_of(app):
        if app.kind is Kind.USER_LEVEL and one.user_id == user_id:
            return one
        if app.kind is Kind.ACCOUNT_LEVEL and one.account_id == payload.get(
            "account_id"
        ):
            return one
    return None


def _object(payload: dict[str, Any]) -> dict[str, Any]:
    found = payload.get("object")
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int | None:
    """Read a meeting number, which Zoom writes as a number or as digits."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
