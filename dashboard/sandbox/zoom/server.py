"""The Flask app of the simulated Zoom."""

from flask import Flask, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.sandbox.faults import Faults
from dashboard.sandbox.pages import make_app
from dashboard.sandbox.zoom import api, control, customer, marketplace, oauth
from dashboard.sandbox.zoom.errors import MissingError, RefusedError
from dashboard.sandbox.zoom.records import new_id
from dashboard.sandbox.zoom.world import ZoomWorld

# No form-action: "Allow" posts here and is redirected to the app's own host.
_CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def create_zoom(world: ZoomWorld) -> Flask:
    """Return the app that serves `world`.

    `app.extensions["sandbox_faults"]` is its `Faults` middleware. The app sends no
    webhooks until `world.deliver_due()` is called.
    """
    app = make_app(__name__)
    app.url_map.strict_slashes = False
    app.register_blueprint(oauth.blueprint(world.state))
    app.register_blueprint(api.blueprint(world))
    app.register_blueprint(marketplace.apps_blueprint(world))
    app.register_blueprint(marketplace.users_blueprint(world))
    app.register_blueprint(control.blueprint(world))
    app.register_blueprint(customer.blueprint(world.state))
    app.register_error_handler(RefusedError, _refused)
    app.after_request(_add_headers)

    @app.get("/")
    def index() -> AnyResponse:
        return redirect(url_for("marketplace.index"))

    faults = Faults(app.wsgi_app)
    app.extensions[control.FAULTS] = faults
    app.wsgi_app = faults  # type: ignore[method-assign] # the way Flask documents
    return app


def _refused(error: RefusedError) -> tuple[str, int]:
    status = 404 if isinstance(error, MissingError) else 400
    page = render_template("message.html", heading="Request refused", text=str(error))
    return page, status


def _add_headers(response: Response) -> Response:
    # docs/contracts/zoom.md 4.3
    response.headers["x-zm-trackingid"] = f"v=2.0;clid=sim;rid=WEB_{new_id()}"
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _CSP
        response.headers["Cache-Control"] = "no-store"
    return response
