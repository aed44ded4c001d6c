"""One's own account: password, second factors, and proving oneself again."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.staff import Staff
from dashboard.services import audit
from dashboard.services.staff import accounts, second_factors
from dashboard.services.staff.second_factors import Kind
from dashboard.web import htmx, proof, signin
from dashboard.web.access import local_path, signed_in
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.staff import (
    CodeForm,
    DisplayForm,
    OwnPasswordForm,
    PasskeyForm,
)
from dashboard.web.proof import Purpose
from dashboard.web.views import sessions, single_sign_on

_WRONG_CODE = (
    "This code is not right. Type the one that the app shows now, and check that your "
    "phone sets its clock automatically."
)

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("")
@signed_in()
def index() -> str:
    """Show one's own account."""
    return _page()


@bp.post("/password")
@signed_in()
def change_password() -> ResponseReturnValue:
    """Change one's own password; ends one's other sessions."""
    form, who, database = OwnPasswordForm(), _who(), runtime().database
    if not proof.ways(who.staff_id).has_password:
        raise ConflictError("Your account has no password here, so none was changed.")
    if not form.validate():
        return _page(password_form=form), 422
    current = SecretStr(form.current.data or "")
    try:
        if not accounts.verify_own(database, who.staff_id, current, now=now()):
            form.current.errors = ["This is not your password."]
            return _page(password_form=form), 422
        accounts.change_own_password(
            database,
            who.staff_id,
            SecretStr(form.password.data or ""),
            session_id=who.session_id,
            actor=actor(),
            now=now(),
        )
    except InvalidInputError as error:
        show_on(form, error, field="password")
        return _page(password_form=form), 422
    except ConflictError as error:
        form.form_errors.append(str(error))
        return _page(password_form=form), HTTPStatus.TOO_MANY_REQUESTS
    flash("Changed your password. You are signed out in other browsers.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/display")
@signed_in()
def change_display() -> ResponseReturnValue:
    """Change one's own time zone and theme."""
    form = DisplayForm()
    if not form.validate():
        return _page(display_form=form), 422
    with runtime().database.writing() as writing:
        person = accounts.get(writing, _who().staff_id)
        person.time_zone, person.theme = form.time_zone.data or "", form.theme.data
        writing.add(person)
    flash("Saved.", "good")
    return htmx.go_to(url_for(".index"))


@bp.get("/second-factor")
@signed_in(before_set_up=True, fresh=True)
def second_factor() -> str:
    """Show how to set up a second factor."""
    return _set_up_page()


@bp.post("/authenticator")
@signed_in(before_set_up=True, fresh=True)
def new_app() -> Response:
    """Draw a secret for an authenticator app."""
    used = runtime()
    with used.database.writing() as writing:
        second_factors.new_app(writing, used.vault, _who().staff_id, now=now())
    return htmx.go_to(url_for(".second_factor", next=_next()))


@bp.post("/authenticator/confirm")
@signed_in(before_set_up=True, fresh=True)
def confirm_app() -> ResponseReturnValue:
    """Let the app count once a code of it was typed."""
    form, used, who = CodeForm(), runtime(), _who()
    if not form.validate():
        return _set_up_page(code_form=form), 422
    try:
        with used.database.writing() as writing:
            second_factors.count_try(writing, who.staff_id, now=now())
    except ConflictError as error:
        form.form_errors.append(str(error))
        return _set_up_page(code_form=form), HTTPStatus.TOO_MANY_REQUESTS
    codes = None
    with used.database.writing() as writing:
        typed = form.code.data or ""
        if second_factors.confirm_app(
            writing, used.vault, who.staff_id, typed, now=now()
        ):
            codes = second_factors.settle_added(
                writing, who.staff_id, who.session_id, Kind.CODE, now=now()
            )
            audit.record(writing, actor(), "authenticator.added", subject="", now=now())
    if codes is None:
        form.code.errors = [_WRONG_CODE]
        return _set_up_page(code_form=form), 422
    return _after_adding(codes, "Your authenticator app is set up.")


@bp.post("/authenticator/remove")
@signed_in(fresh=True)
def remove_app() -> ResponseReturnValue:
    """Remove the authenticator app."""
    who = _who()
    with runtime().database.writing() as writing:
        second_factors.remove(
            writing, who.staff_id, None, is_required=_is_required(who)
        )
        audit.record(writing, actor(), "authenticator.removed", subject="", now=now())
    flash("Removed the authenticator app.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/passkeys/options")
@signed_in(before_set_up=True)
def passkey_options() -> Response:
    """Give the browser a challenge to make a passkey with."""
    options = second_factors.registration(db(), _person(), proof.site())
    return proof.hand_out(Purpose.ADD, *options)


@bp.post("/passkeys")
@signed_in(before_set_up=True, fresh=True)
def add_passkey() -> ResponseReturnValue:
    """Store the passkey that the browser made."""
    form, who = PasskeyForm(), _who()
    if not form.validate():
        return _set_up_page(passkey_form=form), 422
    try:
        with runtime().database.writing() as writing:
            key = second_factors.add_passkey(
                writing,
                who.staff_id,
                form.credential.data or "",
                challenge=proof.take_challenge(Purpose.ADD),
                site=proof.site(),
                name=form.name.data or "",
                now=now(),
            )
            codes = second_factors.settle_added(
                writing, who.staff_id, who.session_id, Kind.PASSKEY, now=now()
            )
            audit.record(writing, actor(), "passkey.added", subject=key.name, now=now())
    except (InvalidInputError, ConflictError) as error:
        form.form_errors.append(str(error))
        return _set_up_page(passkey_form=form), 422
    return _after_adding(codes, "Your passkey is stored.")


@bp.post("/passkeys/<uuid:passkey_id>/rename")
@signed_in()
def rename_passkey(passkey_id: UUID) -> ResponseReturnValue:
    """Call a passkey something else."""
    form = PasskeyForm()
    if not form.validate():
        flash("Give the passkey a name of 1 to 60 characters.", "trouble")
        return htmx.go_to(url_for(".index"))
    with runtime().database.writing() as writing:
        key = second_factors.passkey_of(writing, _who().staff_id, passkey_id)
        second_factors.rename(writing, key, form.name.data or "")
    return htmx.go_to(url_for(".index"))


@bp.post("/passkeys/<uuid:passkey_id>/remove")
@signed_in(fresh=True)
def remove_passkey(passkey_id: UUID) -> ResponseReturnValue:
    """Remove a passkey."""
    who = _who()
    with runtime().database.writing() as writing:
        key = second_factors.passkey_of(writing, who.staff_id, passkey_id)
        second_factors.remove(writing, who.staff_id, key, is_required=_is_required(who))
        audit.record(writing, actor(), "passkey.removed", subject=key.name, now=now())
    flash(f"Removed the passkey {key.name}.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/recovery-codes")
@signed_in(fresh=True)
def new_codes() -> ResponseReturnValue:
    """Make ten new recovery codes and show them, once."""
    who = _who()
    if not second_factors.of(db(), who.staff_id).any:
        raise ConflictError("Add a passkey or an authenticator app first.")
    with runtime().database.writing() as writing:
        codes = second_factors.new_recovery_codes(writing, who.staff_id, now=now())
        audit.record(writing, actor(), "recovery_codes.made", subject="", now=now())
    return _after_adding(codes, "Your former recovery codes no longer work.")


@bp.get("/prove")
@signed_in(before_set_up=True)
def prove() -> ResponseReturnValue:
    """Ask for a proof before a page that needs a fresh one."""
    who, target = _who(), _next() or url_for("overview.index")
    if proof.is_fresh(who):
        return htmx.go_to(target)
    return proof.asking(who, status=HTTPStatus.OK)


@bp.post("/prove")
@signed_in(before_set_up=True)
def take_proof() -> ResponseReturnValue:
    """Take the proof and go on to the page."""
    who = _who()
    wrong = None if proof.is_fresh(who) else proof.ask(who)
    return wrong or htmx.go_to(_next() or url_for("overview.index"))


@bp.post("/prove/passkey/options")
@signed_in(before_set_up=True)
def proof_options() -> Response:
    """Give the browser a challenge for one of the person's own passkeys."""
    keys = second_factors.of(db(), _who().staff_id).passkeys
    return proof.hand_out(Purpose.PROVE, *second_factors.request(proof.site(), keys))


def _who() -> signin.Person:
    who = signin.person()
    if who is None:
        raise RuntimeError("a page of one's own account was opened by a stranger")
    return who


def _person() -> Staff:
    return accounts.get(db(), _who().staff_id)


def _is_required(who: signin.Person) -> bool:
    return second_factors.is_required(who.role, proof.policy())


def _next() -> str | None:
    return local_path(request.values.get("next"))


def _page(
    *,
    password_form: OwnPasswordForm | None = None,
    display_form: DisplayForm | None = None,
) -> str:
    who, person = _who(), _person()
    if display_form is None:
        stored = {"time_zone": person.time_zone, "theme": person.theme}
        display_form = DisplayForm(formdata=None, data=stored)
    return render_template(
        "account/index.html",
        person=person,
        display_form=display_form,
        ways=proof.ways(who.staff_id),
        offered=single_sign_on.offered(),
        password_form=password_form or OwnPasswordForm(formdata=None),
        is_required=_is_required(who),
        policy=proof.policy(),
        own_sessions=sessions.rows(who.staff_id),
    )


def _set_up_page(
    *, code_form: CodeForm | None = None, passkey_form: PasskeyForm | None = None
) -> str:
    who = _who()
    pending = second_factors.pending_app(db(), runtime().vault, _person())
    return render_template(
        "account/second_factor.html",
        factors=second_factors.of(db(), who.staff_id),
        secret=pending[0] if pending else "",
        qr=Markup(pending[1]) if pending else "",  # noqa: S704 - segno's own drawing
        code_form=code_form or CodeForm(formdata=None, data={"next": _next()}),
        passkey_form=passkey_form or PasskeyForm(formdata=None, data={"name": ""}),
        must=proof.must_set_up(who),
        next=_next() or "",
        takes_passkeys=proof.site().takes_passkeys,
    )


def _after_adding(codes: list[str], done: str) -> ResponseReturnValue:
    target = _next() or url_for(".index")
    if not codes:
        flash(done, "good")
        return htmx.go_to(target)
    return render_template(
        "account/recovery_codes.html", codes=codes, done=done, target=target
    )
