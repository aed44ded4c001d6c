"""For probes: alive, and ready to work."""

from flask import Blueprint, Response

from dashboard.db import revisions
from dashboard.errors import StorageError
from dashboard.web.access import public
from dashboard.web.context import runtime

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def alive() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@public
def ready() -> Response:
    """The database can be reached and has the tables of this version."""
    try:
        revisions.require_newest(runtime().database)
    except StorageError as error:
        return Response(f"{error}\n", status=503, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")
