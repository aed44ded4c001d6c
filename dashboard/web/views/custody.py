"""Token storage of a Zoom app: what changing it costs, and changing it."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.zoom_app import TokenCustody
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import custody
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import CustodyForm

bp = Blueprint("custody", __name__, url_prefix="/zoom-apps")


@bp.get("/<uuid:zoom_app_id>/custody")
@requires(Permission.ZOOM_APPS_WRITE)
def show(zoom_app_id: UUID) -> str:
    """Show where tokens are stored, and what changing that would cost."""
    to = request.args.get("to", "")
    wanted = TokenCustody(to) if to in set(TokenCustody) else None
    return _page(zoom_app_id, CustodyForm(), wanted)


@bp.post("/<uuid:zoom_app_id>/custody")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def change(zoom_app_id: UUID) -> ResponseReturnValue:
    """Change it for everyone who connects from now on."""
    form = CustodyForm()
    if not form.validate():
        return _page(zoom_app_id, form, None), HTTPStatus.UNPROCESSABLE_ENTITY
    to = TokenCustody(form.to.data or "")
    try:
        custody.change(
            runtime(),
            zoom_app_id,
            to,
            is_understood=bool(form.is_understood.data),
            actor=actor(),
        )
    except InvalidInputError as error:
        show_on(form, error, field="is_understood")
        return _page(zoom_app_id, form, to), HTTPStatus.UNPROCESSABLE_ENTITY
    except ConflictError as error:
        flash(str(error), "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    if to is TokenCustody.OWN_SERVER:
        flash("Tokens are on your own server now. Enter its callback URL.", "good")
        return htmx.go_to(url_for("own_servers.show", zoom_app_id=zoom_app_id))
    flash(f"New connections will store tokens in {custody.NAMES[to]}.", "good")
    return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=zoom_app_id))


def _page(zoom_app_id: UUID, form: CustodyForm, to: TokenCustody | None) -> str:
    outlook = custody.outlook(db(), zoom_app_id, to)
    form.to.data = outlook.to.value
    return render_template(
        "zoom_apps/custody.html", form=form, outlook=outlook, names=custody.NAMES
    )
