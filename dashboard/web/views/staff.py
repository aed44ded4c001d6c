"""Staff: the people who sign in. Only admins see it."""

from uuid import UUID

from flask import Blueprint, Response, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.staff import accounts
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.staff import NewPersonForm, PasswordForm, RoleForm

bp = Blueprint("staff", __name__, url_prefix="/staff")


@bp.get("/")
@requires(Permission.STAFF_READ)
def index() -> str:
    """List everyone."""
    return render_template("staff/index.html", people=accounts.list_all(db()))


@bp.get("/new")
@requires(Permission.STAFF_WRITE)
def new() -> str:
    """Show the form for a new person."""
    return render_template("staff/new.html", form=NewPersonForm())


@bp.post("/")
@requires(Permission.STAFF_WRITE)
def create() -> ResponseReturnValue:
    """Add a person."""
    form = NewPersonForm()
    if not form.validate():
        return render_template("staff/new.html", form=form), 422
    try:
        person = accounts.add(
            runtime().database,
            email=form.email.data or "",
            role=Role(form.role.data),
            password=SecretStr(form.password.data or ""),
            actor=actor(),
            now=now(),
        )
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="email")
        return render_template("staff/new.html", form=form), 422
    flash(f"{person.email} can sign in now.", "good")
    return htmx.go_to(url_for(".index"))


@bp.get("/<uuid:staff_id>")
@requires(Permission.STAFF_WRITE)
def edit(staff_id: UUID) -> str:
    """Show what can be changed about a person."""
    return _edit_page(staff_id)


@bp.post("/<uuid:staff_id>/role")
@requires(Permission.STAFF_WRITE)
def change_role(staff_id: UUID) -> ResponseReturnValue:
    """Give the person another role."""
    form = RoleForm()
    if not form.validate():
        return _edit_page(staff_id, role_form=form), 422
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        accounts.set_role(session, person, Role(form.role.data))
        subject = f"{person.email} to {person.role}"
        audit.record(session, actor(), "staff.role_changed", subject=subject, now=now())
    flash(
        f"{person.email} now has the role {person.role} and has to sign in again.",
        "good",
    )
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:staff_id>/password")
@requires(Permission.STAFF_WRITE)
def change_password(staff_id: UUID) -> ResponseReturnValue:
    """Set a new password for the person."""
    form = PasswordForm()
    if not form.validate():
        return _edit_page(staff_id, password_form=form), 422
    try:
        password = SecretStr(form.password.data or "")
        person = accounts.set_password(
            runtime().database, staff_id, password, actor=actor(), now=now()
        )
    except InvalidInputError as error:
        show_on(form, error, field="password")
        return _edit_page(staff_id, password_form=form), 422
    flash(f"Changed the password of {person.email}.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:staff_id>/disable")
@requires(Permission.STAFF_WRITE)
def disable(staff_id: UUID) -> Response:
    """Deactivate the person's account."""
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        accounts.disable(session, person, now=now())
        audit.record(
            session, actor(), "staff.disabled", subject=person.email, now=now()
        )
    flash(f"Access for {person.email} has been turned off.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:staff_id>/enable")
@requires(Permission.STAFF_WRITE)
def enable(staff_id: UUID) -> Response:
    """Reactivate the person's account."""
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        accounts.enable(session, person)
        audit.record(session, actor(), "staff.enabled", subject=person.email, now=now())
    flash(f"{person.email} can sign in again.", "good")
    return htmx.go_to(url_for(".index"))


def _edit_page(
    staff_id: UUID,
    *,
    role_form: RoleForm | None = None,
    password_form: PasswordForm | None = None,
) -> str:
    person = accounts.get(db(), staff_id)
    return render_template(
        "staff/edit.html",
        person=person,
        role_form=role_form or RoleForm(data={"role": person.role.value}),
        password_form=password_form or PasswordForm(),
    )
