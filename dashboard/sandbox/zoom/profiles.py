"""Users and meetings as the REST API shows them.

Source: docs/contracts/zoom.md 4.1 and 4.2.
"""

from typing import Literal

from dashboard.sandbox.zoom.meetings import zulu
from dashboard.sandbox.zoom.records import Meeting, ZoomUser


def user(person: ZoomUser, pmi_as: Literal["int", "string"]) -> dict[str, object]:
    """Return the body of `GET /users/me`; `pmi` was a string until 2021."""
    return {
        **person.model_dump(exclude={"created_at", "participants_may_record"}),
        "pmi": person.pmi if pmi_as == "int" else str(person.pmi),
        "personal_meeting_url": f"https://example.zoom.us/j/{person.pmi}?pwd=abc",
        "login_types": [100],
        "group_ids": [],
        "created_at": zulu(person.created_at),
        "last_login_time": zulu(person.created_at),
    }


def meeting(found: Meeting) -> dict[str, object]:
    """Return one row of `GET /users/me/meetings`; `id` is a number."""
    row: dict[str, object] = {
        "uuid": found.uuid,
        "id": found.id,
        "host_id": found.host_id,
        "topic": found.topic,
        "type": found.type,
        "start_time": zulu(found.start_time),
        "duration": found.duration,
        "timezone": found.timezone,
        "created_at": zulu(found.created_at),
        "join_url": found.join_url(),
    }
    if found.use_pmi:
        row["pmi"] = str(found.pmi)
    return row
