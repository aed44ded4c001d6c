"""Changing secrets with Zoom's help: announcing a new token, a new secret by API."""

from uuid import UUID

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.services.rotation import at_zoom, rotations
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime
from dashboard.web.pages.zoom_app import say

bp = Blueprint("rotation", __name__, url_prefix="/zoom-apps")


@bp.post("/<uuid:zoom_app_id>/begin-rotation")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def begin(zoom_app_id: UUID) -> ResponseReturnValue:
    """Defer events signed with an unknown token for half an hour; Zoom retries them."""
    rotations.announce(runtime(), zoom_app_id, actor=actor())
    flash(
        "Regenerate the secret token in Zoom now, then enter it here. No events are "
        "lost: Zoom retries them.",
        "good",
    )
    return htmx.go_to(url_for("zoom_apps.edit", zoom_app_id=zoom_app_id))


@bp.get("/<uuid:zoom_app_id>/client-secret")
@requires(Permission.ZOOM_APPS_WRITE)
def new_secret(zoom_app_id: UUID) -> str:
    """Say what a rotation does, and ask for it to be confirmed."""
    return render_template("rotation/new_secret.html", app=apps.get(db(), zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/client-secret")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def rotate(zoom_app_id: UUID) -> ResponseReturnValue:
    """Have Zoom make a new client secret, store it and give it to Recall."""
    there = url_for("zoom_apps.show", zoom_app_id=zoom_app_id)
    try:
        changed = at_zoom.rotate(runtime(), zoom_app_id, actor=actor())
    except (ConflictError, InvalidInputError) as error:
        flash(str(error), "trouble")
        return htmx.go_to(there)
    say(changed.saved)
    if changed.is_pending:
        flash(
            "Not sent to Recall yet. The reason and the next attempt are shown below.",
            "waiting",
        )
    return htmx.go_to(there)
