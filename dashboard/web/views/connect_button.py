"""The page that builds a "Connect Zoom" button, and the allowed return addresses."""

from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import InvalidInputError
from dashboard.services import urls
from dashboard.services.connect import button
from dashboard.services.invitations import references
from dashboard.services.invitations.references import References
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.connect_button import ButtonForm, OriginsForm

bp = Blueprint(
    "connect_button", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>/button"
)


@bp.get("")
@requires(Permission.ZOOM_APPS_WRITE)
def show(zoom_app_id: UUID) -> ResponseReturnValue:
    """Show the button that the query string describes, and the list of origins."""
    app = apps.get(db(), zoom_app_id)
    return _page(zoom_app_id, OriginsForm(origins=app.return_origins))


@bp.post("")
@requires(Permission.ZOOM_APPS_WRITE)
def update(zoom_app_id: UUID) -> ResponseReturnValue:
    """Store to which origins the button back may lead."""
    form = OriginsForm()
    if not form.validate():
        return _page(zoom_app_id, form, status=422)
    try:
        with runtime().database.writing() as session:
            button.save_origins(
                session,
                apps.get(session, zoom_app_id),
                form.origins.data or "",
                actor=actor(),
                now=now(),
            )
    except InvalidInputError as error:
        show_on(form, error, field="origins")
        return _page(zoom_app_id, form, status=422)
    flash("Saved.", "good")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _page(
    zoom_app_id: UUID, form: OriginsForm, *, status: int = 200
) -> ResponseReturnValue:
    app = apps.get(db(), zoom_app_id)
    builder = ButtonForm(request.args)
    carries, words = References(), button.WORDS
    if builder.validate():
        words = (builder.words.data or "").strip() or words
        try:
            carries = references.checked(
                builder.user_ref.data or "",
                builder.tags.data or "",
                builder.return_url.data or "",
                origins=app.return_origins.split(),
            )
        except InvalidInputError as error:
            show_on(builder, error, field="return_url")
            status = 422
    else:
        status = 422
    connect_url = urls.connect_url(runtime().hosted_url, app.slug)
    link = button.link(connect_url, carries)
    page = render_template(
        "connect_button/show.html",
        app=app,
        form=form,
        builder=builder,
        link=link,
        snippet=button.snippet(link, words),
    )
    return page, status
