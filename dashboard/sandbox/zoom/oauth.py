"""OAuth of the simulated Zoom: authorize page, token endpoint, revocation, grants.

Source: docs/contracts/zoom.md 2 and 3.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from dashboard.sandbox.zoom import approvals, apps
from dashboard.sandbox.zoom.errors import AuthorizeError, RefusedError, TokenError
from dashboard.sandbox.zoom.records import Code, Grant, Kind, ZoomApp, ZoomUser, new_id
from dashboard.sandbox.zoom.state import State

CODE_LIFETIME = timedelta(minutes=5)
ACCESS_LIFETIME = timedelta(hours=1)
REFRESH_LIFETIME = timedelta(days=90)

_INVALID_REDIRECT = 4700
_INVALID_CLIENT = 4702
_UNSUPPORTED = 4705
_JWT_KEY = secrets.token_bytes(32)
_REQUEST_FIELDS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "optional_scope",
)


@dataclass(frozen=True, kw_only=True)
class AuthorizeRequest:
    """An authorize request that was accepted.

    Attributes:
        state: Sent back unchanged; None if there was none.
        scopes: All requested scopes.
        optional: Those of `scopes` that the user may deselect.
    """

    app: ZoomApp
    redirect_uri: str
    state: str | None
    scopes: list[str]
    optional: list[str]
    challenge: str | None
    method: str


def parse_request(state: State, params: Mapping[str, str]) -> AuthorizeRequest:
    """Check an authorize request (docs/contracts/zoom.md 2.1 and 2.4).

    Raises:
        AuthorizeError: 4702 for an unknown client, 4700 for a redirect URI that is
            not registered or not public, 4705 (a guess) for anything else.
    """
    client_id = params.get("client_id", "")
    app = state.apps.get(client_id)
    if app is None:
        message = f"Invalid client_id: {client_id}"
        raise AuthorizeError(_INVALID_CLIENT, message, f"{message} (4,702)")
    uri = params.get("redirect_uri", "")
    public = apps.is_public(uri, allow_local=state.allow_local)
    if not public or not apps.is_registered(app, uri):
        page = f"Invalid redirect: {uri} (4,700)"
        raise AuthorizeError(_INVALID_REDIRECT, "Invalid redirect url", page)
    if params.get("response_type") != "code":
        raise _unsupported("Unsupported response type")
    method = params.get("code_challenge_method") or "plain"
    if method not in {"S256", "plain"}:
        raise _unsupported("Unsupported code challenge method")
    scopes, optional = _requested_scopes(app, params)
    return AuthorizeRequest(
        app=app,
        redirect_uri=uri,
        state=params.get("state"),
        scopes=scopes,
        optional=optional,
        challenge=params.get("code_challenge") or None,
        method=method,
    )


def refusal_reason(state: State, app: ZoomApp, user: ZoomUser) -> str | None:
    """Return why this user cannot add the app (docs/contracts/zoom.md 1), or None."""
    if state.switches.pre_approval and not approvals.is_approved(state, app, user):
        return (
            "Your account's admin has to approve this app first. "
            "Request pre-approval and try again once it is granted."
        )
    if not app.published and user.account_id != app.account_id:
        return (
            "This app is not published. Only users of its developer's own Zoom "
            "account can add it."
        )
    if app.kind is Kind.ACCOUNT_LEVEL and not user.is_admin():
        return "Only an admin of the Zoom account can add this app."
    return None


def allow(
    state: State,
    asked: AuthorizeRequest,
    user_id: str,
    selected: Sequence[str] | None = None,
) -> str:
    """Issue a code and return the URL to send the browser to.

    Args:
        state: The data.
        asked: The authorize request.
        user_id: The user who allows it.
        selected: Scopes left selected; those that are not optional are granted
            anyway. None grants all.

    Raises:
        RefusedError: This user cannot add the app.
    """
    user = state.user(user_id)
    problem = refusal_reason(state, asked.app, user)
    if problem is not None and state.switches.pre_approval:
        approvals.request(state, asked.app, user)
    if problem is not None:
        raise RefusedError(problem)
    withheld = set(state.switches.withheld_scopes)
    if selected is not None:
        withheld |= set(asked.optional) - set(selected)
    code = Code(
        client_id=asked.app.client_id,
        user_id=user_id,
        redirect_uri=asked.redirect_uri,
        scopes=[scope for scope in asked.scopes if scope not in withheld],
        challenge=asked.challenge,
        method=asked.method,
        issued_at=state.now(),
    )
    state.codes[code.code] = code
    return _with_query(asked.redirect_uri, code=code.code, state=asked.state)


def decline(state: State, asked: AuthorizeRequest) -> str | None:
    """Return the URL to send the browser to; None if it stays with Zoom."""
    if state.switches.decline == "silence":
        return None
    return _with_query(asked.redirect_uri, error="access_denied", state=asked.state)


def install(state: State, client_id: str, user_id: str) -> str:
    """Issue a code without state or PKCE, as adding from the Marketplace does.

    Returns:
        The URL to send the browser to (docs/contracts/zoom.md 2.3).

    Raises:
        RefusedError: There is no redirect URL, or this user cannot add the app.
    """
    app = state.app(client_id)
    if app.redirect_url is None:
        raise RefusedError("The app has no OAuth Redirect URL yet.")
    asked = AuthorizeRequest(
        app=app,
        redirect_uri=app.redirect_url,
        state=None,
        scopes=app.scopes,
        optional=[],
        challenge=None,
        method="plain",
    )
    return allow(state, asked, user_id)


def _requested_scopes(
    app: ZoomApp, params: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    wanted = params.get("scope", "").split()
    extra = params.get("optional_scope", "").split()
    if not wanted and not extra:
        return app.scopes, app.optional_scopes
    unknown = [scope for scope in (*wanted, *extra) if scope not in app.scopes]
    if unknown:
        raise _unsupported(f"Invalid scope: {' '.join(unknown)}")
    both = list(dict.fromkeys((*(wanted or app.scopes), *extra)))
    return both, list(dict.fromkeys((*extra, *app.optional_scopes)))


def _unsupported(message: str) -> AuthorizeError:
    return AuthorizeError(_UNSUPPORTED, message, f"{message} (4,705)")


def _with_query(url: str, **extra: str | None) -> str:
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in extra.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode(pairs)))


_OFF = "The app has been disabled by the developer"
_NOT_ACTIVATED = {
    "disabled": ("invalid_client", _OFF, 400),
    "disabled_bare": ("", _OFF, 400),
    "unauthorized": ("unauthorized_client", "", 401),
    "odd": ("invalid_client", "This is not possible at present", 400),
}


def authenticate_app(state: State, client_id: str, client_secret: str) -> ZoomApp:
    """Return the app with these client credentials.

    Raises:
        TokenError: `invalid_client`; Zoom does not say which of the two is wrong.
    """
    app = state.apps.get(client_id)
    refusal = _NOT_ACTIVATED.get(state.switches.app_activation)
    if refusal is not None:
        error, reason, status = refusal
        raise TokenError(error, reason, status=status)
    if app is None or client_secret not in _client_secrets(state, app):
        raise TokenError(
            "invalid_client",
            "Invalid client_id or client_secret",
            status=state.switches.invalid_client_status,
        )
    return app


def _client_secrets(state: State, app: ZoomApp) -> list[str]:
    """Return the secret, and the one before while it counts."""
    until, previous = app.previous_client_secret_until, app.previous_client_secret
    if previous is None or until is None or until <= state.now():
        return [app.client_secret]
    return [app.client_secret, previous]


def exchange_code(
    state: State, app: ZoomApp, *, code: str, redirect_uri: str, verifier: str | None
) -> dict[str, object]:
    """Exchange a code for a grant, which ends the user's earlier one to this app.

    Raises:
        TokenError: The code is unknown, used, expired or another app's, or its
            redirect URI or PKCE verifier does not match.
    """
    found = state.codes.get(code)
    suffix = f" {code}" if state.switches.code_in_reason else ""
    invalid = TokenError("invalid_grant", f"Invalid authorization code{suffix}")
    if found is None or found.used or found.client_id != app.client_id:
        raise invalid
    if state.now() > found.issued_at + CODE_LIFETIME:
        raise TokenError("invalid_grant", "Code is expired")
    if found.redirect_uri != redirect_uri:
        mismatch = state.switches.redirect_mismatch_error
        raise TokenError(mismatch, "Redirect URI mismatch.")
    if not _verifies(found, verifier):
        raise invalid
    found.used = True
    end_grant(
        state, app.client_id, found.user_id, "superseded by a newer authorization"
    )
    user = state.users[found.user_id]
    grant = Grant(
        client_id=app.client_id,
        user_id=user.id,
        account_id=user.account_id,
        scopes=found.scopes,
        granted_at=state.now(),
    )
    state.grants.append(grant)
    return _issue(state, grant)


def refresh_grant(state: State, app: ZoomApp, refresh_token: str) -> dict[str, object]:
    """Issue new tokens; the refresh token used is no longer valid.

    Raises:
        TokenError: `Invalid Token!`: replaced, revoked, expired or removed.
    """
    for grant in state.grants:
        matches = grant.refresh_token == refresh_token and grant.ended is None
        if not matches or grant.client_id != app.client_id:
            continue
        if grant.refresh_until is not None and state.now() > grant.refresh_until:
            break
        if grant.user_id is not None and not _is_active(state, grant.user_id):
            break
        return _issue(state, grant)
    raise TokenError("invalid_grant", "Invalid Token!")


def issue_app_token(state: State, app: ZoomApp) -> dict[str, object]:
    """Issue the app's own token (`client_credentials`), without a refresh token.

    Raises:
        TokenError: The switch `client_credentials` is off.
    """
    if not state.switches.client_credentials:
        raise TokenError("unsupported_grant_type", "unsupported grant type")
    grant = Grant(
        client_id=app.client_id,
        user_id=None,
        account_id=app.account_id,
        scopes=list(app.own_scopes),
        granted_at=state.now(),
    )
    state.grants.append(grant)
    return _issue(state, grant)


MARKETPLACE_SCOPES = ("marketplace:read:app:admin", "marketplace:write:app:admin")


def issue_account_token(
    state: State, account_id: str, client_id: str, client_secret: str
) -> dict[str, object]:
    """Issue a token of the account's Server-to-Server app (3.3, 12).

    Raises:
        TokenError: Its pair is wrong, or the account is another.
    """
    if (client_id, client_secret) != (SERVER_APP, state.server_app_secret):
        raise TokenError("invalid_client", "Invalid client_id or client_secret")
    if account_id != state.account_id:
        raise TokenError("invalid_request", "Bad Request")
    token = issue_marketplace_token(state)
    return {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": 3600,
        "scope": " ".join(MARKETPLACE_SCOPES),
    }


SERVER_APP = "simServerToServer00001"


def issue_marketplace_token(
    state: State, scopes: Sequence[str] = MARKETPLACE_SCOPES
) -> str:
    """Issue a token as a Server-to-Server app of the account has it (12)."""
    grant = Grant(
        client_id=SERVER_APP,
        user_id=None,
        account_id=state.account_id,
        scopes=list(scopes),
        granted_at=state.now(),
    )
    state.grants.append(grant)
    return str(_issue(state, grant)["access_token"])


def revoke_token(state: State, app: ZoomApp, access_token: str) -> None:
    """End the grant of an access token, refresh token included.

    Raises:
        TokenError: No active grant of this app has it.
    """
    for grant in state.grants:
        known = access_token in grant.access and grant.ended is None
        if known and grant.client_id == app.client_id:
            grant.ended = "revoked"
            return
    raise TokenError("invalid_grant", "Invalid Token!")


def end_grant(state: State, client_id: str, user_id: str, reason: str) -> bool:
    """End this user's grant to this app; return whether there was one."""
    grant = state.active_grant(client_id, user_id)
    if grant is None:
        return False
    grant.ended = reason
    return True


def _is_active(state: State, user_id: str) -> bool:
    user = state.users.get(user_id)
    return user is not None and user.status == "active"


def _verifies(code: Code, verifier: str | None) -> bool:
    if code.challenge is None:
        return True
    if verifier is None or not 43 <= len(verifier) <= 128:
        return False
    if code.method == "plain":
        return verifier == code.challenge
    digest = hashlib.sha256(verifier.encode()).digest()
    return _base64url(digest) == code.challenge


def issue_access(state: State, grant: Grant, lifetime: timedelta) -> str:
    """Issue an access token alone, as whoever holds the grant has one."""
    now = state.now()
    access = _jwt(grant, now, lifetime)
    grant.access[access] = now + lifetime
    return access


def _issue(state: State, grant: Grant) -> dict[str, object]:
    now = state.now()
    access = issue_access(state, grant, ACCESS_LIFETIME)
    answer: dict[str, object] = {
        "access_token": access,
        "token_type": "bearer",
        "expires_in": int(ACCESS_LIFETIME.total_seconds()),
        "scope": " ".join(grant.scopes),
    }
    if grant.user_id is not None:
        grant.refresh_token = _jwt(grant, now, REFRESH_LIFETIME)
        grant.refresh_until = now + REFRESH_LIFETIME
        answer["refresh_token"] = grant.refresh_token
    return answer


def blueprint(state: State) -> Blueprint:
    """Return the routes under `/oauth`."""
    bp = Blueprint("oauth", __name__, url_prefix="/oauth")
    bp.register_error_handler(AuthorizeError, _authorize_error)
    bp.register_error_handler(TokenError, _token_error)

    @bp.get("/authorize")
    def authorize() -> str:
        with state.lock:
            asked = parse_request(state, request.args)
            users = [u for u in state.users.values() if u.status == "active"]
            return render_template(
                "authorize.html",
                asked=asked,
                users=users,
                fields=[(name, request.args.get(name)) for name in _REQUEST_FIELDS],
            )

    @bp.post("/authorize")
    def decide() -> AnyResponse:
        with state.lock:
            asked = parse_request(state, request.form)
            if request.form.get("decision") == "decline":
                target = decline(state, asked)
            else:
                user_id = request.form.get("user_id", "")
                selected = request.form.getlist("scopes")
                try:
                    target = allow(state, asked, user_id, selected)
                except RefusedError as error:
                    return _page("This app can't be added", str(error))
        if target is None:
            return _page("Declined", "You declined. You can close this window.")
        return redirect(target)

    @bp.post("/token")
    def token() -> Response:
        with state.lock:
            answer = _token_answer(state)
        answer |= _api_url(state, request.host_url.rstrip("/"))
        response = jsonify(answer)
        response.headers["Cache-Control"] = "no-store"
        return response

    @bp.post("/revoke")
    def revoke() -> Response:
        with state.lock:
            basic = request.authorization
            if basic is None or basic.type != "basic":
                raise TokenError("invalid_client", "Invalid client_id or client_secret")
            app = _authenticated_app(state)
            revoke_token(state, app, request.form.get("token", ""))
        return jsonify(status="success")

    return bp


def _api_url(state: State, own: str) -> dict[str, object]:
    """Return the API host that goes with tokens (docs/contracts/zoom.md 3.2)."""
    match state.switches.api_url:
        case "regional":
            return {"api_url": "https://api-eu.zoom.us"}
        case "foreign":
            return {"api_url": "https://api.zoom.us.attacker.example"}
        case "absent":
            return {}
        case _:
            return {"api_url": own}


def _token_answer(state: State) -> dict[str, object]:
    form = request.form
    if state.switches.strict_form and request.args:
        raise TokenError("invalid_request", "Bad Request")
    params = form if state.switches.strict_form else request.values
    grant_type = params.get("grant_type")
    if grant_type == "account_credentials":
        pair = _pair()
        return issue_account_token(state, params.get("account_id", ""), *pair)
    app = _authenticated_app(state)
    match grant_type:
        case "authorization_code":
            return exchange_code(
                state,
                app,
                code=params.get("code", ""),
                redirect_uri=params.get("redirect_uri", ""),
                verifier=params.get("code_verifier"),
            )
        case "refresh_token":
            return refresh_grant(state, app, params.get("refresh_token", ""))
        case "client_credentials":
            return issue_app_token(state, app)
        case None:
            raise TokenError("invalid_request", "Missing grant type")
        case _:
            raise TokenError("unsupported_grant_type", "unsupported grant type")


def _authenticated_app(state: State) -> ZoomApp:
    return authenticate_app(state, *_pair())


def _pair() -> tuple[str, str]:
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        return basic.username or "", basic.password or ""
    return request.form.get("client_id", ""), request.form.get("client_secret", "")


def _page(heading: str, text: str) -> Response:
    return Response(render_template("message.html", heading=heading, text=text))


def _authorize_error(error: AuthorizeError) -> Response:
    # Browsers name text/html; programs send */* (docs/contracts/zoom.md 2.4).
    if "text/html" in request.headers.get("Accept", ""):
        return _page("This link doesn't work", error.page)
    response = jsonify(
        status=False, errorCode=error.code, errorMessage=error.message, result=None
    )
    response.status_code = 400
    return response


def _token_error(error: TokenError) -> Response:
    said = {"reason": error.reason, "error": error.error}
    response = jsonify({name: text for name, text in said.items() if text})
    response.status_code = error.status
    return response


def _jwt(grant: Grant, issued_at: datetime, lifetime: timedelta) -> str:
    """Return a signed JWT shaped like Zoom's tokens (docs/contracts/zoom.md 3.2)."""
    issued = int(issued_at.timestamp())
    header: dict[str, object] = {"alg": "HS512", "v": "2.0", "kid": "simulated"}
    payload: dict[str, object] = {
        "ver": 10,
        "auid": secrets.token_hex(16),
        "code": new_id(),
        "iss": f"zm:cid:{grant.client_id}",
        "gno": 0,
        "type": 0,
        "tid": 0,
        "aud": "https://oauth.zoom.us",
        "uid": grant.user_id or grant.client_id,
        "nbf": issued,
        "exp": int((issued_at + lifetime).timestamp()),
        "iat": issued,
        "aid": grant.account_id,
        "jti": secrets.token_hex(16),
    }
    parts = [json.dumps(part, separators=(",", ":")) for part in (header, payload)]
    signed = ".".join(_base64url(part.encode()) for part in parts)
    digest = hmac.new(_JWT_KEY, signed.encode(), hashlib.sha512).digest()
    return f"{signed}.{_base64url(digest)}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
