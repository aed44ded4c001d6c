"""What every API request passes before its view, in the real one's order.

Firewall, trailing slash, API key, credit, rate limit, idempotency. The webhook receiver
has no key and passes none of this.
"""

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from flask import Response, g, jsonify, make_response, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from dashboard.sandbox.recall import replays
from dashboard.sandbox.recall.here import RefusalError, raw_body, world
from dashboard.sandbox.recall.records import Workspace

RECEIVER = "webhook.receive"
_API = "/api/"
_FIREWALL_PAGE = (
    "<!DOCTYPE HTML><HTML><HEAD><TITLE>ERROR: The request could not be satisfied"
    "</TITLE></HEAD><BODY><H1>403 ERROR</H1><P>Request blocked.</P></BODY></HTML>"
)
_LOCAL_URL = re.compile(
    rb"http://|https://(?:localhost\b|\d{1,3}(?:\.\d{1,3}){3}|\[)", re.IGNORECASE
)


def admit() -> ResponseReturnValue | None:
    """Answer in place of the view where the request does not get that far."""
    body = raw_body()
    if not request.path.startswith(_API) or request.endpoint == RECEIVER:
        return None
    if (request.method == "GET" and body) or _names_a_local_url(body):
        return _FIREWALL_PAGE, HTTPStatus.FORBIDDEN
    if isinstance(request.routing_exception, RequestRedirect):
        return _without_slash()
    g.workspace = _authenticated()
    if isinstance(request.routing_exception, HTTPException):
        return None
    if world().switches.credit_spent:
        detail = "This workspace has insufficient credit. Please top up to continue."
        raise RefusalError(402, {"code": "insufficient_credit", "detail": detail})
    _throttle(g.workspace)
    return replays.admit(g.workspace)


def leave(response: Response) -> Response:
    """Keep the answer for a repeat of the same idempotent request."""
    return replays.keep(response)


def tell(error: HTTPException) -> ResponseReturnValue:
    """Answer Flask's own refusals as Django REST words them."""
    if not request.path.startswith(_API):
        return error
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    words = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}
    detail = words.get(code, error.name)
    answer = make_response(jsonify(code=_snake(error.name), detail=detail), code)
    if code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return answer


def _snake(name: str) -> str:
    return name.lower().replace(" ", "_")


def _names_a_local_url(body: bytes) -> bool:
    """Whether the payload has a URL the firewall stops, however it is escaped."""
    if world().allow_local:
        return False
    return bool(_LOCAL_URL.search(unquote_to_bytes(body).replace(rb"\/", b"/")))


def _without_slash() -> ResponseReturnValue:
    """Send a GET to the right path; refuse what would lose its body on the way."""
    if request.method != "GET":
        detail = f'Method "{request.method}" not allowed.'
        raise RefusalError(405, {"code": "method_not_allowed", "detail": detail})
    query = request.query_string.decode()
    target = f"{request.path}/" + (f"?{query}" if query else "")
    return redirect(target, HTTPStatus.MOVED_PERMANENTLY)


def _authenticated() -> Workspace:
    """Return the workspace of `Token <key>`, or of the bare key."""
    sent = request.headers.get("Authorization", "")
    workspace = world().workspaces.get(sent.removeprefix("Token ").strip())
    if workspace is None:
        detail = "Invalid API token."
        raise RefusalError(401, {"code": "authentication_failed", "detail": detail})
    return workspace


def _throttle(workspace: Workspace) -> None:
    its_world = world()
    wait_s = its_world.throttle.wait_s(
        workspace.api_key,
        request.endpoint or "",
        now=its_world.clock.now(),
        is_limited=its_world.switches.rate_limits,
    )
    if wait_s is not None:
        detail = f"Request was throttled. Expected available in {wait_s} seconds."
        body = {"code": "throttled", "detail": detail}
        raise RefusalError(429, body, Retry_After=wait_s)
