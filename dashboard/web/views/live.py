"""The stream of changes that live pages listen to."""

from typing import cast

from flask import Blueprint, Response, abort, request

from dashboard.services.live import topics
from dashboard.services.staff.permissions import Permission
from dashboard.web import limits
from dashboard.web.access import requires
from dashboard.web.live.watcher import NoPlaceError, watcher
from dashboard.web.signin import Person, person

bp = Blueprint("live", __name__, url_prefix="/live")

_MOST_TOPICS = 16
_TRY_AGAIN_S = "15"


_NEEDED = {
    "overview": Permission.OVERVIEW_READ,
    "connections": Permission.CONNECTIONS_COUNT,
    "connection": Permission.CONNECTIONS_READ,
    "zoom": Permission.ZOOM_APPS_READ,
}
"""By the first word of a topic; the others are about webhooks."""


def _needed(topic: str) -> Permission:
    return _NEEDED.get(topic.partition("-")[0], Permission.WEBHOOKS_READ)


@bp.get("/stream")
@requires(Permission.OVERVIEW_READ)
def stream() -> Response:
    """Tell what changed of `topics`, as it happens.

    Asked by HEAD, it says whether there would be a place: an EventSource does not tell
    its page why it got none.
    """
    wanted = set(request.args.get("topics", "").split(","))
    if len(wanted) > _MOST_TOPICS or not all(map(topics.is_topic, wanted)):
        abort(400)
    reader = cast("Person", person())
    if not all(reader.can(_needed(name)) for name in wanted):
        abort(403)
    if reader.zoom_apps is not None and not limits.may_follow(wanted):
        abort(404)
    last_id = request.headers.get("Last-Event-ID", "")
    try:
        opened = watcher().open(wanted, reader, last_id=last_id)
    except NoPlaceError as error:
        headers = {"Retry-After": _TRY_AGAIN_S, "Live-Places": "0"}
        return Response(str(error), 503, headers, mimetype="text/plain")
    # Passed through, so that the bridge sees what it is and drives it in its loop.
    response = Response(opened, mimetype="text/event-stream", direct_passthrough=True)
    response.headers["X-Accel-Buffering"] = "no"
    return response
