"""Links made for one person, as that person opens them. For strangers.

Opening one spends nothing: mail scanners open links as well.
"""

import re

from flask import Blueprint, Response, request, url_for

from dashboard.errors import NotFoundError, UpstreamError
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.connect import flow, own_connections
from dashboard.services.connections import actions
from dashboard.services.invitations import invitations
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime
from dashboard.web.pages import hosted

bp = Blueprint("invited", __name__, url_prefix="/connect/<slug>/i/<secret>")

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@bp.get("")
@public
def show(slug: str, secret: str) -> Response:
    """Show who asks and who the link is for, with one button."""
    app = flow.app_of_page(db(), slug)
    invitation = _find(app, secret)
    if invitation is None:
        return hosted.page("connect/link/unknown.html", 404, app=app)
    if instead := _unusable(app, invitation) or hosted.closed(app):
        return instead
    if invitation.state is InvitationState.MADE and request.method == "GET":
        with runtime().database.writing() as session:
            invitations.opened(session, invitation.id, now=now())
    return hosted.page(
        "connect/link/show.html",
        200,
        app=app,
        asked=hosted.asked_of(app),
        invitation=invitation,
        expected=invitations.expected(db(), invitation),
        own=own_connections.of_link(db(), invitation),
        secret=secret,
    )


@bp.post("")
@public
def create(slug: str, secret: str) -> Response:
    """Begin a connect attempt from this link and send the browser to Zoom."""
    app = flow.app_of_page(db(), slug)
    invitation = _find(app, secret)
    if invitation is None:
        return hosted.page("connect/link/unknown.html", 404, app=app)
    if instead := _unusable(app, invitation) or hosted.closed(app):
        return instead
    return hosted.leave(app, invitation.id)


@bp.get("/disconnect")
@public
def ask(slug: str, secret: str) -> Response:
    """Ask once more before the connection is deleted."""
    app = flow.app_of_page(db(), slug)
    invitation = _find(app, secret)
    own = None if invitation is None else own_connections.of_link(db(), invitation)
    if invitation is None or own is None:
        return hosted.page("connect/link/unknown.html", 404, app=app)
    if instead := _unusable(app, invitation):
        return instead
    here = url_for(".show", slug=slug, secret=secret)
    return hosted.page("connect/mine/disconnect.html", 200, app=app, own=own, back=here)


@bp.post("/disconnect")
@public
def destroy(slug: str, secret: str) -> Response:
    """Delete the connection the link is to renew, in Recall and here."""
    app = flow.app_of_page(db(), slug)
    invitation = _find(app, secret)
    own = None if invitation is None else own_connections.of_link(db(), invitation)
    if invitation is None or own is None:
        return hosted.page("connect/link/unknown.html", 404, app=app)
    if instead := _unusable(app, invitation):
        return instead
    user = audit.a_user(request.remote_addr or "")
    try:
        actions.disconnect(runtime(), own.id, actor=user)
    except UpstreamError as error:
        return hosted.page("connect/mine/not_done.html", 424, app=app, error=error)
    return htmx.go_to(url_for("mine.gone", slug=slug))


def _find(app: ZoomApp, secret: str) -> Invitation | None:
    if not _SECRET.fullmatch(secret):
        return None
    try:
        return invitations.find(db(), app, secret)
    except NotFoundError:
        return None


def _unusable(app: ZoomApp, invitation: Invitation) -> Response | None:
    """Return the page of a link that is used, expired or revoked."""
    if invitations.is_usable(invitation, now=now()):
        return None
    state = invitations.state_of(invitation, now=now())
    return hosted.page(f"connect/link/{state.value}.html", 410, app=app)
