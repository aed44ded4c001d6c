"""A user's own connection: how it stands, reconnect, disconnect. For strangers.

Known by the cookie of the browser that connected, and by nothing else.
"""

from uuid import UUID

from flask import Blueprint, Response, request, url_for

from dashboard.errors import NotFoundError, UpstreamError
from dashboard.services import audit
from dashboard.services.connect import flow, own_connections
from dashboard.services.connections import actions
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, runtime
from dashboard.web.pages import hosted

bp = Blueprint("mine", __name__, url_prefix="/connect/<slug>")


@bp.get("/mine")
@public
def show(slug: str) -> Response:
    """Say how the connections made in this browser stand."""
    app = flow.app_of_page(db(), slug)
    mine = own_connections.of_browser(db(), app, browser=hosted.browser())
    template = "show" if mine else "none"
    return hosted.page(
        f"connect/mine/{template}.html",
        200,
        app=app,
        mine=mine,
        asked=hosted.asked_of(app),
    )


@bp.get("/mine/<uuid:connection_id>/disconnect")
@public
def ask(slug: str, connection_id: UUID) -> Response:
    """Ask once more before it is deleted."""
    app = flow.app_of_page(db(), slug)
    try:
        own = own_connections.owned(db(), app, connection_id, browser=hosted.browser())
    except NotFoundError:
        return htmx.go_to(url_for(".show", slug=slug))
    here = url_for(".show", slug=slug)
    return hosted.page("connect/mine/disconnect.html", 200, app=app, own=own, back=here)


@bp.post("/mine/<uuid:connection_id>/disconnect")
@public
def destroy(slug: str, connection_id: UUID) -> Response:
    """Delete it, in Recall and here."""
    app = flow.app_of_page(db(), slug)
    try:
        own_connections.owned(db(), app, connection_id, browser=hosted.browser())
        user = audit.a_user(request.remote_addr or "")
        actions.disconnect(runtime(), connection_id, actor=user)
    except NotFoundError:  # of another browser, or gone meanwhile
        return htmx.go_to(url_for(".show", slug=slug))
    except UpstreamError as error:
        return hosted.page("connect/mine/not_done.html", 424, app=app, error=error)
    return htmx.go_to(url_for(".gone", slug=slug))


@bp.get("/disconnected")
@public
def gone(slug: str) -> Response:
    """Say what was deleted and what is left to do at Zoom."""
    return hosted.page("connect/mine/gone.html", 200, app=flow.app_of_page(db(), slug))
