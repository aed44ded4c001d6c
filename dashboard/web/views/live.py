"""The stream of changes that live pages listen to."""

from flask import Blueprint, Response, abort, request

from dashboard.services import changes
from dashboard.services.permissions import Permission
from dashboard.web.access import requires
from dashboard.web.live import NoPlaceError, events, watcher

bp = Blueprint("live", __name__, url_prefix="/live")

_MOST_TOPICS = 16
_TRY_AGAIN_S = "15"


@bp.get("/stream")
@requires(Permission.OVERVIEW_READ)
def stream() -> Response:
    """Tell which of `topics` changed, as it happens: names only, nothing of a row."""
    topics = set(request.args.get("topics", "").split(","))
    if len(topics) > _MOST_TOPICS or not all(map(changes.is_topic, topics)):
        abort(400)
    watching = watcher()
    try:
        opened = watching.open(topics)
    except NoPlaceError as error:
        headers = {"Retry-After": _TRY_AGAIN_S}
        return Response(str(error), 503, headers, mimetype="text/plain")
    response = Response(events(watching, opened), mimetype="text/event-stream")
    # A stream that was never begun has no `finally`: give the place back here too.
    response.call_on_close(lambda: watching.release(opened))
    response.headers["X-Accel-Buffering"] = "no"
    return response
