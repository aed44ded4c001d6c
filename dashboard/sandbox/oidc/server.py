"""The Flask app of the simulated identity provider."""

import base64
import binascii
from dataclasses import asdict
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

from flask import Flask, Response, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from dashboard.sandbox.faults import Fault, Faults
from dashboard.sandbox.oidc.world import (
    AuthorizeRequest,
    ProviderWorld,
    RefusedError,
    TokenError,
    discovery,
)
from dashboard.sandbox.pages import make_app

_CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_ASKED = (
    *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method", "prompt", "max_age"),
)
_EVIL = "https://evil.example.com"


def create_provider(world: ProviderWorld) -> Flask:
    """Return the app that serves `world`.

    `app.extensions["sandbox_faults"]` is its `Faults` middleware.
    """
    app = make_app(__name__)
    app.register_error_handler(RefusedError, _refused)
    app.after_request(_add_headers)
    _add_pages(app, world)
    _add_endpoints(app, world)
    faults = Faults(app.wsgi_app)
    app.extensions["sandbox_faults"] = faults
    app.wsgi_app = faults  # type: ignore[method-assign] # the way Flask documents
    _add_control(app, world, faults)
    return app


def _add_pages(app: Flask, world: ProviderWorld) -> None:
    @app.get("/")
    def index() -> str:
        return render_template("index.html", people=world.people, issuer=world.issuer)

    @app.get("/authorize")
    def authorize() -> str:
        asked = world.parse(request.args)
        fields = [(name, request.args.get(name)) for name in _ASKED]
        return render_template(
            "authorize.html",
            people=world.people,
            fields=fields,
            is_again=asked.is_again,
        )

    @app.post("/authorize")
    def decide() -> AnyResponse:
        asked = world.parse(request.form)
        if request.form.get("decision") != "allow":
            return _back(world, asked, error="access_denied")
        code = world.allow(asked, request.form.get("sub", ""))
        return _back(world, asked, code=code)


def _add_endpoints(app: Flask, world: ProviderWorld) -> None:
    @app.get("/.well-known/openid-configuration")
    def configuration() -> Response:
        issuer = _EVIL if world.switches.other_discovered_issuer else world.issuer
        return jsonify(discovery(issuer, listens_on=world.issuer))

    @app.get("/jwks")
    def jwks() -> Response:
        return jsonify(world.jwks())

    @app.post("/token")
    def token() -> tuple[Response, int]:
        client_id, client_secret = _credentials()
        try:
            tokens = world.exchange(client_id, client_secret, request.form)
        except TokenError as error:
            code = str(error)
            is_client = code == "invalid_client"
            return jsonify(error=code), (
                HTTPStatus.UNAUTHORIZED if is_client else HTTPStatus.BAD_REQUEST
            )
        answer = jsonify(tokens)
        answer.headers["Cache-Control"] = "no-store"
        return answer, HTTPStatus.OK

    @app.get("/userinfo")
    def userinfo() -> tuple[Response, int]:
        given = request.headers.get("Authorization", "")
        about = world.userinfo(given.removeprefix("Bearer "))
        if about is None:
            return jsonify(error="invalid_token"), HTTPStatus.UNAUTHORIZED
        return jsonify(about), HTTPStatus.OK


def _add_control(app: Flask, world: ProviderWorld, faults: Faults) -> None:
    @app.get("/_sandbox/state")
    def state() -> Response:
        people = [asdict(person) for person in world.people]
        return jsonify(simulated=True, people=people, switches=asdict(world.switches))

    @app.post("/_sandbox/reset")
    def reset() -> Response:
        world.reset()
        faults.set([])
        return jsonify(reset=True)

    @app.post("/_sandbox/switches")
    def switches() -> Response:
        return jsonify(asdict(world.switch(**_body())))

    @app.post("/_sandbox/clients")
    def clients() -> Response:
        return jsonify(asdict(world.add_client(**_body())))

    @app.post("/_sandbox/people")
    def people() -> Response:
        return jsonify(asdict(world.set_person(**_body())))

    @app.post("/_sandbox/keys")
    def keys() -> Response:
        world.rotate_keys(**_body())
        return jsonify(world.jwks())

    @app.post("/_sandbox/faults")
    def set_faults() -> Response:
        new = [Fault(**each) for each in request.get_json()]
        faults.set(new)
        return jsonify(set=len(new))


def _back(
    world: ProviderWorld, asked: AuthorizeRequest, **answer: str | None
) -> AnyResponse:
    sender = _EVIL if world.switches.wrong_sender else world.issuer
    values = {**answer, "state": asked.state, "iss": sender}
    query = urlencode({name: each for name, each in values.items() if each is not None})
    parts = urlsplit(asked.redirect_uri)
    whole = "&".join(filter(None, [parts.query, query]))
    return redirect(urlunsplit(parts._replace(query=whole)), HTTPStatus.SEE_OTHER)


def _credentials() -> tuple[str, str]:
    """Read the client's ID and secret, of the header or of the form."""
    header = request.headers.get("Authorization", "")
    if not header.startswith("Basic "):
        form = request.form
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        pair = base64.b64decode(header.removeprefix("Basic ")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client_id, _, client_secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(client_secret)


def _body() -> dict[str, Any]:
    return dict(request.get_json())


def _refused(error: RefusedError) -> tuple[str, int]:
    page = render_template("message.html", heading="Request refused", text=str(error))
    return page, HTTPStatus.BAD_REQUEST


def _add_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _CSP
        response.headers["Cache-Control"] = "no-store"
    return response
