"""`/v2/…`: the part of Zoom's REST API the integration uses (contracts/zoom.md 4)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, jsonify, request

from dashboard.sandbox.zoom import paging, profiles, scopes, values
from dashboard.sandbox.zoom.records import Grant, Meeting, ZoomUser
from dashboard.sandbox.zoom.refusals import ApiError
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.world import ZoomWorld

_RATE_QPS = (
    "You have reached the maximum per-second rate limit for this API. Try again later."
)
_RATE_DAILY = (
    "You have reached the maximum daily rate limit for this API. Refer to the response "
    "header for details on when you can make another request."
)


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/v2`."""
    bp = Blueprint("api", __name__, url_prefix="/v2")
    bp.register_error_handler(ApiError, _error)
    state = world.state

    @bp.before_request
    def limit() -> None:
        _require_rate(state)

    @bp.get("/users/<user_id>")
    def user(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = _caller(state)
            caller.require("users/me")
            return profiles.user(caller.user(user_id), state.switches.pmi_as)

    @bp.get("/users")
    def users() -> dict[str, object]:
        with state.lock:
            caller = _caller(state)
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
            caller = _caller(state)
            caller.require("meetings")
            host = caller.user(user_id)
            found = [m for m in state.meetings.values() if m.host_id == host.id]
            found.sort(key=lambda meeting: (meeting.start_time, meeting.id))
            return paging.page("meetings", [profiles.meeting(m) for m in found])

    @bp.get("/users/<user_id>/zak")
    def zak(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = _caller(state)
            caller.require("zak")
            caller.user(user_id)
            return {"token": values.opaque(64)}

    @bp.get("/users/<user_id>/token")
    def token(user_id: str) -> dict[str, object]:
        with state.lock:
            caller = _caller(state)
            caller.require("token")
            caller.user(user_id)
            return {"token": values.opaque(64)}

    @bp.get("/meetings/<meeting_id>")
    def meeting(meeting_id: str) -> dict[str, object]:
        with state.lock:
            caller = _caller(state)
            caller.require("meeting")
            return profiles.meeting(caller.meeting(meeting_id))

    @bp.get("/meetings/<meeting_id>/jointoken/local_recording")
    def jointoken(meeting_id: str) -> dict[str, object]:
        with state.lock:
            caller = _caller(state)
            caller.require("jointoken")
            caller.meeting(meeting_id)
            return {"token": values.opaque(64), "expire_in": 120}

    return bp


@dataclass(frozen=True)
class _Caller:
    """Whoever holds the access token of this request, while the lock is held."""

    state: State
    grant: Grant

    def require(self, need: str) -> None:
        lacking = scopes.missing(self.grant.scopes, scopes.NEEDS[need])
        if lacking is not None:
            message = f"Invalid access token, does not contain scopes:[{lacking}]."
            raise ApiError(self.state.switches.missing_scope_status, 4711, message)

    def user(self, user_id: str) -> ZoomUser:
        own = self.grant.user_id
        wanted = self.state.users.get(
            own if user_id == "me" and own is not None else user_id
        )
        # The e-mail serves as id as well.
        for person in self.state.users.values():
            if wanted is None and person.email == user_id:
                wanted = person
        if wanted is None or not self._reaches(wanted):
            raise ApiError(404, 1001, f"User does not exist: {user_id}.")
        return wanted

    def meeting(self, meeting_id: str) -> Meeting:
        for meeting in self.state.meetings.values():
            if meeting_id not in {str(meeting.id), meeting.uuid, str(meeting.pmi)}:
                continue
            if self._reaches(self.state.users[meeting.host_id]):
                return meeting
        raise ApiError(404, 3001, f"Meeting does not exist: {meeting_id}.")

    def _reaches(self, person: ZoomUser) -> bool:
        if person.id == self.grant.user_id:
            return True
        reads_all = any(":admin" in scope for scope in self.grant.scopes)
        return reads_all and person.account_id == self.grant.account_id


def _caller(state: State) -> _Caller:
    if "access_token" in request.args:
        raise ApiError(
            401,
            124,
            "Invalid access token, this access token is not supported as query "
            "parameter string.",
        )
    bearer = request.authorization
    token = bearer.token if bearer is not None and bearer.type == "bearer" else None
    for grant in state.grants:
        if token is None or token not in grant.access or grant.ended is not None:
            continue
        if state.now() >= grant.access[token]:
            code = state.switches.expired_token_code
            raise ApiError(401, code, "Access token is expired.")
        owner = state.users.get(grant.user_id or "")
        if owner is not None and owner.status != "active":
            break
        return _Caller(state, grant)
    raise ApiError(401, 124, "Invalid access token.")


def _require_rate(state: State) -> None:
    kind = state.switches.rate_limit
    if kind == "off":
        return
    headers = {
        "X-RateLimit-Category": "Light",
        "X-RateLimit-Type": "QPS" if kind == "qps" else "Daily-limit",
        "X-RateLimit-Limit": "30" if kind == "qps" else "30000",
        "X-RateLimit-Remaining": "0",
    }
    if kind == "daily":
        today = state.now().astimezone(UTC)
        midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
        tomorrow = midnight + timedelta(days=1)
        # A date, where others send seconds (contracts/zoom.md 4.4).
        headers["Retry-After"] = tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ")
    message = _RATE_QPS if kind == "qps" else _RATE_DAILY
    raise ApiError(429, 429, message, headers=headers)


def _error(error: ApiError) -> Response:
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.errors is not None:
        body["errors"] = error.errors
    response = jsonify(body)
    response.status_code = error.status
    response.headers.update(error.headers)
    return response
