"""Choosing a password with a link: for a new account, and for a reset.

Opening the link changes nothing: mail scanners open links.
"""

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
from pydantic import SecretStr

from dashboard.errors import InvalidInputError, NotFoundError
from dashboard.services.staff import links
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.staff import NewPasswordForm

bp = Blueprint("passwords", __name__, url_prefix="/password")


@bp.get("/<secret>")
@public
def new(secret: str) -> Response:
    """Show the form."""
    return _page(secret, NewPasswordForm())


@bp.post("/<secret>")
@public
def create(secret: str) -> ResponseReturnValue:
    """Store the password; the person signs in with it next."""
    form = NewPasswordForm()
    if not form.validate():
        return _page(secret, form, status=422)
    try:
        links.use(
            runtime().database,
            secret,
            SecretStr(form.password.data or ""),
            address=request.remote_addr or "",
            now=now(),
        )
    except NotFoundError:
        return _page(secret, form)
    except InvalidInputError as error:
        show_on(form, error, field="password")
        return _page(secret, form, status=422)
    flash("Your password is set. Sign in with it now.", "good")
    return htmx.go_to(url_for("signin.new"))


def _page(secret: str, form: NewPasswordForm, *, status: int = 200) -> Response:
    try:
        person = links.find(db(), secret, now=now())
    except NotFoundError:
        response = make_response(render_template("signin/link_ended.html"), 404)
    else:
        shown = render_template("signin/password.html", form=form, person=person)
        response = make_response(shown, status)
    # The origin alone, which the check of the form needs; never the path.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
