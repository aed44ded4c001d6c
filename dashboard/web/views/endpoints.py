"""The customer's endpoints: who gets events and copies of webhooks, and their log."""

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.services.endpoints import endpoints
from dashboard.services.endpoints.endpoints import Created
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.endpoint import DestinationForm, EndpointForm

bp = Blueprint("endpoints", __name__, url_prefix="/endpoints")


@bp.get("/", strict_slashes=False)
@requires(Permission.ENDPOINTS_READ)
def index() -> str:
    """List all of them with how they stand."""
    return render_template("endpoints/index.html", found=endpoints.listed(db()))


@bp.get("/new")
@requires(Permission.ENDPOINTS_WRITE)
def new() -> str:
    """Show the form for an endpoint for events."""
    return _new_page(EndpointForm())


@bp.post("/new")
@requires(Permission.ENDPOINTS_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Add an endpoint for events, and show its secret once."""
    form = EndpointForm()
    form.offer(_apps())
    if not form.validate():
        return _new_page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        made = endpoints.add(
            runtime(),
            SecretStr(form.url.data or ""),
            events=form.events.data or (),
            zoom_apps=[UUID(each) for each in form.zoom_apps.data or ()],
            actor=actor(),
        )
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="url")
        return _new_page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    return _made(made)


@bp.get("/destinations/new")
@requires(Permission.ENDPOINTS_WRITE)
def new_destination() -> str:
    """Show the form for a destination for copies."""
    return _destination_page(DestinationForm())


@bp.post("/destinations/new")
@requires(Permission.ENDPOINTS_WRITE, fresh=True)
def create_destination() -> ResponseReturnValue:
    """Add a destination for copies."""
    form = DestinationForm()
    form.offer(_apps())
    if not form.validate():
        return _destination_page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        row = endpoints.add_destination(
            runtime(),
            UUID(form.zoom_app.data),
            SecretStr(form.url.data or ""),
            actor=actor(),
        )
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="url")
        return _destination_page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    flash("Added. The next webhook is copied; a test shows whether it arrives.", "good")
    return _to(row.id)


@bp.get("/<uuid:endpoint_id>")
@requires(Permission.ENDPOINTS_READ)
def show(endpoint_id: UUID) -> str:
    """Show one with the log of its deliveries."""
    row = endpoints.get(db(), endpoint_id)
    before = request.args.get("before", type=int)
    lines, older = endpoints.log(db(), endpoint_id, before=before)
    return render_template(
        "endpoints/show.html",
        standing=endpoints.standing(db(), row),
        url=endpoints.shown_url(runtime().vault, row),
        lines=lines,
        names=dict(_apps()),
        newest=before is not None and url_for(".show", endpoint_id=endpoint_id),
        older=older and url_for(".show", endpoint_id=endpoint_id, before=older),
    )


@bp.post("/<uuid:endpoint_id>/rotate")
@requires(Permission.ENDPOINTS_WRITE, fresh=True)
def rotate(endpoint_id: UUID) -> ResponseReturnValue:
    """Make a new secret and show it once."""
    try:
        return _made(endpoints.rotate(runtime(), endpoint_id, actor=actor()))
    except ConflictError as error:
        flash(str(error), "trouble")
        return _to(endpoint_id)


@bp.post("/<uuid:endpoint_id>/pause")
@requires(Permission.ENDPOINTS_WRITE)
def pause(endpoint_id: UUID) -> ResponseReturnValue:
    """Send nothing more until it is resumed."""
    endpoints.pause(runtime().database, runtime().clock, endpoint_id, actor=actor())
    flash("Paused. What comes waits until you resume it.", "off")
    return _to(endpoint_id)


@bp.post("/<uuid:endpoint_id>/resume")
@requires(Permission.ENDPOINTS_WRITE)
def resume(endpoint_id: UUID) -> ResponseReturnValue:
    """Send what waits."""
    endpoints.resume(runtime().database, runtime().clock, endpoint_id, actor=actor())
    flash("Resumed. What waited is sent now.", "good")
    return _to(endpoint_id)


@bp.post("/<uuid:endpoint_id>/test")
@requires(Permission.ENDPOINTS_WRITE)
def test(endpoint_id: UUID) -> ResponseReturnValue:
    """Queue a test message."""
    try:
        delivery_id = endpoints.send_test(
            runtime().database, runtime().clock, endpoint_id, actor=actor()
        )
    except ConflictError as error:
        flash(str(error), "trouble")
        return _to(endpoint_id)
    flash("The test is on its way. Reload to see the answer.", "good")
    return htmx.go_to(url_for(".delivery", delivery_id=delivery_id))


@bp.post("/<uuid:endpoint_id>/resend")
@requires(Permission.ENDPOINTS_WRITE)
def resend_failed(endpoint_id: UUID) -> ResponseReturnValue:
    """Send again what was given up."""
    number = endpoints.resend_failed(
        runtime().database, runtime().clock, endpoint_id, actor=actor()
    )
    words = "1 delivery is" if number == 1 else f"{number:,} deliveries are"
    flash(f"{words} sent again." if number else "Nothing had failed.", "good")
    return _to(endpoint_id)


@bp.post("/<uuid:endpoint_id>/remove")
@requires(Permission.ENDPOINTS_WRITE, fresh=True)
def remove(endpoint_id: UUID) -> ResponseReturnValue:
    """Remove it with its queue and log."""
    endpoints.remove(runtime().database, runtime().clock, endpoint_id, actor=actor())
    flash("Removed.", "good")
    return htmx.go_to(url_for(".index"))


@bp.get("/deliveries/<int:delivery_id>")
@requires(Permission.ENDPOINTS_READ)
def delivery(delivery_id: int) -> str:
    """Show one delivery with its attempts."""
    found = endpoints.show(db(), delivery_id)
    return render_template(
        "endpoints/delivery.html",
        shown=found,
        endpoint=endpoints.get(db(), found.line.row.endpoint_id),
    )


@bp.post("/deliveries/<int:delivery_id>/resend")
@requires(Permission.ENDPOINTS_WRITE)
def resend(delivery_id: int) -> ResponseReturnValue:
    """Send one again, with the same ID."""
    try:
        endpoints.resend(
            runtime().database, runtime().clock, delivery_id, actor=actor()
        )
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        flash("It is sent again, with the same ID.", "good")
    return htmx.go_to(url_for(".delivery", delivery_id=delivery_id))


def _apps() -> Sequence[tuple[UUID, str]]:
    found = apps.list_all(db())
    return [(each.id, f"{each.name} ({each.environment})") for each in found]


def _new_page(form: EndpointForm) -> str:
    form.offer(_apps())
    return render_template("endpoints/new.html", form=form)


def _destination_page(form: DestinationForm) -> str:
    form.offer(_apps())
    return render_template("endpoints/new_destination.html", form=form)


def _made(made: Created) -> ResponseReturnValue:
    page = render_template(
        "endpoints/made.html",
        endpoint=endpoints.get(db(), made.id),
        secret=made.secret.get_secret_value(),
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


def _to(endpoint_id: UUID) -> ResponseReturnValue:
    return htmx.go_to(url_for(".show", endpoint_id=endpoint_id))
