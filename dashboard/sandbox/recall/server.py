"""The Flask app of the simulated Recall, with its two pages."""

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from dashboard.sandbox.faults import Faults
from dashboard.sandbox.recall import (
    apps,
    bots,
    control,
    credentials,
    requests,
    webhooks,
)
from dashboard.sandbox.recall.requests import current_world
from dashboard.sandbox.recall.world import RecallWorld

pages = Blueprint("pages", __name__)
_SHOWN = 50


@pages.get("/")
def index() -> ResponseReturnValue:
    """Show workspaces, apps, credentials and the newest webhooks."""
    world = current_world()
    with world.lock:
        return render_template(
            "index.html",
            now=world.clock.now(),
            workspaces=list(world.workspaces.values()),
            apps=list(world.apps.values()),
            credentials=list(world.credentials.values()),
            received=list(world.received)[: -_SHOWN - 1 : -1],
        )


@pages.get("/dashboard/explorer/zoom-oauth")
def explorer() -> ResponseReturnValue:
    """Show the exact URL to paste into each Zoom app (docs/contracts/recall.md 3.8)."""
    world = current_world()
    with world.lock:
        apps = list(world.apps.values())
    origin = request.host_url.rstrip("/")
    return render_template("explorer.html", apps=apps, origin=origin)


def create_recall(world: RecallWorld) -> Flask:
    """Return the app that serves `world`.

    `app.extensions["sandbox_faults"]` is its `Faults` middleware.
    """
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    requests.attach(app, world)
    app.register_blueprint(pages)
    for module in (apps, credentials, bots, webhooks, control):
        app.register_blueprint(module.blueprint)
    faults = Faults(app.wsgi_app)
    app.extensions[control.FAULTS] = faults
    app.wsgi_app = faults  # type: ignore[method-assign] # the way Flask documents
    return app
