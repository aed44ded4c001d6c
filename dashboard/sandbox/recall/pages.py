"""Two pages for people: what the simulated Recall holds, and the webhook URLs."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall.here import world

_SHOWN = 50

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show workspaces, apps, credentials and the newest webhooks."""
    its_world = world()
    with its_world.lock:
        return render_template(
            "index.html",
            now=its_world.clock.now(),
            workspaces=list(its_world.workspaces.values()),
            apps=list(its_world.apps.values()),
            credentials=list(its_world.credentials.values()),
            received=list(its_world.received)[: -_SHOWN - 1 : -1],
        )


@blueprint.get("/dashboard/explorer/zoom-oauth")
def explorer() -> ResponseReturnValue:
    """Show the exact URL to paste into each Zoom app (docs/contracts/recall.md 3.8)."""
    its_world = world()
    with its_world.lock:
        apps = list(its_world.apps.values())
    origin = request.host_url.rstrip("/")
    return render_template("explorer.html", apps=apps, origin=origin)
