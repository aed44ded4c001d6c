"""Users who wait for their account's admin to approve a Zoom app."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError
from dashboard.services.marketplace import approvals
from dashboard.services.marketplace.approvals import Requests
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime

bp = Blueprint(
    "approvals", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>/approvals"
)

_LONGEST_ID = 64


@bp.get("")
@requires(Permission.CONNECTIONS_INVITE)
def show(zoom_app_id: UUID) -> str:
    """Say what this is; calls no API."""
    return _page(zoom_app_id, None)


@bp.post("")
@requires(Permission.CONNECTIONS_INVITE)
def read(zoom_app_id: UUID) -> ResponseReturnValue:
    """Ask Zoom, and show its answer; nothing of it is stored."""
    try:
        found = approvals.read(runtime(), zoom_app_id)
    except ConflictError as error:
        return _page(zoom_app_id, Requests(problem=str(error))), HTTPStatus.CONFLICT
    return _page(zoom_app_id, found)


@bp.post("/approve")
@requires(Permission.ZOOM_APPS_WRITE)
def approve(zoom_app_id: UUID) -> ResponseReturnValue:
    """Approve one user's request."""
    user_id = request.form.get("user", "")
    if not 0 < len(user_id) <= _LONGEST_ID:
        abort(HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        approvals.approve(runtime(), zoom_app_id, user_id, actor=actor())
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        flash("Approved at Zoom. The user can connect now.", "good")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _page(zoom_app_id: UUID, found: Requests | None) -> str:
    app = apps.get(db(), zoom_app_id)
    return render_template("marketplace/approvals.html", app=app, found=found)
