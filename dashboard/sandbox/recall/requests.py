"""API requests of the simulated Recall: context, errors, and what each passes first.

In the real order: firewall, trailing slash, API key, credit, rate limit, idempotency.
The webhook receiver has no API key and passes none of this.
"""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from flask import (
    Flask,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    redirect,
    request,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from dashboard.sandbox.recall.records import StoredAnswer, Workspace
from dashboard.sandbox.recall.world import RecallWorld

_EXTENSION = "recall_world"
_RECEIVER = "webhooks.receive"
_API = "/api/"
_IDEMPOTENCY_LIFETIME = timedelta(hours=1)
_IDEMPOTENT_METHODS = ("POST", "PUT", "PATCH")
_FIREWALL_PAGE = (
    "<!DOCTYPE HTML><HTML><HEAD><TITLE>ERROR: The request could not be satisfied"
    "</TITLE></HEAD><BODY><H1>403 ERROR</H1><P>Request blocked.</P></BODY></HTML>"
)
_LOCAL_URL = re.compile(
    rb"http://|https://(?:localhost\b|\d{1,3}(?:\.\d{1,3}){3}|\[)", re.IGNORECASE
)


class RefusalError(Exception):
    """Ends a request with an error answer.

    Attributes:
        status: HTTP status.
        body: The JSON body.
        headers: Further headers.
    """

    def __init__(self, status: int, body: dict[str, Any], **headers: str | int) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = {
            name.replace("_", "-"): str(value) for name, value in headers.items()
        }


class FieldsError(RefusalError):
    """400 with messages by field, in the form of the switch `error_envelope`."""

    def __init__(self, fields: dict[str, Any]) -> None:
        envelope = current_world().switches.error_envelope
        body: dict[str, Any]
        if envelope == "invalid_request_data":
            body = {
                "code": "invalid_request_data",
                "message": "The request data is invalid.",
                "errors": fields,
            }
        else:
            body = {"detail": fields} if envelope == "detail" else fields
        super().__init__(400, body)


def attach(app: Flask, world: RecallWorld) -> None:
    """Attach the world and the handlers of each request to the app."""
    app.extensions[_EXTENSION] = world
    app.before_request(_check)
    app.after_request(_store_answer)
    app.teardown_request(_forget_running)
    app.register_error_handler(RefusalError, _refusal)
    app.register_error_handler(HTTPException, _http_error)


def current_world() -> RecallWorld:
    """Return the world of this app."""
    return cast("RecallWorld", current_app.extensions[_EXTENSION])


def current_workspace() -> Workspace:
    """Return the workspace of this request's API key."""
    return cast("Workspace", g.workspace)


def not_found() -> RefusalError:
    """Return the error for an ID not in the workspace (our choice of body)."""
    return RefusalError(404, {"code": "not_found", "detail": "Not found."})


def _refusal(error: RefusalError) -> ResponseReturnValue:
    return jsonify(error.body), error.status, error.headers


def raw_body() -> bytes:
    """Return the exact bytes of the request."""
    return request.get_data()


def _check() -> ResponseReturnValue | None:
    """Answer the request here if it does not reach its view."""
    body = raw_body()
    if not request.path.startswith(_API) or request.endpoint == _RECEIVER:
        return None
    if (request.method == "GET" and body) or _has_local_url(body):
        return _FIREWALL_PAGE, HTTPStatus.FORBIDDEN
    if isinstance(request.routing_exception, RequestRedirect):
        return _redirect_to_slash()
    g.workspace = _authenticate()
    if isinstance(request.routing_exception, HTTPException):
        return None
    if current_world().switches.credit_spent:
        detail = "This workspace has insufficient credit. Please top up to continue."
        raise RefusalError(402, {"code": "insufficient_credit", "detail": detail})
    _require_rate(g.workspace)
    return _stored_answer(g.workspace)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer Flask's own errors in the words of Django REST."""
    if not request.path.startswith(_API):
        return error
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    details = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}
    detail = details.get(code, error.name)
    name = error.name.lower().replace(" ", "_")
    answer = make_response(jsonify(code=name, detail=detail), code)
    if code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return answer


def _has_local_url(body: bytes) -> bool:
    """Whether the payload contains a local URL, escaped or not."""
    if current_world().allow_local:
        return False
    return bool(_LOCAL_URL.search(unquote_to_bytes(body).replace(rb"\/", b"/")))


def _redirect_to_slash() -> ResponseReturnValue:
    """Redirect a GET; refuse other methods, which would lose their body."""
    if request.method != "GET":
        detail = f'Method "{request.method}" not allowed.'
        raise RefusalError(405, {"code": "method_not_allowed", "detail": detail})
    query = request.query_string.decode()
    target = f"{request.path}/" + (f"?{query}" if query else "")
    return redirect(target, HTTPStatus.MOVED_PERMANENTLY)


def _authenticate() -> Workspace:
    """Return the workspace of `Token <key>`, or of the bare key."""
    sent = request.headers.get("Authorization", "")
    workspace = current_world().workspaces.get(sent.removeprefix("Token ").strip())
    if workspace is None:
        detail = "Invalid API token."
        raise RefusalError(401, {"code": "authentication_failed", "detail": detail})
    return workspace


def _require_rate(workspace: Workspace) -> None:
    world = current_world()
    wait_s = world.rate_limiter.wait_s(
        workspace.api_key,
        request.endpoint or "",
        now=world.clock.now(),
        is_limited=world.switches.rate_limits,
    )
    if wait_s is not None:
        detail = f"Request was throttled. Expected available in {wait_s} seconds."
        body = {"code": "throttled", "detail": detail}
        raise RefusalError(429, body, Retry_After=wait_s)


def _stored_answer(workspace: Workspace) -> Response | None:
    """Return the answer stored under this idempotency key, or mark it as running.

    Source: docs/contracts/recall.md 1.8.

    Raises:
        RefusalError: 409, the first request is still running.
    """
    key = request.headers.get("Idempotency-Key")
    if not key or request.method not in _IDEMPOTENT_METHODS:
        return None
    world, identity = current_world(), (key, workspace.api_key, request.path)
    with world.lock:
        stored = world.answers.get(identity)
        if stored is None and identity in world.answers:
            detail = "A request with this Idempotency-Key is being processed."
            raise RefusalError(409, {"code": "conflict", "detail": detail})
        oldest = world.clock.now() - _IDEMPOTENCY_LIFETIME
        if stored is None or stored.at < oldest:
            world.answers[identity] = None
            g.idempotent = identity
            return None
    return Response(stored.body, status=stored.status, content_type=stored.content_type)


def _store_answer(response: Response) -> Response:
    """Store the answer under the request's idempotency key; return it unchanged."""
    identity = g.pop("idempotent", None)
    if identity is not None:
        world = current_world()
        stored = StoredAnswer(
            at=world.clock.now(),
            status=response.status_code,
            content_type=response.content_type,
            body=response.get_data(),
        )
        with world.lock:
            world.answers[identity] = stored
    return response


def _forget_running(_: BaseException | None) -> None:
    """Free the idempotency key of a request that ended without an answer."""
    identity = g.pop("idempotent", None)
    if identity is not None:
        world = current_world()
        with world.lock:
            world.answers.pop(identity, None)
