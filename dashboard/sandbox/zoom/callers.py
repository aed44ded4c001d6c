"""Who calls the simulated REST API, by which token, and what it may."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Response, jsonify, request

from dashboard.sandbox.zoom import scopes
from dashboard.sandbox.zoom.records import Grant, Meeting, ZoomUser
from dashboard.sandbox.zoom.refusals import ApiError
from dashboard.sandbox.zoom.state import State

_RATE_QPS = (
    "You have reached the maximum per-second rate limit for this API. Try again later."
)
_RATE_DAILY = (
    "You have reached the maximum daily rate limit for this API. Refer to the response "
    "header for details on when you can make another request."
)

_NAMED = (
    "Local recording is not allowed: Hosts can give meeting participants permission to "
    "record locally is disabled."
)
_BARE = "No permission."


@dataclass(frozen=True)
class Caller:
    """Whoever holds the access token of this request, while the lock is held."""

    state: State
    grant: Grant

    def require(self, need: str) -> None:
        """Refuse a token that lacks the scope of this need.

        Raises:
            ApiError: It does.
        """
        lacking = scopes.missing(self.grant.scopes, scopes.NEEDS[need])
        if lacking is not None:
            message = f"Invalid access token, does not contain scopes:[{lacking}]."
            raise ApiError(self.state.switches.missing_scope_status, 4711, message)

    def user(self, user_id: str) -> ZoomUser:
        """Return a user that the token reaches, by id, e-mail or `me`.

        Raises:
            ApiError: There is none.
        """
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
        """Return a meeting that the token reaches, by number, UUID or PMI.

        Raises:
            ApiError: There is none.
        """
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


def find(state: State) -> Caller:
    """Return whoever makes this request; the lock is held.

    Raises:
        ApiError: No token, or one that is unknown, expired or in the query string.
    """
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
        return Caller(state, grant)
    raise ApiError(401, 124, "Invalid access token.")


def require_recording(state: State, meeting: Meeting) -> None:
    """Refuse a join token where the host's setting keeps participants from recording.

    Raises:
        ApiError: It does.
    """
    if not state.users[meeting.host_id].participants_may_record:
        message = _NAMED if state.switches.recording_refusal == "named" else _BARE
        raise ApiError(403, 200, message)


def require_rate(state: State) -> None:
    """Refuse every call while the switch `rate_limit` says so.

    Raises:
        ApiError: It does.
    """
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
        # A date, where others send seconds (docs/contracts/zoom.md 4.4).
        headers["Retry-After"] = tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ")
    message = _RATE_QPS if kind == "qps" else _RATE_DAILY
    raise ApiError(429, 429, message, headers=headers)


def answer(error: ApiError) -> Response:
    """Return the refusal in the REST API's form (docs/contracts/zoom.md 4.3)."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.errors is not None:
        body["errors"] = error.errors
    response = jsonify(body)
    response.status_code = error.status
    response.headers.update(error.headers)
    return response
