"""Signing in and out: a password, a second factor if there is one, or a passkey."""

import hashlib
import secrets
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.staff import Staff
from dashboard.services import audit
from dashboard.services.audit import Actor, tallies
from dashboard.services.staff import accounts, second_factors, sessions
from dashboard.services.staff.second_factors import Kind
from dashboard.services.throttle import TooSoonError
from dashboard.web import htmx, known_browser, proof, signin
from dashboard.web.access import local_path, public
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.forms.staff import CodeForm, SignInForm
from dashboard.web.views import single_sign_on

bp = Blueprint("signin", __name__)

_STEP = "password_step"
_STEP_LASTS_S = 600
_NOT_RIGHT = (
    "Incorrect email or password. An admin can send you a link to choose a new "
    "password."
)
_NO_PASSKEY = (
    "No account here has this passkey, or it took too long. Try again, or sign in with "
    "your password."
)


@bp.get("/sign-in")
@public
def new() -> ResponseReturnValue:
    """Show the form, or go on if the person is signed in already."""
    target = local_path(request.args.get("next"))
    if signin.person() is not None:
        return htmx.go_to(target or url_for("overview.index"))
    return _page(SignInForm(data={"next": target}))


@bp.post("/sign-in")
@public
def create() -> ResponseReturnValue:
    """Verify the password, then ask for the second factor or start a session."""
    form = SignInForm()
    if single_sign_on.is_only():
        return _only_single_sign_on(form)
    if not form.validate():
        return _page(form), 422
    database, email = runtime().database, form.email.data or ""
    address = request.remote_addr or ""
    try:
        verified = accounts.verify(
            database,
            email=email,
            password=SecretStr(form.password.data or ""),
            address=address,
            browser=known_browser.of(email),
            now=now(),
        )
    except ConflictError as error:
        _count("session.throttled", accounts.known_email(database, email))
        form.form_errors.append(str(error))
        return _later(_page(form), error)
    person = None
    with database.writing() as writing:
        if verified is not None:
            person = accounts.accept(writing, verified)
        has = None if person is None else second_factors.of(writing, person.id)
    if person is None or has is None:
        _count("session.refused", accounts.known_email(database, email))
        form.form_errors.append(_NOT_RIGHT)
        return _page(form), 422
    target = local_path(form.next.data)
    if not has.any:
        return _begin(person, target)
    session.clear()
    session[_STEP] = {
        "id": str(person.id),
        "is": _stamp(person),
        "once": secrets.token_urlsafe(16),
        "at": int(now().timestamp()),
    }
    return htmx.go_to(url_for(".second_factor", next=target))


@bp.get("/sign-in/second-factor")
@public
def second_factor() -> ResponseReturnValue:
    """Ask for the second factor."""
    target = local_path(request.args.get("next"))
    person = _half_in()
    if person is None:
        return htmx.go_to(url_for(".new", next=target))
    return _code_page(person, CodeForm(data={"next": target}))


@bp.post("/sign-in/second-factor")
@public
def check_code() -> ResponseReturnValue:
    """Verify a code of the app or a recovery code, then start a session."""
    form, person = CodeForm(), _half_in()
    target = local_path(form.next.data)
    if person is None:
        return htmx.go_to(url_for(".new", next=target))
    if not form.validate():
        return _code_page(person, form), 422
    try:
        kind = proof.take_code(person.id, form.code.data or "")
        if kind is not None:
            _spend_step()
    except ConflictError as error:
        _count("session.throttled", person.email)
        form.form_errors.append(str(error))
        return _later(_code_page(person, form), error)
    if kind is None:
        _count("second_factor.refused", person.email, _actor(person))
        form.form_errors.append(
            "This code is not right, or it was used before. Wait for the next one."
        )
        return _code_page(person, form), 422
    return _begin(person, target, kind)


@bp.post("/sign-in/passkey/options")
@public
def passkey_options() -> Response:
    """Give the browser a challenge: for the person who is half in, or for anyone."""
    person = _half_in()
    keys = () if person is None else second_factors.of(db(), person.id).passkeys
    options = second_factors.request(proof.site(), keys)
    return proof.hand_out(proof.Purpose.PROVE, *options)


@bp.post("/sign-in/passkey")
@public
def passkey() -> ResponseReturnValue:
    """Start a session for whoever's passkey signed the challenge."""
    target = local_path(request.form.get("next"))
    if single_sign_on.is_only():
        return _only_single_sign_on(SignInForm(formdata=None, data={"next": target}))
    person = proof.take_passkey()
    if person is None:
        _count("session.refused", "a passkey")
        form = SignInForm(formdata=None, data={"next": target})
        form.form_errors.append(_NO_PASSKEY)
        return _page(form), 422
    return _begin(person, target, Kind.PASSKEY)


@bp.post("/sign-out")
@public
def destroy() -> Response:
    """End the session, here and on the server: a copy of the cookie is dead."""
    response = htmx.go_to(url_for(".new"))
    who = signin.person()
    if who is not None:
        with runtime().database.writing() as writing:
            sessions.end(writing, who.session_id)
            audit.record(writing, actor(), "session.ended", subject="", now=now())
    signin.end()
    # Without "cookies": the session's is expired by name, and the one that keeps
    # strangers' tries from this browser stays.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _only_single_sign_on(form: SignInForm) -> ResponseReturnValue:
    form.form_errors.append(
        "Passwords and passkeys are turned off here. Sign in with the identity "
        "provider."
    )
    return _page(form), HTTPStatus.FORBIDDEN


def _begin(person: Staff, target: str | None, kind: Kind | None = None) -> Response:
    """Start a session, unless the account changed since the proof was verified."""
    former, who = signin.person(), _actor(person)
    with runtime().database.writing() as writing:
        accounts.require_unchanged(writing, person)
        secret = sessions.begin(
            writing,
            person.id,
            address=who.address,
            user_agent=request.user_agent.string,
            second_factor=kind or "",
            now=now(),
        )
        if former is not None:
            sessions.end(writing, former.session_id)
        if kind is Kind.RECOVERY:
            audit.record(writing, who, "recovery_code.used", subject="", now=now())
        audit.record(writing, who, "session.begun", subject=person.email, now=now())
    signin.begin(secret)
    response = htmx.go_to(target or url_for("overview.index"))
    known_browser.remember(response, person.email)
    return response


def _half_in() -> Staff | None:
    """Return whose password was right in this browser a moment ago, or None."""
    step = session.get(_STEP)
    if not isinstance(step, dict) or step["at"] + _STEP_LASTS_S < now().timestamp():
        return None
    try:
        person = accounts.get(db(), UUID(step["id"]))
    except NotFoundError:
        return None
    if person.disabled_at or step["is"] != _stamp(person):
        return None
    return person


def _spend_step() -> None:
    with runtime().database.writing() as writing:
        second_factors.spend_step(writing, session[_STEP]["once"], now=now())


def _stamp(person: Staff) -> str:
    """Return a mark that another password changes."""
    return hashlib.sha256(person.password_hash.encode()).hexdigest()[:16]


def _actor(person: Staff) -> Actor:
    address = request.remote_addr or ""
    return Actor(name=person.email, staff_id=person.id, address=address)


def _count(act: str, subject: str, who: Actor | None = None) -> None:
    """Record a refusal: of strangers so many a minute, and the rest counted."""
    stranger = Actor(name="no one signed in", address=request.remote_addr or "")
    tallies.count(runtime().database, who or stranger, act, subject=subject, now=now())


def _page(form: SignInForm) -> str:
    return render_template(
        "signin/new.html", form=form, takes_passkeys=proof.site().takes_passkeys
    )


def _code_page(person: Staff, form: CodeForm) -> str:
    return render_template(
        "signin/second_factor.html",
        form=form,
        factors=second_factors.of(db(), person.id),
        takes_passkeys=proof.site().takes_passkeys,
    )


def _later(page: str, error: ConflictError) -> ResponseReturnValue:
    seconds = error.seconds if isinstance(error, TooSoonError) else 1
    headers = {"Retry-After": str(seconds)}
    return page, HTTPStatus.TOO_MANY_REQUESTS, headers
