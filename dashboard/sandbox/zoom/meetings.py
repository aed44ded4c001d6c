"""What happens to meetings, and the events it causes (docs/contracts/zoom.md 6)."""

from datetime import datetime, timedelta

from dashboard.sandbox.zoom.records import Meeting
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.subscriptions import milliseconds, publish

_PMI_TYPE = 4


def create(state: State, user_id: str, fields: dict[str, object]) -> Meeting:
    """Schedule a meeting from the fields given, in an hour unless told.

    Raises:
        RefusedError: There is no such user.
        ValidationError: An unknown field or a wrong type.
    """
    user, now = state.user(user_id), state.now().replace(microsecond=0)
    usual: dict[str, object] = {
        "start_time": now + timedelta(hours=1),
        "timezone": user.timezone,
        "pmi": user.pmi,
        "created_at": now,
    }
    meeting = Meeting.model_validate({**usual, **fields, "host_id": user.id})
    state.meetings[meeting.id] = meeting
    told: dict[str, object] = {
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
        told["pmi"] = str(meeting.pmi)
    payload: dict[str, object] = {"operation": "single", "object": told}
    publish(state, user, "meeting.created", payload)
    return meeting


def update(
    state: State, meeting_id: int, *, topic: str | None, start_time: datetime | None
) -> Meeting:
    """Change a meeting; the event holds the number and what changed."""
    meeting = state.meeting(meeting_id)
    old: dict[str, object] = {"id": meeting.id}
    new: dict[str, object] = {"id": meeting.id}
    if topic is not None:
        old["topic"], new["topic"] = meeting.topic, topic
        meeting.topic = topic
    if start_time is not None:
        old["start_time"], new["start_time"] = (
            zulu(meeting.start_time),
            zulu(start_time),
        )
        meeting.start_time = start_time
    payload = {
        "scope": "single",
        "time_stamp": milliseconds(state),
        "object": new,
        "old_object": old,
    }
    publish(state, state.user(meeting.host_id), "meeting.updated", payload)
    return meeting


def delete(state: State, meeting_id: int) -> None:
    """Delete a meeting; the event holds the whole of it but the join link."""
    meeting = state.meeting(meeting_id)
    del state.meetings[meeting.id]
    payload: dict[str, object] = {"operation": "single", "object": _outline(meeting)}
    publish(state, state.user(meeting.host_id), "meeting.deleted", payload)


def start(state: State, meeting_id: int) -> None:
    """Start a meeting: the number becomes a string, or the PMI if it uses that."""
    _run(state, meeting_id, "meeting.started", {"start_time": zulu(state.now())})


def end(state: State, meeting_id: int) -> None:
    """End a meeting."""
    _run(state, meeting_id, "meeting.ended", {"end_time": zulu(state.now())})


def zulu(instant: datetime) -> str:
    """Return `2025-10-10T09:00:00Z`."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _run(state: State, meeting_id: int, event: str, when: dict[str, str]) -> None:
    meeting = state.meeting(meeting_id)
    user = state.user(meeting.host_id)
    told = {**_outline(meeting), "id": str(meeting.id), **when}
    if meeting.use_pmi:
        # The meeting appears as the personal room (docs/contracts/zoom.md 6,
        # RECALL-PMI).
        told["id"], told["type"] = str(user.pmi), _PMI_TYPE
        told["topic"] = f"{user.display_name}'s Personal Meeting Room"
    publish(state, user, event, {"object": told})


def _outline(meeting: Meeting) -> dict[str, object]:
    return {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "start_time": zulu(meeting.start_time),
        "duration": meeting.duration,
        "timezone": meeting.timezone,
    }
