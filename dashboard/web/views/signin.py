"""Signing in and out."""

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.staff import accounts, sessions
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
    database, email = runtime().database, form.email.data or ""
    address = request.remote_addr or ""
    try:
        verified = accounts.verify(
            database,
            email=email,
            password=SecretStr(form.password.data or ""),
            address=address,
            now=now(),
        )
    except ConflictError as error:
        form.form_errors.append(str(error))
        return render_template("signin/new.html", form=form), 429
    former, secret = signin.person(), None
    with database.writing() as session:
        person = None
        if verified is not None:
            person = accounts.sign_in(session, verified, now=now())
        who, act = Actor(name="no one signed in", address=address), "session.refused"
        if person is not None:
            who = Actor(name=person.email, staff_id=person.id, address=address)
            act = "session.begun"
            secret = sessions.begin(
                session,
                person.id,
                address=address,
                user_agent=request.user_agent.string,
                now=now(),
            )
            if former is not None:
                sessions.end(session, former.session_id)
        audit.record(session, who, act, subject=email, now=now())
    if secret is None:
        form.form_errors.append(
            "Incorrect email or password. An admin can reset your password."
        )
        return render_template("signin/new.html", form=form), 422
    signin.begin(secret)
    return htmx.go_to(local_path(form.next.data) or url_for("overview.index"))


@bp.post("/sign-out")
@public
def destroy() -> Response:
    """End the session, here and on the server: a copy of the cookie is dead."""
    response = htmx.go_to(url_for(".new"))
    who = signin.person()
    if who is not None:
        with runtime().database.writing() as session:
            sessions.end(session, who.session_id)
            audit.record(session, actor(), "session.ended", subject="", now=now())
    signin.end()
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
