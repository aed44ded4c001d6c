"""Reading a connected user's meetings into mappings.

Source: docs/contracts/recall.md 2, 3.5.
"""

from collections.abc import Iterator
from typing import Any

from dashboard.sandbox.recall import grants
from dashboard.sandbox.recall.outside import UnreachableError, ZoomRefusedError
from dashboard.sandbox.recall.records import Credential, Kind, Sync
from dashboard.sandbox.recall.store import Store

_PAGE_SIZE = "30"


def start(store: Store, credential: Credential) -> None:
    """Ask for a sync; the background work takes it from here."""
    with store.lock:
        credential.meeting_sync_status = Sync.NOT_STARTED


def unfinished(store: Store) -> list[Credential]:
    """Return the credentials whose sync waits or runs, oldest first."""
    with store.lock:
        return [
            one
            for one in store.credentials.values()
            if one.meeting_sync_status in (Sync.NOT_STARTED, Sync.IN_PROGRESS)
        ]


def advance(store: Store, credential: Credential) -> None:
    """Take a sync from waiting to running, or from running to its end.

    The two steps are apart so that a client can see each status.
    """
    with store.lock:
        if credential.meeting_sync_status is Sync.NOT_STARTED:
            credential.meeting_sync_status = Sync.IN_PROGRESS
            return
    try:
        _read(store, credential)
        outcome = Sync.COMPLETED
    except grants.GrantError as error:
        store.record_failure(credential, f"Meeting sync failed: {error}")
        outcome = Sync.FAILED
    except (UnreachableError, ZoomRefusedError) as error:
        store.log_credential(credential, f"Meeting sync failed: {error}")
        outcome = Sync.FAILED
    with store.lock:
        # Somebody may have asked for another one meanwhile.
        if credential.meeting_sync_status is Sync.IN_PROGRESS:
            credential.meeting_sync_status = outcome


def _read(store: Store, credential: Credential) -> None:
    if store.switches.meeting_sync == "fails":
        raise UnreachableError("Zoom answered 500.")
    token = grants.renewed(store, credential).access_token
    for meeting_id in list(_meeting_ids(store, credential, token)):
        store.map_meeting(meeting_id, credential)


def _meeting_ids(store: Store, credential: Credential, token: str) -> Iterator[int]:
    """Yield personal and scheduled meeting numbers of the user, or of all users."""
    if credential.app.kind is Kind.USER_LEVEL:
        users = [("me", store.outside.get("/users/me", token))]
    else:
        listed = _pages(store, "/users", token, "users")
        users = [(str(user.get("id")), user) for user in listed]
    for user_id, user in users:
        yield from _number(user.get("pmi"))
        path = f"/users/{user_id}/meetings"
        for meeting in _pages(store, path, token, "meetings"):
            yield from _number(meeting.get("id"))


def _pages(store: Store, path: str, token: str, key: str) -> list[dict[str, Any]]:
    """Return all items of a Zoom list, following `next_page_token` to its end."""
    items: list[dict[str, Any]] = []
    params = {"page_size": _PAGE_SIZE}
    while True:
        page = store.outside.get(path, token, **params)
        found = page.get(key)
        if not isinstance(found, list):
            raise UnreachableError("Zoom's answer was not a list.")
        items += [one for one in found if isinstance(one, dict)]
        if not page.get("next_page_token"):
            return items
        params["next_page_token"] = page["next_page_token"]


def _number(value: object) -> Iterator[int]:
    """Yield a meeting number written as a number or as digits, if it is one."""
    text = str(value)
    if text.isascii() and text.isdigit() and int(text) > 0:
        yield int(text)
