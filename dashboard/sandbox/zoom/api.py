"""The REST API of the simulated Zoom: `/v2/…`.

Source: docs/contracts/zoom.md 4, 5.7, 5.9, 5.10 and 12.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError

from dashboard.sandbox.zoom import approvals, apps, delivery_log, scopes, subscriptions
from dashboard.sandbox.zoom import manifest as manifests
from dashboard.sandbox.zoom.errors import ApiError, RefusedError
from dashboard.sandbox.zoom.records import Grant, Meeting, ZoomApp, ZoomUser, new_id
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.subscriptions import SubscriptionRequest
from dashboard.sandbox.zoom.users import utc_text
from dashboard.sandbox.zoom.world import ZoomWorld

_MAX_PAGE_SIZE = 300
_DEFAULT_PAGE_SIZE = 30
_PAGE_SIZE = re.compile("[0-9]{1,3}")
_QPS_LIMIT = (
    "You have reached the maximum per-second rate limit for this API. Try again later."
)
_DAILY_LIMIT = (
    "You have reached the maximum daily rate limit for this API. Refer to the response "
    "header for details on when you can make another request."
)
_RECORDING_DISABLED = (
    "Local recording is not allowed: Hosts can give meeting participants permission to "
    "record locally is disabled."
)
_NO_PERMISSION = "No permission."


@dataclass(frozen=True)
class AccessToken:
    """The access token of this request and what it may do; the lock is held."""

    state: State
    grant: Grant

    def require(self, need: str) -> None:
        """Refuse a token without the scope for `need`.

        Raises:
            ApiError: The scope is missing.
        """
        missing = scopes.missing(self.grant.scopes, scopes.NEEDS[need])
        if missing is not None:
            switches = self.state.switches
            code, _, bare = switches.missing_scope_form.partition("_")
            named = "" if bare else f":[{missing}]"
            message = f"Invalid access token, does not contain scopes{named}."
            raise ApiError(switches.missing_scope_status, int(code), message)

    def user(self, user_id: str) -> ZoomUser:
        """Return a user the token can access, by ID, email or `me`.

        Raises:
            ApiError: There is none.
        """
        own = self.grant.user_id
        wanted = self.state.users.get(
            own if user_id == "me" and own is not None else user_id
        )
        for person in self.state.users.values():
            if wanted is None and person.email == user_id:
                wanted = person
        if wanted is None or not self._can_access(wanted):
            raise ApiError(404, 1001, f"User does not exist: {user_id}.")
        return wanted

    def meeting(self, meeting_id: str) -> Meeting:
        """Return a meeting the token can access, by number, UUID or PMI.

        Raises:
            ApiError: There is none.
        """
        for meeting in self.state.meetings.values():
            if meeting_id not in {str(meeting.id), meeting.uuid, str(meeting.pmi)}:
                continue
            if self._can_access(self.state.users[meeting.host_id]):
                return meeting
        raise ApiError(404, 3001, f"Meeting does not exist: {meeting_id}.")

    def _can_access(self, person: ZoomUser) -> bool:
        if person.id == self.grant.user_id:
            return True
        is_admin = any(":admin" in scope for scope in self.grant.scopes)
        return is_admin and person.account_id == self.grant.account_id


def _access_token(state: State) -> AccessToken:
    """Return the access token of this request; the lock is held.

    Raises:
        ApiError: It is missing, unknown, expired or in the query string.
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
        return AccessToken(state, grant)
    raise ApiError(401, 124, "Invalid access token.")


def _require_recording(state: State, meeting: Meeting) -> None:
    """Refuse a join token if the host does not let participants record.

    Raises:
        ApiError: The host does not.
    """
    if not state.users[meeting.host_id].participants_may_record:
        message = (
            _RECORDING_DISABLED
            if state.switches.recording_refusal == "named"
            else _NO_PERMISSION
        )
        raise ApiError(403, 200, message)


def _require_rate(state: State) -> None:
    """Refuse every call while the switch `rate_limit` is on.

    Raises:
        ApiError: The switch is on.
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
        # A date, not seconds (docs/contracts/zoom.md 4.4).
        headers["Retry-After"] = tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ")
    message = _QPS_LIMIT if kind == "qps" else _DAILY_LIMIT
    raise ApiError(429, 429, message, headers=headers)


def _api_error(error: ApiError) -> Response:
    """Return an error of the REST API (docs/contracts/zoom.md 4.3)."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.errors is not None:
        body["errors"] = error.errors
    response = jsonify(body)
    response.status_code = error.status
    response.headers.update(error.headers)
    return response


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/v2`."""
    bp = Blueprint("api", __name__, url_prefix="/v2")
    bp.register_error_handler(ApiError, _api_error)
    bp.before_request(lambda: _require_rate(world.state))
    _add_users(bp, world.state)
    _add_meetings(bp, world.state)
    _add_manifests(bp, world)
    _add_apps(bp, world)
    _add_rotation(bp, world)
    _add_subscriptions(bp, world)
    _add_logs(bp, world)
    _add_requests(bp, world)
    _add_certificates(bp, world)
    return bp


def _add_users(bp: Blueprint, state: State) -> None:

    @bp.get("/users/<user_id>")
    def user(user_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("users/me")
            return _user_json(token.user(user_id), state.switches.pmi_as)

    @bp.get("/users")
    def users() -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("users")
            return _page(
                "users",
                [
                    _user_json(person, state.switches.pmi_as)
                    for person in state.users.values()
                    if person.account_id == token.grant.account_id
                    and person.status == request.args.get("status", "active")
                ],
            )

    @bp.get("/users/<user_id>/zak")
    def zak(user_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("zak")
            token.user(user_id)
            return {"token": new_id(64)}

    @bp.get("/users/<user_id>/token")
    def user_token(user_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("token")
            token.user(user_id)
            _require_meeting(state)
            return {"token": new_id(64)}


def _add_meetings(bp: Blueprint, state: State) -> None:
    @bp.get("/users/<user_id>/meetings")
    def meetings(user_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("meetings")
            host = token.user(user_id)
            found = [m for m in state.meetings.values() if m.host_id == host.id]
            found.sort(key=lambda meeting: (meeting.start_time, meeting.id))
            return _page("meetings", [_meeting_json(m) for m in found])

    @bp.get("/meetings/<meeting_id>")
    def meeting(meeting_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("meeting")
            return _meeting_json(token.meeting(meeting_id))

    @bp.get("/meetings/<meeting_id>/jointoken/local_recording")
    def jointoken(meeting_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("jointoken")
            _require_recording(state, token.meeting(meeting_id))
            return {"token": new_id(64), "expire_in": 120}


def _require_meeting(state: State) -> None:
    """Refuse a token of type `onbehalf` without a meeting, in the form that wants one.

    Zoom's descriptions differ (4.2); what is no number is refused in both.
    """
    is_wanted = state.switches.obf_meeting == "required"
    number = request.args.get("meeting_id")
    is_wrong = is_wanted if number is None else not number.isdecimal()
    if request.args.get("type") == "onbehalf" and is_wrong:
        raise _invalid_field("meeting_id", "Invalid field.")


def _add_manifests(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.post("/marketplace/apps/manifest/validate")
    def validate() -> Response:
        with state.lock:
            _access_token(state).require("manifest/read")
        return jsonify(manifests.validation_answer(_body().get("manifest")))

    @bp.get("/marketplace/apps/<app_id>/manifest")
    def export(app_id: str) -> Response:
        with state.lock:
            _access_token(state).require("manifest/read")
            try:
                return jsonify(manifest=manifests.export_manifest(_app(world, app_id)))
            except RefusedError as error:
                raise ApiError(404, 1500, str(error)) from None

    @bp.put("/marketplace/apps/<app_id>/manifest")
    def update(app_id: str) -> Response:
        with state.lock:
            _access_token(state).require("manifest/write")
            client_id = _app(world, app_id).client_id
        manifest = _body().get("manifest")
        if manifests.find_problems(manifest):
            response = jsonify(manifests.validation_answer(manifest))
            response.status_code = 400
            return response
        try:
            world.import_manifest(client_id, manifest)
        except RefusedError as error:
            raise ApiError(400, 300, str(error)) from None
        return Response()


_OF_A_NEW_APP = ("app_name", "contact_name", "contact_email", "company_name")


def _new_app(body: dict[str, object]) -> tuple[str, object]:
    """Return the name and the manifest of an app to create."""
    if body.get("app_type") != "general":
        raise _invalid_field("app_type", "Invalid field.")
    for field in _OF_A_NEW_APP:
        if not isinstance(body.get(field), str) or not body[field]:
            raise _invalid_field(field, "Invalid field.")
    return str(body["app_name"]), body.get("manifest")


def _add_apps(bp: Blueprint, world: ZoomWorld) -> None:
    state, path = world.state, "/marketplace/apps"

    @bp.post(path)
    def create_app() -> tuple[Response, int]:
        with state.lock:
            _access_token(state).require("manifest/write")
            if state.switches.app_creation == "denied":
                raise ApiError(401, 401, "Access Denied")
        name, manifest = _new_app(_body())
        if manifests.find_problems(manifest):
            return jsonify(manifests.validation_answer(manifest)), 400
        try:
            app = world.create_app(name, manifest)
        except RefusedError as error:
            raise ApiError(400, 300, str(error)) from None
        return _created(app, state.switches.app_creation)

    @bp.get(f"{path}/<app_id>")
    def about(app_id: str) -> Response:
        with state.lock:
            _access_token(state).require("manifest/read")
            app = _app(world, app_id)
            return jsonify(
                app_name=app.name,
                app_type="OAuthApp",
                app_status="published" if app.published else "unpublished",
                app_scopes=app.scopes,
            )

    @bp.delete(f"{path}/<app_id>")
    def delete_app(app_id: str) -> Response:
        with state.lock:
            _access_token(state).require("manifest/write")
            del state.apps[_app(world, app_id).client_id]
        return Response()


def _add_rotation(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.post("/marketplace/apps/<app_id>/rotate_client_secret")
    def rotate(app_id: str) -> Response:
        body = _body()
        with state.lock:
            token = _access_token(state)
            token.require("rotation")
            app = _app(world, app_id)
            if token.grant.client_id != app.client_id:
                raise ApiError(404, 1401, "App ID does not exist.")
            if state.switches.rotation == "denied":
                raise ApiError(403, 403, "No permission to rotate the secret.")
            until = _revocation(body)
            apps.rotate_client_secret(state, app.client_id, old_until=until)
            answer = {
                "secret_id": new_id(),
                "revoke_old_secret_time": utc_text(until),
            }
            if state.switches.rotation == "on":
                answer["new_secret"] = app.client_secret
            return jsonify(answer)


def _created(app: ZoomApp, form: str) -> tuple[Response, int]:
    """Return the answer in the form the switch asks for; all were seen live (12)."""
    pair = {"client_id": app.client_id, "client_secret": app.client_secret}
    match form:
        case "id_only":
            return jsonify(app_id=app.app_id), 200
        case "credentials":
            return jsonify(app_id=app.app_id, credentials=pair), 200
        case _:
            named = {"app_name": app.name, "app_type": "general"}
            made = {"app_id": app.app_id, **named, "development_credentials": pair}
            return jsonify(made), 201


def _revocation(body: dict[str, object]) -> datetime:
    if body.get("action") != "new":
        raise _invalid_field("action", "Invalid field.")
    try:
        return datetime.fromisoformat(str(body.get("revoke_old_secret_time")))
    except ValueError:
        raise _invalid_field("revoke_old_secret_time", "Invalid field.") from None


def _add_subscriptions(bp: Blueprint, world: ZoomWorld) -> None:
    state, path = world.state, "/marketplace/app/event_subscription"

    def app_of_token(need: str) -> ZoomApp:
        """Return the app that this token belongs to."""
        token = _access_token(state)
        token.require(f"subscription/{need}")
        return state.app(token.grant.client_id)

    @bp.get(path)
    def index() -> Response:
        with state.lock:
            found = subscriptions.list_of_subscriber(
                state,
                app_of_token("read"),
                scope=request.args.get("subscription_scope", ""),
                user_id=request.args.get("user_id", ""),
                account_id=request.args.get("account_id", ""),
            )
        return jsonify(event_subscriptions=found, page_size=30, next_page_token="")

    @bp.post(path)
    def create() -> tuple[Response, int]:
        with state.lock:
            app = app_of_token("create")
        subscription = world.subscribe(app, _subscription_request())
        return jsonify(event_subscription_id=subscription.id), 201

    @bp.patch(path)
    def change() -> tuple[str, int]:
        if not state.switches.updates_subscriptions:
            raise ApiError(405, 405, "Request method 'PATCH' is not supported.")
        with state.lock:
            app = app_of_token("change")
        world.change_subscription(app, _subscription_request())
        return "", 204

    @bp.patch(f"{path}/<subscription_id>")
    def add_subscribers(subscription_id: str) -> tuple[str, int]:
        with state.lock:
            subscriptions.add_subscribers(
                state, app_of_token("change"), subscription_id, _subscription_request()
            )
        return "", 204

    @bp.delete(f"{path}/<subscription_id>")
    def delete(subscription_id: str) -> tuple[str, int]:
        with state.lock:
            subscriptions.delete(state, app_of_token("delete"), subscription_id)
        return "", 204


def _add_logs(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.get("/marketplace/apps/<app_id>/webhook_logs")
    def webhook_logs(app_id: str) -> dict[str, object]:
        with state.lock:
            token = _access_token(state)
            token.require("webhook_logs")
            app = _app(world, app_id)
            if token.grant.client_id != app.client_id:
                raise ApiError(404, 1500, "The app does not exist.")
            found = delivery_log.rows(
                state,
                app,
                since=request.args.get("from", ""),
                until=request.args.get("to", ""),
                event=request.args.get("event", ""),
                kind=request.args.get("type", ""),
            )
            page = _page("webhook_logs", found)
        del page["total_records"]
        return page


def _add_certificates(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.get("/marketplace/app/<app_id>/event_certificates")
    def event_certificates(app_id: str) -> Response:
        if state.switches.certificates == "absent":
            raise ApiError(404, 404, "Not Found.")
        with state.lock:
            _access_token(state).require("certificates")
            names = _app(world, app_id).event_certificates
        found = [{"certificate_id": f"sim-{name}", "name": name} for name in names]
        is_bare = state.switches.certificates == "list"
        return jsonify(found if is_bare else {"event_certificates": found})


def _add_requests(bp: Blueprint, world: ZoomWorld) -> None:
    state, path = world.state, "/marketplace/apps/<app_id>/requests"

    def own_app(app_id: str, need: str) -> ZoomApp:
        """Return the app of the token, if it is this one."""
        token = _access_token(state)
        token.require(f"requests/{need}")
        app = _app(world, app_id)
        if token.grant.client_id != app.client_id:
            raise ApiError(404, 1500, "The app does not exist.")
        return app

    @bp.get(path)
    def requests(app_id: str) -> dict[str, object]:
        with state.lock:
            app = own_app(app_id, "read")
            found = approvals.listed(state, app, request.args.get("status", ""))
            page = _page("requests", found)
        del page["total_records"]
        return page

    @bp.patch(path)
    def change_requests(app_id: str) -> tuple[str, int]:
        body = _body()
        ids = body.get("request_user_ids")
        with state.lock:
            approvals.change(
                state,
                own_app(app_id, "change"),
                str(body.get("action", "")),
                [str(one) for one in ids] if isinstance(ids, list) else [],
            )
        return "", 204


def _app(world: ZoomWorld, app_id: str) -> ZoomApp:
    for app in world.state.apps.values():
        if app.app_id == app_id:
            return app
    raise ApiError(404, 1500, "The app does not exist.")


def _subscription_request() -> SubscriptionRequest:
    try:
        return SubscriptionRequest.model_validate(_body())
    except ValidationError:
        raise ApiError(400, 300, "Validation Failed.") from None


def _body() -> dict[str, object]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ApiError(400, 300, "Request Body should be a valid JSON object.")
    return body


def _user_json(user: ZoomUser, pmi_as: Literal["int", "string"]) -> dict[str, object]:
    """Return the body of `GET /users/me`; `pmi` was a string until 2021."""
    return {
        **user.model_dump(exclude={"created_at", "participants_may_record"}),
        "pmi": user.pmi if pmi_as == "int" else str(user.pmi),
        "personal_meeting_url": f"https://example.zoom.us/j/{user.pmi}?pwd=abc",
        "login_types": [100],
        "group_ids": [],
        "created_at": utc_text(user.created_at),
        "last_login_time": utc_text(user.created_at),
    }


def _meeting_json(meeting: Meeting) -> dict[str, object]:
    """Return one row of `GET /users/me/meetings`; `id` is a number."""
    row: dict[str, object] = {
        "uuid": meeting.uuid,
        "id": meeting.id,
        "host_id": meeting.host_id,
        "topic": meeting.topic,
        "type": meeting.type,
        "start_time": utc_text(meeting.start_time),
        "duration": meeting.duration,
        "timezone": meeting.timezone,
        "created_at": utc_text(meeting.created_at),
        "join_url": meeting.join_url(),
    }
    if meeting.use_pmi:
        row["pmi"] = str(meeting.pmi)
    return row


def _page(name: str, rows: list[dict[str, object]]) -> dict[str, object]:
    """Return the requested page of a list (docs/contracts/zoom.md 4.2).

    Raises:
        ApiError: 400 with code 300 for a wrong size or token.
    """
    size = _size()
    start = _offset(request.args.get("next_page_token", ""))
    end = start + size
    return {
        "page_size": size,
        "total_records": len(rows),
        "next_page_token": _token(end) if end < len(rows) else "",
        name: rows[start:end],
    }


def _size() -> int:
    text = request.args.get("page_size", str(_DEFAULT_PAGE_SIZE))
    if not _PAGE_SIZE.fullmatch(text) or not 1 <= int(text) <= _MAX_PAGE_SIZE:
        raise _invalid_field("page_size", f"Invalid field. At most {_MAX_PAGE_SIZE}.")
    return int(text)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"sim-page-{offset:09}".encode()).decode()


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token).decode()
        return int(text.removeprefix("sim-page-"))
    except ValueError:
        raise _invalid_field(
            "next_page_token", "The next page token is invalid."
        ) from None


def _invalid_field(field: str, message: str) -> ApiError:
    errors = [{"field": field, "message": message}]
    return ApiError(400, 300, "Validation Failed.", errors=errors)
