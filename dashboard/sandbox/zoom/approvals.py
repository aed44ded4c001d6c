"""Requests to an account's admin to approve an app (docs/contracts/zoom.md 5.10)."""

from datetime import UTC

from dashboard.sandbox.zoom.errors import ApiError
from dashboard.sandbox.zoom.records import AppRequest, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.state import State

_ACTIONS = {"approve": "approved", "decline": "declined"}


def request(state: State, app: ZoomApp, user: ZoomUser) -> None:
    """Note that a user who may not add the app asked for it; once."""
    if _of_user(state, app, user.id) is None:
        made = AppRequest(client_id=app.client_id, user_id=user.id, at=state.now())
        state.requests.append(made)


def is_approved(state: State, app: ZoomApp, user: ZoomUser) -> bool:
    """Whether the account's admin let this user add the app."""
    found = _of_user(state, app, user.id)
    return found is not None and found.status == "approved"


def listed(state: State, app: ZoomApp, status: str) -> list[dict[str, object]]:
    """Return the requests for an app, the newest first; "" for every status."""
    mine = [one for one in state.requests if one.client_id == app.client_id]
    return [
        _as_json(state, one)
        for one in sorted(mine, key=lambda one: one.at, reverse=True)
        if status in ("", one.status)
    ]


def change(state: State, app: ZoomApp, action: str, user_ids: list[str]) -> None:
    """Approve or decline the requests of these users.

    Raises:
        ApiError: The action is unknown, or a user did not ask.
    """
    if action not in _ACTIONS:
        errors = [{"field": "action", "message": "Invalid field."}]
        raise ApiError(400, 300, "Validation Failed.", errors=errors)
    found = [_of_user(state, app, user_id) for user_id in user_ids]
    if not user_ids or None in found:
        raise ApiError(404, 1500, "The request does not exist.")
    for one in found:
        if one is not None:
            one.status = "approved" if action == "approve" else "declined"


def _of_user(state: State, app: ZoomApp, user_id: str) -> AppRequest | None:
    for one in state.requests:
        if (one.client_id, one.user_id) == (app.client_id, user_id):
            return one
    return None


def _as_json(state: State, one: AppRequest) -> dict[str, object]:
    user = state.users.get(one.user_id)
    return {
        "request_user_id": one.user_id,
        "request_user_name": "" if user is None else user.display_name,
        "request_user_email": "" if user is None else user.email,
        "request_user_department": "",
        "request_date_time": f"{one.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "reason": one.reason,
        "status": one.status,
    }
