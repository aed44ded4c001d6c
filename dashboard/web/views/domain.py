"""Domain verification: entered by an admin; the file is read by strangers."""

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    make_response,
    render_template,
    url_for,
)
from flask.typing import ResponseReturnValue

from dashboard.errors import InvalidInputError
from dashboard.services.marketplace import domain
from dashboard.services.marketplace.domain import Entered, Seen
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import public, requires
from dashboard.web.context import actor, db, record, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.domain import DomainForm

bp = Blueprint("domain", __name__)

_UNPROCESSABLE = 422
_FILE_POLICY = "default-src 'none'; sandbox"


@bp.get("/<name>.html")
@public
def file(name: str) -> Response:
    """Serve Zoom's verification file, and no other."""
    row = domain.find(db())
    if row is None or not row.file_name or row.file_name != f"{name}.html":
        abort(404)
    response = make_response(row.file_content)
    response.mimetype = "text/html"
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/domain")
@requires(Permission.ZOOM_APPS_READ)
def show() -> str:
    """Show what is served, and whether it was seen from outside."""
    row = domain.find(db())
    stored = (
        {} if row is None else row.model_dump(include={"file_name", "file_content"})
    )
    tag = "" if row is None else row.tag
    return _page(DomainForm(data={**stored, "tag": tag}))


@bp.post("/domain")
@requires(Permission.ZOOM_APPS_WRITE)
def save() -> ResponseReturnValue:
    """Store it, and look for it from outside."""
    form = DomainForm()
    if not form.validate():
        return _page(form), _UNPROCESSABLE
    entered = Entered(
        file_name=form.file_name.data or "",
        file_content=form.file_content.data or "",
        tag=form.tag.data or "",
    )
    try:
        seen = domain.save(runtime(), entered, actor=actor())
    except InvalidInputError as error:
        show_on(form, error, field="file_name")
        return _page(form), _UNPROCESSABLE
    _say(seen)
    return htmx.go_to(url_for(".show"))


@bp.post("/domain/check")
@requires(Permission.ZOOM_APPS_WRITE)
def check() -> ResponseReturnValue:
    """Look for file and tag from outside again."""
    record("domain.checked", "file and tag")
    _say(domain.check(runtime()))
    return htmx.go_to(url_for(".show"))


def _say(seen: Seen | None) -> None:
    if seen is None:
        flash("Removed. Nothing is served for Zoom's domain check.", "good")
        return
    wrong = [sentence for sentence in (seen.file, seen.tag) if sentence]
    if wrong:
        flash(" ".join(wrong), "trouble")
    else:
        flash("Seen from outside. Press Verify in Zoom now.", "good")


def _page(form: DomainForm) -> str:
    return render_template(
        "domain/show.html",
        form=form,
        row=domain.find(db()),
        hosted_url=runtime().hosted_url,
    )
