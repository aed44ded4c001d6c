"""What happens to users, and the events it causes (docs/contracts/zoom.md 6)."""

import secrets

from dashboard.sandbox.zoom import grants, webhooks
from dashboard.sandbox.zoom.meetings import zulu
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from dashboard.sandbox.zoom.refusals import RefusedError
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.subscriptions import milliseconds, publish

_SETTINGS = {"participants_may_record"}  # no part of the profile that is told of


def add(state: State, fields: dict[str, object]) -> ZoomUser:
    """Make a user from the fields given; the rest is made up."""
    usual: dict[str, object] = {
        "account_id": state.account_id,
        "created_at": state.now().replace(microsecond=0),
    }
    user = ZoomUser.model_validate({**usual, **fields})
    if user.id in state.users:
        raise RefusedError(f"There is a user with the id {user.id} already.")
    if not user.display_name:
        user.display_name = f"{user.first_name} {user.last_name}".strip()
    state.users[user.id] = user
    return user


def change(state: State, user_id: str, fields: dict[str, object]) -> ZoomUser:
    """Change a user; `user.updated` holds the id and what changed."""
    user = state.user(user_id)
    changed = ZoomUser.model_validate({**user.model_dump(), **fields})
    for fixed in ("id", "account_id"):
        if getattr(changed, fixed) != getattr(user, fixed):
            raise RefusedError(f"A user's {fixed} cannot be changed.")
    old: dict[str, object] = {"id": user.id}
    new: dict[str, object] = {"id": user.id}
    for name in fields:
        before, after = getattr(user, name), getattr(changed, name)
        if before == after:
            continue
        setattr(user, name, after)
        if name not in _SETTINGS:
            old[name], new[name] = before, after
    for meeting in state.meetings.values():
        if meeting.host_id == user.id:
            meeting.pmi = user.pmi
    if len(new) > 1:
        _publish_change(state, user, new, old)
    return user


def set_active(state: State, user_id: str, *, active: bool) -> ZoomUser:
    """Deactivate or activate a user; tokens of a deactivated one are refused."""
    user = state.user(user_id)
    user.status = "active" if active else "inactive"
    told = user.model_dump(include={"id", "first_name", "last_name", "email", "type"})
    event = "user.activated" if active else "user.deactivated"
    publish(state, user, event, {"object": told})
    return user


def uninstall(state: State, client_id: str, user_id: str) -> None:
    """Remove an app: its grant dies, and a published app's endpoint is told.

    Raises:
        RefusedError: The user has not added the app.
    """
    app, user = state.app(client_id), state.user(user_id)
    if not grants.end(state, client_id, user_id, "uninstalled"):
        raise RefusedError(f"{user.display_name} has not added {app.name}.")
    # Private and development apps are not told (docs/contracts/zoom.md 6).
    if app.published:
        _tell_removal(state, app, user)


def _publish_change(
    state: State, user: ZoomUser, new: dict[str, object], old: dict[str, object]
) -> None:
    payload: dict[str, object] = {"object": new}
    if state.switches.old_object:
        payload["old_object"] = old
    payload["time_stamp"] = milliseconds(state)
    publish(state, user, "user.updated", payload)


def _tell_removal(state: State, app: ZoomApp, user: ZoomUser) -> None:
    event_ts = milliseconds(state)
    payload: dict[str, object] = {
        "account_id": user.account_id,
        "user_id": user.id,
        "signature": secrets.token_hex(32),
        "deauthorization_time": zulu(state.now()),
        "client_id": app.client_id,
    }
    if state.switches.data_retention:
        payload["user_data_retention"] = "false"
    envelope: dict[str, object] = {"event": "app_deauthorized", "payload": payload}
    if state.switches.deauthorized_ts == "top":
        envelope["event_ts"] = event_ts
    if state.switches.deauthorized_ts == "payload":
        payload["event_ts"] = event_ts
    webhooks.queue_deauthorization(state, app, envelope, event_ts)
