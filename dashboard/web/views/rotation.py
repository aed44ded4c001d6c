"""Announcing that a zoom app's secret token is about to be regenerated in Zoom."""

from uuid import UUID

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from dashboard.services.rotation import rotations
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, runtime

bp = Blueprint("rotation", __name__, url_prefix="/zoom-apps")


@bp.post("/<uuid:zoom_app_id>/begin-rotation")
@requires(Permission.ZOOM_APPS_WRITE)
def begin(zoom_app_id: UUID) -> ResponseReturnValue:
    """Defer events signed with an unknown token for half an hour; Zoom retries them."""
    rotations.announce(runtime(), zoom_app_id, actor=actor())
    flash(
        "Regenerate the secret token in Zoom now, then enter it here. No events are "
        "lost: Zoom retries them.",
        "good",
    )
    return htmx.go_to(url_for("zoom_apps.edit", zoom_app_id=zoom_app_id))
