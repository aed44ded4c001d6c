"""Signing in and out."""

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.staff import accounts
from dashboard.web import htmx, signin
from dashboard.web.access import local_path, public
from dashboard.web.context import actor, now, runtime
from dashboard.web.forms.staff import SignInForm

bp = Blueprint("signin", __name__)


@bp.get("/sign-in")
@public
def new() -> ResponseReturnValue:
    """Show the form, or go on if the person is signed in already."""
    target = local_path(request.args.get("next"))
    if signin.person() is not None:
        return htmx.go_to(target or url_for("overview.index"))
    return render_template("signin/new.html", form=SignInForm(data={"next": target}))


@bp.post("/sign-in")
@public
def create() -> ResponseReturnValue:
    """Verify the password, start a session and go where the person wanted."""
    form = SignInForm()
    if not form.validate():
        return render_template("signin/new.html", form=form), 422
    address = request.remote_addr or ""
    try:
        with runtime().database.writing() as session:
            person = accounts.sign_in(
                session,
                email=form.email.data or "",
                password=SecretStr(form.password.data or ""),
                address=address,
                now=now(),
            )
            who = Actor(name="no one signed in", address=address)
            act = "session.refused"
            if person is not None:
                who = Actor(name=person.email, staff_id=person.id, address=address)
                act = "session.begun"
            audit.record(session, who, act, subject=form.email.data or "", now=now())
    except ConflictError as error:
        form.form_errors.append(str(error))
        return render_template("signin/new.html", form=form), 429
    if person is None:
        form.form_errors.append(
            "Incorrect email or password. An admin can reset your password."
        )
        return render_template("signin/new.html", form=form), 422
    signin.begin(person)
    return htmx.go_to(local_path(form.next.data) or url_for("overview.index"))


@bp.post("/sign-out")
@public
def destroy() -> Response:
    """End the session."""
    if signin.person() is not None:
        with runtime().database.writing() as session:
            audit.record(session, actor(), "session.ended", subject="", now=now())
        signin.end()
    return htmx.go_to(url_for(".new"))
