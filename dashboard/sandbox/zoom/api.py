"""`/v2/…`: the part of Zoom's REST API the integration uses.

Source: docs/contracts/zoom.md 4.
"""

from flask import Blueprint, request

from dashboard.sandbox.zoom import callers, paging, profiles, values
from dashboard.sandbox.zoom.refusals import ApiError
from dashboard.sandbox.zoom.world import ZoomWorld


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/v2`."""
    bp = Blueprint("api", __name__, url_prefix="/v2")
    bp.register_error_handler(ApiError, callers.answer)
    state = world.state

    @bp.before_request
    def limit() -> None:
        callers.require_rate(state)

    @bp.get("/users/<user_id>")
    def user(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("users/me")
            return profiles.user(caller.user(user_id), state.switches.pmi_as)

    @bp.get("/users")
    def users() -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("users")
            return paging.page(
                "users",
                [
                    profiles.user(person, state.switches.pmi_as)
                    for person in state.users.values()
                    if person.account_id == caller.grant.account_id
                    and person.status == request.args.get("status", "active")
                ],
            )

    @bp.get("/users/<user_id>/meetings")
    def meetings(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("meetings")
            host = caller.user(user_id)
            found = [m for m in state.meetings.values() if m.host_id == host.id]
            found.sort(key=lambda meeting: (meeting.start_time, meeting.id))
            return paging.page("meetings", [profiles.meeting(m) for m in found])

    @bp.get("/users/<user_id>/zak")
    def zak(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("zak")
            caller.user(user_id)
            return {"token": values.opaque(64)}

    @bp.get("/users/<user_id>/token")
    def token(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("token")
            caller.user(user_id)
            _require_meeting()
            return {"token": values.opaque(64)}

    @bp.get("/meetings/<meeting_id>")
    def meeting(meeting_id: str) -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("meeting")
            return profiles.meeting(caller.meeting(meeting_id))

    @bp.get("/meetings/<meeting_id>/jointoken/local_recording")
    def jointoken(meeting_id: str) -> dict[str, object]:
        with state.lock:
            caller = callers.find(state)
            caller.require("jointoken")
            callers.require_recording(state, caller.meeting(meeting_id))
            return {"token": values.opaque(64), "expire_in": 120}

    return bp


def _require_meeting() -> None:
    """Refuse to make a token on behalf of somebody that is for no meeting."""
    number = request.args.get("meeting_id", "")
    if request.args.get("type") == "onbehalf" and not number.isdecimal():
        errors = [{"field": "meeting_id", "message": "Invalid field."}]
        raise ApiError(400, 300, "Validation Failed.", errors=errors)
