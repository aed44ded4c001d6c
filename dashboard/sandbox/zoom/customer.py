"""A customer's own server that keeps users' tokens and hands them to Recall.

Recall calls it as docs/contracts/recall.md 5 says: the bare token, within 5 s, at least
120 s left. It answers only who knows its key, and 404 for users it does not know. How
it can get that wrong is a switch; a slow or dead one is a fault of the network.
"""

from datetime import timedelta

from flask import Blueprint, Response, jsonify, redirect, request

from dashboard.sandbox.zoom import oauth
from dashboard.sandbox.zoom.records import Grant, ZoomUser
from dashboard.sandbox.zoom.state import State

KEY = "simulated-key-of-the-customer"
"""What the customer's callback URL must hold as `auth_token`."""

_SOON = timedelta(seconds=60)


def blueprint(state: State) -> Blueprint:
    """Return the routes under `/customer`."""
    bp = Blueprint("customer", __name__, url_prefix="/customer")

    @bp.get("/<client_id>/token")
    def token(client_id: str) -> Response:
        mode = state.switches.customer
        if mode == "redirect":
            return _redirected()
        if request.args.get("auth_token") != KEY:
            return _plain("wrong key", 401)
        with state.lock:
            user = state.users.get(request.args.get("user", ""))
            if user is None:
                return _unknown(state, client_id)
            return _known(state, client_id, user)

    return bp


def _redirected() -> Response:
    answer = redirect(f"{request.host_url}elsewhere", 302)
    return Response(answer.get_data(), 302, {"Location": answer.headers["Location"]})


def _unknown(state: State, client_id: str) -> Response:
    match state.switches.customer:
        case "open":
            someone = next(iter(state.users.values()))
            return _plain(_token(state, client_id, someone), 200)
        case "error_for_unknown":
            return _plain("no rows", 500)
        case _:
            return _plain("unknown user", 404)


_INSTEAD = {
    "no_token": ("no token stored", 503),
    "error_in_200": ("ERROR: token expired, please reconnect", 200),
}


def _known(state: State, client_id: str, user: ZoomUser) -> Response:
    mode = state.switches.customer
    if mode in _INSTEAD:
        return _plain(*_INSTEAD[mode])
    if mode == "other_app":
        client_id = next(one for one in state.apps if one != client_id)
    token = _token(state, client_id, user, soon=mode == "ends_soon")
    match mode:
        case "json":
            return jsonify(access_token=token)
        case "quoted":
            token = f'"{token}"'
        case "newline":
            token = f"{token}\n"
        case "revoked":
            oauth.end_grant(state, client_id, user.id, "revoked")
    return _plain(token, 200)


def _token(state: State, client_id: str, user: ZoomUser, *, soon: bool = False) -> str:
    """Return an access token of the user's grant, which the customer got itself."""
    grant = state.active_grant(client_id, user.id)
    if grant is None:
        grant = Grant(
            client_id=client_id,
            user_id=user.id,
            account_id=user.account_id,
            scopes=list(state.app(client_id).scopes),
            granted_at=state.now(),
        )
        state.grants.append(grant)
    lifetime = _SOON if soon else oauth.ACCESS_LIFETIME
    return oauth.issue_access(state, grant, lifetime)


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain")
