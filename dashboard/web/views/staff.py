"""Staff: the people who sign in. Only admins see it."""

from typing import TypeVar
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    render_template,
    url_for,
)
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.staff import accounts, links, second_factors, sessions
from dashboard.services.staff.permissions import (
    APPOINTED_BY_ADMINS,
    CANNOT,
    Permission,
)
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.staff import NewPersonForm, RoleForm, UnlockForm
from dashboard.web.views import sessions as session_views

F = TypeVar("F", NewPersonForm, RoleForm)

bp = Blueprint("staff", __name__, url_prefix="/staff")


@bp.get("/")
@requires(Permission.STAFF_READ)
def index() -> str:
    """List everyone."""
    return _index()


@bp.get("/new")
@requires(Permission.STAFF_WRITE)
def new() -> str:
    """Show the form for a new person."""
    return _new_page(_offered(NewPersonForm()))


@bp.post("/")
@requires(Permission.STAFF_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Add a person."""
    form = _offered(NewPersonForm())
    if not form.validate():
        return _new_page(form), 422
    try:
        person = accounts.add(
            runtime().database,
            email=form.email.data or "",
            role=Role(form.role.data),
            zoom_apps=_chosen(form),
            password=None,
            actor=actor(),
            now=now(),
        )
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="email")
        return _new_page(form), 422
    return _link_page(person.id)


@bp.get("/<uuid:staff_id>")
@requires(Permission.STAFF_WRITE)
def edit(staff_id: UUID) -> str:
    """Show what can be changed about a person."""
    return _edit_page(staff_id)


@bp.post("/<uuid:staff_id>/role")
@requires(Permission.STAFF_WRITE, fresh=True)
def change_role(staff_id: UUID) -> ResponseReturnValue:
    """Give the person another role."""
    form = _offered(RoleForm())
    if not form.validate():
        return _edit_page(staff_id, role_form=form), 422
    chosen = _chosen(form)
    try:
        with runtime().database.writing() as session:
            person = accounts.get(session, staff_id)
            accounts.set_role(session, person, Role(form.role.data), actor=actor())
            accounts.limit(session, person, chosen, actor=actor())
            words = accounts.limits_words(session, chosen)
            subject = f"{person.email} to {person.role}{words}"
            audit.record(
                session, actor(), "staff.role_changed", subject=subject, now=now()
            )
    except InvalidInputError as error:
        show_on(form, error, field="role")
        return _edit_page(staff_id, role_form=form), 422
    flash(
        f"{person.email} now has the role {person.role} and has to sign in again.",
        "good",
    )
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:staff_id>/link")
@requires(Permission.STAFF_WRITE, fresh=True)
def make_link(staff_id: UUID) -> ResponseReturnValue:
    """Make a link with which the person chooses a new password."""
    return _link_page(staff_id)


@bp.post("/<uuid:staff_id>/second-factor/remove")
@requires(Permission.STAFF_WRITE, fresh=True)
def remove_second_factor(staff_id: UUID) -> Response:
    """Remove the second factors of a person who lost them; ends their sessions."""
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        accounts.require_may_manage(person.role, actor())
        second_factors.remove_all(session, person.id)
        sessions.end_all(session, person.id)
        audit.record(
            session,
            actor(),
            "staff.second_factor_removed",
            subject=person.email,
            now=now(),
        )
    flash(f"Removed the second factors of {person.email}.", "good")
    return htmx.go_to(url_for(".edit", staff_id=staff_id))


@bp.post("/<uuid:staff_id>/unlock")
@requires(Permission.STAFF_WRITE)
def unlock(staff_id: UUID) -> Response:
    """Let the person's next sign-in come at once."""
    email = accounts.get(db(), staff_id).email
    accounts.unlock(runtime().database, email=email, actor=actor(), now=now())
    flash(f"{email} can try to sign in again at once.", "good")
    return htmx.go_to(url_for(".edit", staff_id=staff_id))


@bp.post("/unlock-address")
@requires(Permission.STAFF_WRITE)
def unlock_address() -> ResponseReturnValue:
    """Let the next sign-in from an address come at once."""
    form = UnlockForm()
    if not form.validate():
        return _index(unlock_form=form), 422
    address = (form.address.data or "").strip()
    accounts.unlock(runtime().database, address=address, actor=actor(), now=now())
    flash(f"Sign-ins from {address} can come at once again.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:staff_id>/disable")
@requires(Permission.STAFF_WRITE, fresh=True)
def disable(staff_id: UUID) -> Response:
    """Deactivate the person's account."""
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        accounts.disable(session, person, actor=actor(), now=now())
        audit.record(
            session, actor(), "staff.disabled", subject=person.email, now=now()
        )
    flash(f"Access for {person.email} has been turned off.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:staff_id>/enable")
@requires(Permission.STAFF_WRITE, fresh=True)
def enable(staff_id: UUID) -> Response:
    """Reactivate the person's account."""
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        accounts.enable(session, person, actor=actor())
        audit.record(session, actor(), "staff.enabled", subject=person.email, now=now())
    flash(f"{person.email} can sign in again.", "good")
    return htmx.go_to(url_for(".index"))


def _index(*, unlock_form: UnlockForm | None = None) -> str:
    return render_template(
        "staff/index.html",
        people=accounts.list_all(db()),
        limited=accounts.limited(db()),
        cannot=CANNOT,
        unlock_form=unlock_form or UnlockForm(formdata=None),
    )


def _link_page(staff_id: UUID) -> Response:
    """Show a new link, once."""
    with runtime().database.writing() as session:
        person = accounts.get(session, staff_id)
        secret = links.make(session, person, actor=actor(), now=now())
    path = url_for("passwords.new", secret=secret.get_secret_value())
    link = f"{runtime().public_url}{path}"
    return make_response(render_template("staff/link.html", person=person, link=link))


def _offered(form: F) -> F:
    apps = zoom_apps.list_all(db())
    form.zoom_apps.choices = [(str(app.id), app.name) for app in apps]
    return form


def _chosen(form: NewPersonForm | RoleForm) -> list[UUID]:
    return [UUID(one) for one in form.zoom_apps.data or ()]


def _new_page(form: NewPersonForm) -> str:
    return render_template("staff/new.html", form=form, cannot=CANNOT)


def _edit_page(staff_id: UUID, *, role_form: RoleForm | None = None) -> str:
    person = accounts.get(db(), staff_id)
    if role_form is None:
        limited_to = sorted(map(str, accounts.limits_of(db(), person) or ()))
        stored = {"role": person.role.value, "zoom_apps": limited_to}
        role_form = _offered(RoleForm(formdata=None, data=stored))
    return render_template(
        "staff/edit.html",
        person=person,
        cannot=CANNOT,
        is_independent=person.role not in APPOINTED_BY_ADMINS,
        factors=second_factors.of(db(), staff_id),
        sessions=session_views.rows(staff_id),
        role_form=role_form,
    )
