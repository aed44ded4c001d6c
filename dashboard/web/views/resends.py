"""Resends: the preview, the history, and the progress of one."""

from dataclasses import replace

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from dashboard.db.columns import LARGEST_ID
from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.ids import new_id
from dashboard.services.resends import collecting, resends
from dashboard.services.resends.collecting import Preview, preview
from dashboard.services.staff.permissions import Permission
from dashboard.services.webhook_log import log
from dashboard.services.webhook_log.search import WebhookFilter
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, limits, now, runtime
from dashboard.web.forms.webhook import WebhookFilterForm, kept
from dashboard.web.pages import resends as pages
from dashboard.web.paging import place, row_id

bp = Blueprint("resends", __name__, url_prefix="/webhooks/resends")

_ID = f"int(max={LARGEST_ID}):resend_id"
_ROWS = 20
_OLD = "This preview is too old. Nothing was started; check the new preview below."


@bp.get("")
@requires(Permission.WEBHOOKS_READ)
def index() -> Response:
    """List resends, newest first."""
    return htmx.page_or_fragment(
        "resends/index.html",
        "resends/partials/_history.html",
        **pages.history_context(db(), place(limit=_ROWS), now=now()),
    )


@bp.get("/new")
@requires(Permission.WEBHOOKS_RESEND)
def new() -> Response:
    """Show what the log's filter would send, before it is sent."""
    form = _filter_form()
    return _preview_page(form, status=200 if form.validate() else 422)


@bp.post("")
@requires(Permission.WEBHOOKS_RESEND)
def create() -> ResponseReturnValue:
    """Start what was previewed; the form sent twice starts it once."""
    form = _filter_form()
    if not form.validate():
        return _preview_page(form, status=422)
    resend_id = request.form.get("resend", type=row_id)
    if resend_id is None:
        return _preview_page(form, status=409, trouble=_OLD)
    try:
        resends.begin(runtime(), resend_id, _filters(form), actor=actor())
    except (ConflictError, InvalidInputError) as error:
        return _preview_page(form, status=409, trouble=str(error))
    return htmx.go_to(url_for(".show", resend_id=resend_id))


@bp.get(f"/<{_ID}>")
@requires(Permission.WEBHOOKS_READ)
def show(resend_id: int) -> Response:
    """Show the progress of a resend; htmx asks for the live part."""
    return htmx.page_or_fragment(
        "resends/show.html",
        "resends/partials/_progress.html",
        **pages.progress_context(db(), resend_id, place(limit=_ROWS), now=now()),
    )


@bp.post(f"/<{_ID}>/cancel")
@requires(Permission.WEBHOOKS_RESEND)
def cancel(resend_id: int) -> Response:
    """Cancel what is not sent yet."""
    try:
        found = resends.cancel(runtime(), resend_id, actor=actor())
    except ConflictError as error:
        flash(str(error), "waiting")
    else:
        flash(
            f"Cancelled. {found.sent:,} were already sent; "
            f"{found.unsent:,} will not be sent.",
            "good",
        )
    return htmx.go_to(url_for(".show", resend_id=resend_id))


def _filter_form() -> WebhookFilterForm:
    form = WebhookFilterForm(request.args)
    form.choose_from(log.app_names(db()), [])
    return form


def _filters(form: WebhookFilterForm) -> WebhookFilter:
    """Return what is asked for, of one of the person's zoom apps if limited to some.

    Raises:
        InvalidInputError: It is of all zoom apps, or of another one.
    """
    filters, only = form.filters(), limits()
    if only is None or filters.zoom_app_id in only:
        return filters
    if filters.zoom_app_id is None and len(only) == 1:
        return replace(filters, zoom_app_id=next(iter(only)))
    raise InvalidInputError(
        "Choose one of your zoom apps first: your account is limited to some of them.",
        field="zoom_app",
    )


def _preview_page(
    form: WebhookFilterForm, *, status: int, trouble: str = ""
) -> Response:
    # A field with an error is left out of the filter, which then matches more than was
    # asked for: nothing is counted or offered by it.
    names, at, filters = log.app_names(db()), now(), form.filters()
    try:
        filters = _filters(form)
    except InvalidInputError as error:
        status, trouble = 422, str(error)
        form.zoom_app.errors = [str(error)]
    found = Preview() if form.errors else preview(db(), filters=filters, now=at)
    page = render_template(
        "resends/new.html",
        faults=[(form[name].label.text, each[0]) for name, each in form.errors.items()],
        trouble=trouble,
        preview=found,
        counted=collecting.counted(found),
        warning=collecting.warning(found, at),
        unaltered=collecting.UNALTERED,
        left_out=collecting.left_out(found),
        facts=pages.filter_facts(filters, names),
        links=kept(request.args),
        resend_id=new_id(at),
    )
    return make_response(page, status)
