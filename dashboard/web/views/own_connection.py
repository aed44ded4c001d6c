"""A user's own connection: how it stands, reconnect, disconnect. For strangers.

Known by the cookie of the browser that connected, and by nothing else.
"""

from uuid import UUID

from flask import Blueprint, Response, request, session, url_for

from dashboard.errors import NotFoundError, UpstreamError
from dashboard.models.erasure import ErasureReason
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.connect import flow, own_connections
from dashboard.services.connect.own_connections import OwnConnection
from dashboard.services.connections import actions
from dashboard.services.invitations import invitations
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime
from dashboard.web.pages import hosted

bp = Blueprint("mine", __name__, url_prefix="/connect/<slug>")

_DISCONNECTED = "disconnected"
"""In this browser's session: the app whose connection it ended last."""


@bp.get("/mine")
@public
def show(slug: str) -> Response:
    """Say how the connection made in this browser stands."""
    app = flow.app_of_page(db(), slug)
    own = _own(app)
    template = "show" if own else "none"
    return hosted.page(
        f"connect/mine/{template}.html",
        200,
        app=app,
        own=own,
        asked=hosted.asked_of(app),
    )


@bp.get("/mine/<uuid:connection_id>/disconnect")
@public
def ask(slug: str, connection_id: UUID) -> Response:
    """Ask once more before it is deleted."""
    app = flow.app_of_page(db(), slug)
    own = _own(app)
    if own is None or own.id != connection_id:
        return htmx.go_to(url_for(".show", slug=slug))
    return hosted.page("connect/mine/disconnect.html", 200, app=app, own=own)


@bp.post("/mine/<uuid:connection_id>/disconnect")
@public
def destroy(slug: str, connection_id: UUID) -> Response:
    """Delete it, in Recall and here."""
    app = flow.app_of_page(db(), slug)
    own = _own(app)
    if own is None or own.id != connection_id:  # of another browser, or gone meanwhile
        return htmx.go_to(url_for(".show", slug=slug))
    user = audit.a_user(request.remote_addr or "")
    through = invitations.named(db(), own.invitation_id)
    try:
        actions.disconnect(
            runtime(),
            connection_id,
            actor=user,
            reason=ErasureReason.USER_DISCONNECTED,
            through=through,
        )
    except NotFoundError:
        return htmx.go_to(url_for(".show", slug=slug))
    except UpstreamError as error:
        return hosted.page("connect/mine/not_done.html", 424, app=app, error=error)
    session[_DISCONNECTED] = slug
    return htmx.go_to(url_for(".gone", slug=slug))


@bp.post("/mine/forget")
@public
def forget(slug: str) -> Response:
    """Forget in this browser which connection it made; the connection stays."""
    flow.app_of_page(db(), slug)
    response = htmx.go_to(url_for(".show", slug=slug))
    hosted.forget(response)
    return response


@bp.get("/disconnected")
@public
def gone(slug: str) -> Response:
    """Say what was deleted and what is left to do at Zoom, where that happened."""
    app = flow.app_of_page(db(), slug)
    if session.get(_DISCONNECTED) != slug or _own(app) is not None:
        return htmx.go_to(url_for(".show", slug=slug))
    return hosted.page("connect/mine/gone.html", 200, app=app)


def _own(app: ZoomApp) -> OwnConnection | None:
    return own_connections.of_browser(db(), app, browser=hosted.owner(), now=now())
