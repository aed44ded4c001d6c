"""Zoom's own log of its deliveries to a Zoom app: read on request, then shown."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.services.marketplace import delivery_log
from dashboard.services.marketplace.delivery_log import State
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import MarketplaceIdForm

bp = Blueprint(
    "delivery_log", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>/delivery-log"
)


@bp.get("")
@requires(Permission.WEBHOOKS_READ)
def show(zoom_app_id: UUID) -> str:
    """Show what was stored of the log; calls no API."""
    return _page(zoom_app_id, None)


@bp.post("/read")
@requires(Permission.CONNECTIONS_CHECK)
def read(zoom_app_id: UUID) -> ResponseReturnValue:
    """Read the last day of it from Zoom."""
    try:
        state = delivery_log.read(runtime(), zoom_app_id, actor=actor())
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        if state is State.READ:
            flash("Zoom's log was read.", "good")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/app-id")
@requires(Permission.ZOOM_APPS_WRITE)
def save_app_id(zoom_app_id: UUID) -> ResponseReturnValue:
    """Store Zoom's ID of the app."""
    form = MarketplaceIdForm()
    if not form.validate():
        return _page(zoom_app_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        delivery_log.save_app_id(
            runtime().database,
            zoom_app_id,
            form.app_id.data or "",
            actor=actor(),
            now=now(),
        )
    except InvalidInputError as error:
        show_on(form, error, field="app_id")
        return _page(zoom_app_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    flash("Saved.", "good")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _page(zoom_app_id: UUID, form: MarketplaceIdForm | None) -> str:
    page = delivery_log.page(db(), zoom_app_id, now=now())
    if form is None:
        form = MarketplaceIdForm(data={"app_id": page.app.marketplace_app_id or ""})
    return render_template("marketplace/delivery_log.html", page=page, form=form)
