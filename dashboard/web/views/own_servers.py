"""The customer's own token server of a Zoom app: its URL, its users, tests of it."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.zoom_app import TokenCustody
from dashboard.services.connections import check
from dashboard.services.grants import own_servers
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, record, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import OwnServerForm, OwnUserForm

bp = Blueprint("own_servers", __name__)


@bp.get("/zoom-apps/<uuid:zoom_app_id>/own-server")
@requires(Permission.CONNECTIONS_READ)
def show(zoom_app_id: UUID) -> str:
    """Show the server, how many users it serves and which of them fail."""
    return _page(zoom_app_id, OwnServerForm(), OwnUserForm())


@bp.post("/zoom-apps/<uuid:zoom_app_id>/own-server")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def save(zoom_app_id: UUID) -> ResponseReturnValue:
    """Store the callback URL."""
    form = OwnServerForm()
    if not form.validate():
        return _refused(zoom_app_id, form, OwnUserForm(formdata=None))
    try:
        own_servers.save_url(
            runtime(), zoom_app_id, SecretStr(form.url.data or ""), actor=actor()
        )
    except InvalidInputError as error:
        show_on(form, error, field="url")
        return _refused(zoom_app_id, form, OwnUserForm(formdata=None))
    flash("Saved. Add a user: that tests the server.", "good")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/zoom-apps/<uuid:zoom_app_id>/own-server/users")
@requires(Permission.ZOOM_APPS_WRITE)
def add_user(zoom_app_id: UUID) -> ResponseReturnValue:
    """Test a user's callback, and register it at Recall."""
    form = OwnUserForm()
    if not form.validate():
        return _refused(zoom_app_id, OwnServerForm(formdata=None), form)
    try:
        row = own_servers.add_user(
            runtime(), zoom_app_id, form.user.data or "", actor=actor()
        )
    except InvalidInputError as error:
        show_on(form, error, field="user")
        return _refused(zoom_app_id, OwnServerForm(formdata=None), form)
    except ConflictError as error:
        flash(str(error), "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    try:
        check.now(runtime(), row.id)
    except (ConflictError, UpstreamError) as error:
        flash(f"Registered at Recall. The first check failed: {error}", "trouble")
    else:
        flash("Registered at Recall, and checked.", "good")
    return htmx.go_to(url_for("connections.show", connection_id=row.id))


@bp.post("/connections/<uuid:connection_id>/own-server/test")
@requires(Permission.CONNECTIONS_CHECK)
def test(connection_id: UUID) -> ResponseReturnValue:
    """Ask the customer's server for this user, and for one that doesn't exist."""
    record("own_server.tested", f"connection {connection_id}")
    try:
        tested = own_servers.test_again(runtime(), connection_id)
    except (ConflictError, UpstreamError) as error:
        flash(str(error), "trouble")
    else:
        flash(tested.sentence, "trouble" if tested.trouble else "good")
    return htmx.go_to(url_for("connections.show", connection_id=connection_id))


def _refused(
    zoom_app_id: UUID, form: OwnServerForm, user_form: OwnUserForm
) -> ResponseReturnValue:
    return _page(zoom_app_id, form, user_form), HTTPStatus.UNPROCESSABLE_ENTITY


def _page(zoom_app_id: UUID, form: OwnServerForm, user_form: OwnUserForm) -> str:
    page = own_servers.page(db(), zoom_app_id)
    return render_template(
        "own_servers/show.html",
        page=page,
        form=form,
        user_form=user_form,
        words=own_servers.words,
        strangers=own_servers.about_strangers(page.server) if page.server else "",
        is_used=page.app.token_custody is TokenCustody.OWN_SERVER,
    )
