"""For probes: alive, and ready to work."""

import structlog
from flask import Blueprint, Response

from dashboard.db import revisions
from dashboard.errors import DatabaseUnavailableError, StorageError
from dashboard.services.heartbeats import heartbeats
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime

bp = Blueprint("health", __name__)

_log = structlog.get_logger()


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
    try:
        revisions.require_newest(runtime().database)
        worker = heartbeats.find(db(), now=now())
    except DatabaseUnavailableError:  # logged already
        return Response("database\n", status=503, mimetype="text/plain")
    except StorageError as error:
        _log.warning("health.not_ready", reason=error.reason)
        return Response("database\n", status=503, mimetype="text/plain")
    warning = f"worker: {worker.warning}\n" if worker.warning else ""
    return Response(f"ok\n{warning}", mimetype="text/plain")
