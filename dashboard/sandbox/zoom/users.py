"""Users and their meetings: changes, and the events Zoom sends about them.

Source: docs/contracts/zoom.md 6.
"""

import secrets
from datetime import datetime, timedelta

from dashboard.sandbox.zoom import oauth, webhooks
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import Meeting, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.subscriptions import publish

_PMI_TYPE = 4
_NOT_IN_PROFILE = {"participants_may_record"}


def add_user(state: State, fields: dict[str, object]) -> ZoomUser:
    """Create a user; only `email` has no default."""
    defaults: dict[str, object] = {
        "account_id": state.account_id,
        "created_at": state.now().replace(microsecond=0),
    }
    user = ZoomUser.model_validate({**defaults, **fields})
    if user.id in state.users:
        raise RefusedError(f"There is a user with the ID {user.id} already.")
    if not user.display_name:
        user.display_name = f"{user.first_name} {user.last_name}".strip()
    state.users[user.id] = user
    return user


def change_user(state: State, user_id: str, fields: dict[str, object]) -> ZoomUser:
    """Change a user; `user.updated` carries the ID and what changed."""
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
        if name not in _NOT_IN_PROFILE:
            old[name], new[name] = before, after
    for meeting in state.meetings.values():
        if meeting.host_id == user.id:
            meeting.pmi = user.pmi
    if len(new) > 1:
        payload: dict[str, object] = {"object": new}
        if state.switches.old_object:
            payload["old_object"] = old
        payload["time_stamp"] = state.now_ms()
        publish(state, user, "user.updated", payload)
    return user


def set_active(state: State, user_id: str, *, active: bool) -> ZoomUser:
    """Deactivate or activate a user; tokens of a deactivated user are refused."""
    user = state.user(user_id)
    user.status = "active" if active else "inactive"
    profile = user.model_dump(
        include={"id", "first_name", "last_name", "email", "type"}
    )
    event = "user.activated" if active else "user.deactivated"
    publish(state, user, event, {"object": profile})
    return user


def uninstall(state: State, client_id: str, user_id: str) -> None:
    """Remove an app from a user; a published app gets `app_deauthorized`.

    Raises:
        RefusedError: The user has not added the app.
    """
    app, user = state.app(client_id), state.user(user_id)
    if not oauth.end_grant(state, client_id, user_id, "uninstalled"):
        raise RefusedError(f"{user.display_name} has not added {app.name}.")
    # Private and development apps get no event (docs/contracts/zoom.md 6).
    if app.published:
        _send_deauthorization(state, app, user)


def create_meeting(state: State, user_id: str, fields: dict[str, object]) -> Meeting:
    """Schedule a meeting; by default in an hour.

    Raises:
        RefusedError: There is no such user.
        ValidationError: An unknown field or a wrong type.
    """
    user, now = state.user(user_id), state.now().replace(microsecond=0)
    defaults: dict[str, object] = {
        "start_time": now + timedelta(hours=1),
        "timezone": user.timezone,
        "pmi": user.pmi,
        "created_at": now,
    }
    meeting = Meeting.model_validate({**defaults, **fields, "host_id": user.id})
    state.meetings[meeting.id] = meeting
    shown: dict[str, object] = {
        **_outline(meeting),
        "join_url": meeting.join_url(),
        "password": meeting.password,
        "settings": {
            "use_pmi": meeting.use_pmi,
            "alternative_hosts": "",
            "join_before_host": False,
            "jbh_time": 0,
        },
    }
    if meeting.use_pmi:
        shown["pmi"] = str(meeting.pmi)
    payload: dict[str, object] = {"operation": "single", "object": shown}
    publish(state, user, "meeting.created", payload)
    return meeting


def update_meeting(
    state: State, meeting_id: int, *, topic: str | None, start_time: datetime | None
) -> Meeting:
    """Change a meeting; the event carries the number and what changed."""
    meeting = state.meeting(meeting_id)
    old: dict[str, object] = {"id": meeting.id}
    new: dict[str, object] = {"id": meeting.id}
    if topic is not None:
        old["topic"], new["topic"] = meeting.topic, topic
        meeting.topic = topic
    if start_time is not None:
        old["start_time"] = utc_text(meeting.start_time)
        new["start_time"] = utc_text(start_time)
        meeting.start_time = start_time
    payload = {
        "scope": "single",
        "time_stamp": state.now_ms(),
        "object": new,
        "old_object": old,
    }
    publish(state, state.user(meeting.host_id), "meeting.updated", payload)
    return meeting


def delete_meeting(state: State, meeting_id: int) -> None:
    """Delete a meeting; the event carries all of it except the join link."""
    meeting = state.meeting(meeting_id)
    del state.meetings[meeting.id]
    payload: dict[str, object] = {"operation": "single", "object": _outline(meeting)}
    publish(state, state.user(meeting.host_id), "meeting.deleted", payload)


def start_meeting(state: State, meeting_id: int) -> None:
    """Start a meeting; the event has its number as a string, or the PMI if used."""
    when = {"start_time": utc_text(state.now())}
    _publish_run(state, meeting_id, "meeting.started", when)


def end_meeting(state: State, meeting_id: int) -> None:
    """End a meeting."""
    when = {"end_time": utc_text(state.now())}
    _publish_run(state, meeting_id, "meeting.ended", when)


def utc_text(instant: datetime) -> str:
    """Return for example `2025-10-10T09:00:00Z`."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _publish_run(
    state: State, meeting_id: int, event: str, when: dict[str, str]
) -> None:
    meeting = state.meeting(meeting_id)
    user = state.user(meeting.host_id)
    shown = {**_outline(meeting), "id": str(meeting.id), **when}
    if meeting.use_pmi:
        # Shown as the personal room (docs/contracts/zoom.md 6, RECALL-PMI).
        shown["id"], shown["type"] = str(user.pmi), _PMI_TYPE
        shown["topic"] = f"{user.display_name}'s Personal Meeting Room"
    publish(state, user, event, {"object": shown})


def _outline(meeting: Meeting) -> dict[str, object]:
    return {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "start_time": utc_text(meeting.start_time),
        "duration": meeting.duration,
        "timezone": meeting.timezone,
    }


def _send_deauthorization(state: State, app: ZoomApp, user: ZoomUser) -> None:
    event_ts = state.now_ms()
    payload: dict[str, object] = {
        "account_id": user.account_id,
        "user_id": user.id,
        "signature": secrets.token_hex(32),
        "deauthorization_time": utc_text(state.now()),
        "client_id": app.client_id,
    }
    if state.switches.data_retention:
        payload["user_data_retention"] = "false"
    envelope: dict[str, object] = {"event": "app_deauthorized", "payload": payload}
    if state.switches.deauthorized_ts == "top":
        envelope["event_ts"] = event_ts
    if state.switches.deauthorized_ts == "payload":
        payload["event_ts"] = event_ts
    webhooks.enqueue_deauthorization(state, app, envelope, event_ts)
