"""`/oauth/…`: the authorize page, the token endpoint, revocation."""

from flask import Blueprint, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from dashboard.sandbox.zoom import consent, grants
from dashboard.sandbox.zoom.records import ZoomApp
from dashboard.sandbox.zoom.refusals import AuthorizeError, RefusedError, TokenError
from dashboard.sandbox.zoom.world import ZoomWorld

_ECHOED = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "optional_scope",
)


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/oauth`."""
    bp = Blueprint("oauth", __name__, url_prefix="/oauth")
    bp.register_error_handler(AuthorizeError, _authorize_error)
    bp.register_error_handler(TokenError, _token_error)

    @bp.get("/authorize")
    def authorize() -> str:
        with world.state.lock:
            question = consent.read(world.state, request.args)
            users = [u for u in world.state.users.values() if u.status == "active"]
            return render_template(
                "authorize.html",
                question=question,
                users=users,
                echoed=[(name, request.args.get(name)) for name in _ECHOED],
            )

    @bp.post("/authorize")
    def decide() -> AnyResponse:
        with world.state.lock:
            question = consent.read(world.state, request.form)
            if request.form.get("decision") == "decline":
                target = consent.decline(world.state, question)
            else:
                user_id = request.form.get("user_id", "")
                ticked = request.form.getlist("ticked")
                try:
                    target = consent.allow(world.state, question, user_id, ticked)
                except RefusedError as error:
                    return _page("This app cannot be added", str(error))
        if target is None:
            return _page("Declined", "You declined. You may close this window.")
        return redirect(target)

    @bp.post("/token")
    def token() -> Response:
        with world.state.lock:
            answer = _grant(world)
        # A regional host in real life (docs/contracts/zoom.md 3.2).
        answer["api_url"] = request.host_url.rstrip("/")
        response = jsonify(answer)
        response.headers["Cache-Control"] = "no-store"
        return response

    @bp.post("/revoke")
    def revoke() -> Response:
        with world.state.lock:
            basic = request.authorization
            if basic is None or basic.type != "basic":
                raise TokenError("invalid_client", "Invalid client_id or client_secret")
            app = _client(world)
            grants.revoke(world.state, app, request.form.get("token", ""))
        return jsonify(status="success")

    return bp


def _grant(world: ZoomWorld) -> dict[str, object]:
    state, form = world.state, request.form
    if state.switches.strict_form and request.args:
        raise TokenError("invalid_request", "Bad Request")
    params = form if state.switches.strict_form else request.values
    grant_type = params.get("grant_type")
    app = _client(world)
    match grant_type:
        case "authorization_code":
            return grants.exchange(
                state,
                app,
                code=params.get("code", ""),
                redirect_uri=params.get("redirect_uri", ""),
                verifier=params.get("code_verifier"),
            )
        case "refresh_token":
            return grants.refresh(state, app, params.get("refresh_token", ""))
        case "client_credentials":
            return grants.app_token(state, app)
        case None:
            raise TokenError("invalid_request", "Missing grant type")
        case _:
            raise TokenError("unsupported_grant_type", "unsupported grant type")


def _client(world: ZoomWorld) -> ZoomApp:
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        pair = basic.username or "", basic.password or ""
    else:
        form = request.form
        pair = form.get("client_id", ""), form.get("client_secret", "")
    return grants.authenticate(world.state, *pair)


def _page(heading: str, text: str) -> Response:
    return Response(render_template("message.html", heading=heading, text=text))


def _authorize_error(error: AuthorizeError) -> Response:
    # Browsers name text/html; programs send */* (docs/contracts/zoom.md 2.4).
    if "text/html" in request.headers.get("Accept", ""):
        return _page("Something is wrong with this link", error.page)
    response = jsonify(
        status=False, errorCode=error.code, errorMessage=error.message, result=None
    )
    response.status_code = 400
    return response


def _token_error(error: TokenError) -> Response:
    response = jsonify(reason=error.reason, error=error.error)
    response.status_code = error.status
    return response
