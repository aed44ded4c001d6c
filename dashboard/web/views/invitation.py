"""Links made for one person, as that person opens them. For strangers.

Opening one spends and notes nothing: mail scanners open links as well. Holding one
proves nothing: the staff who made it hold it too. So a link leads to Zoom and ends no
connection; that takes the browser that connected.
"""

import re

from flask import Blueprint, Response, url_for

from dashboard.errors import NotFoundError
from dashboard.models.invitation import Invitation
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import flow, own_connections
from dashboard.services.invitations import invitations
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, now
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
    return hosted.page(
        "connect/link/show.html",
        200,
        app=app,
        asked=hosted.asked_of(app),
        invitation=invitation,
        expected=invitations.expected(db(), invitation),
        own=own_connections.of_link(db(), invitation, now=now()),
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
    """Say how the connection of the link is ended, or lead to where it can be."""
    app = flow.app_of_page(db(), slug)
    invitation = _find(app, secret)
    own = invitation and own_connections.of_link(db(), invitation, now=now())
    if invitation is None or own is None:
        return hosted.page("connect/link/unknown.html", 404, app=app)
    if instead := _unusable(app, invitation):
        return instead
    made_here = own_connections.of_browser(db(), app, browser=hosted.owner(), now=now())
    if made_here is not None and made_here.id == own.id:
        return htmx.go_to(url_for("mine.ask", slug=slug, connection_id=own.id))
    return hosted.page(
        "connect/link/end.html",
        200,
        app=app,
        expected=invitations.expected(db(), invitation),
        secret=secret,
    )


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
