"""The simulated Recall as a WSGI application."""

from flask import Flask
from werkzeug.exceptions import HTTPException

from dashboard.sandbox.faults import Faults
from dashboard.sandbox.recall import (
    apps,
    control,
    credentials,
    gate,
    here,
    logs,
    pages,
    receiver,
    replays,
)
from dashboard.sandbox.recall.world import RecallWorld


def create_recall(world: RecallWorld) -> Flask:
    """Return the simulated Recall over `world`; faults are set by its control API.

    `app.extensions["sandbox_faults"]` is the `Faults` in front of it.
    """
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    here.settle(app, world)
    app.before_request(gate.admit)
    app.after_request(gate.leave)
    app.teardown_request(replays.abandon)
    app.register_error_handler(here.RefusalError, here.refuse)
    app.register_error_handler(HTTPException, gate.tell)
    for module in (apps, credentials, logs, receiver, control, pages):
        app.register_blueprint(module.blueprint)
    faults = Faults(app.wsgi_app)
    app.extensions[control.FAULTS] = faults
    app.wsgi_app = faults  # type: ignore[method-assign] # the way Flask documents
    return app
