"""What a zoom app's hosted pages say: texts, logo and a preview."""

from uuid import UUID

from flask import Blueprint, flash, make_response, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import InvalidInputError
from dashboard.services.connect import logos, page_designs
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.page_design import PageDesignForm
from dashboard.web.pages import hosted

bp = Blueprint(
    "page_designs", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>/page"
)


@bp.get("")
@requires(Permission.ZOOM_APPS_WRITE)
def edit(zoom_app_id: UUID) -> ResponseReturnValue:
    """Show the form and the page as it is."""
    row = page_designs.find(db(), zoom_app_id)
    return _edit_page(zoom_app_id, PageDesignForm(obj=row))


@bp.post("")
@requires(Permission.ZOOM_APPS_WRITE)
def update(zoom_app_id: UUID) -> ResponseReturnValue:
    """Store what was typed."""
    form = PageDesignForm()
    if not form.validate():
        return _edit_page(zoom_app_id, form, status=422)
    given = form.logo.data
    upload = given.read(logos.LARGEST_BYTES + 1) if given else b""
    try:
        logo = logos.read(upload) if upload else None
        with runtime().database.writing() as session:
            page_designs.save(
                session,
                apps.get(session, zoom_app_id),
                form.texts(),
                logo=logo,
                removes_logo=form.removes_logo.data,
                actor=actor(),
                now=now(),
            )
    except InvalidInputError as error:
        show_on(form, error, field="logo")
        return _edit_page(zoom_app_id, form, status=422)
    flash("Saved. The connect page shows it now.", "good")
    return htmx.go_to(url_for(".edit", zoom_app_id=zoom_app_id))


@bp.post("/preview")
@requires(Permission.ZOOM_APPS_WRITE)
def preview(zoom_app_id: UUID) -> ResponseReturnValue:
    """Draw the page with what is typed, saving nothing."""
    form = PageDesignForm()
    return _edit_page(zoom_app_id, form, status=200 if form.validate() else 422)


def _edit_page(
    zoom_app_id: UUID, form: PageDesignForm, *, status: int = 200
) -> ResponseReturnValue:
    app = apps.get(db(), zoom_app_id)
    row = page_designs.find(db(), zoom_app_id)
    logo_print = "" if row is None else row.logo_print
    design = page_designs.drawn(form.texts(), logo_print=logo_print)
    if htmx.wants_fragment():  # of a form with errors too: the form itself stays
        status = 200
    response = make_response(
        htmx.page_or_fragment(
            "page_designs/edit.html",
            "page_designs/partials/_preview.html",
            app=app,
            slug=app.slug,
            form=form,
            design=design,
            asked=hosted.asked_of(app),
        )
    )
    response.status_code = status
    return response
