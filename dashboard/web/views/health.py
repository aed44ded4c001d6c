"""For probes: alive, and ready to work."""

import structlog
from flask import Blueprint, Response, current_app
from flask.blueprints import BlueprintSetupState

from dashboard.db import revisions
from dashboard.errors import StorageError
from dashboard.logs import Level, Outage
from dashboard.services.heartbeats import heartbeats
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime

bp = Blueprint("health", __name__)

_OUTAGE = "health.outage"
_CALM_S = 60.0

_log = structlog.get_logger()


def _install(state: BlueprintSetupState) -> None:
    state.app.extensions[_OUTAGE] = Outage(
        _log,
        "health.not_ready",
        "health.still_not_ready",
        "health.ready_again",
        level=Level.WARNING,
        calm_s=_CALM_S,
    )


bp.record(_install)


@bp.get("/healthz")
@public
def alive() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@public
def ready() -> Response:
    """The database can be reached and has the tables of this version.

    Without a background worker it is still ready: Zoom's webhooks are taken and stored.
    The body says it. Strangers may ask: they learn which part is not ready. The log has
    the reason.
    """
    outage: Outage = current_app.extensions[_OUTAGE]
    try:
        revisions.require_newest(runtime().database)
        worker = heartbeats.find(db(), now=now())
    except StorageError as error:
        if not error.is_logged:
            outage.record(reason=error.reason)
        return Response("database\n", status=503, mimetype="text/plain")
    outage.end()
    warning = f"worker: {worker.warning}\n" if worker.warning else ""
    return Response(f"ok\n{warning}", mimetype="text/plain")
