"""The company's identity provider: there and back, to sign in, to prove or to link."""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any

import structlog
from flask import Blueprint, flash, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from dashboard.clients.oidc.provider import (
    Identity,
    SignInAttempt,
    SingleSignOnError,
)
from dashboard.errors import ConflictError
from dashboard.services import audit
from dashboard.services.staff import accounts, sessions
from dashboard.services.staff import single_sign_on as service
from dashboard.web import htmx, proof, signin
from dashboard.web.access import local_path, public, signed_in
from dashboard.web.context import actor, now, runtime
from dashboard.web.forms.staff import SignInForm

bp = Blueprint("single_sign_on", __name__)

_ATTEMPTS = "single_sign_on"
_MOST_ATTEMPTS = 3
"""In one browser at once: each is a few hundred bytes of its cookie."""

_LASTS = timedelta(minutes=10)
_LONGEST_NEXT = 200
_LONGEST_MARK = 40
_exchanging = BoundedSemaphore(8)
"""A slow provider takes so many threads of this process, and no more."""

_EXCHANGE_WAIT_S = 5.0
_log = structlog.get_logger()


class _For(StrEnum):
    """What somebody was sent to the provider for."""

    SIGN_IN = "sign-in"
    PROVE = "prove"
    LINK = "link"


@bp.get("/sign-in/sso")
@public
def begin() -> ResponseReturnValue:
    """Send the browser to the identity provider."""
    target = local_path(request.args.get("next"))
    kept = target if target and len(target) <= _LONGEST_NEXT else ""
    try:
        return htmx.go_to(_send(_For.SIGN_IN, kept))
    except SingleSignOnError as error:
        return _refused(error, target)


@bp.get("/account/sign-on/prove")
@signed_in(before_set_up=True)
def prove() -> ResponseReturnValue:
    """Send the person to the identity provider, to sign in there again."""
    mark = request.args.get("mark", "")[:_LONGEST_MARK]
    try:
        return htmx.go_to(_send(_For.PROVE, mark))
    except SingleSignOnError as error:
        return _not_confirmed(error)


@bp.get("/account/sign-on/link")
@signed_in(fresh=True)
def begin_link() -> ResponseReturnValue:
    """Say what a link means, and lead to the identity provider."""
    # Not by a redirect: the proof's form came here by one, and browsers hold where
    # that ends against the policy of its page.
    try:
        address = _send(_For.LINK, "")
    except SingleSignOnError as error:
        return _not_confirmed(error)
    single = _single_sign_on()
    return render_template(
        "account/link.html", address=address, gives_roles=bool(single.policy.roles)
    )


@bp.post("/account/sign-on/unlink")
@signed_in(fresh=True)
def unlink() -> ResponseReturnValue:
    """Undo the link of one's own account to the identity provider."""
    _single_sign_on()
    who = signin.signed_in_person()
    has_another = proof.ways(who.staff_id).has_another
    with runtime().database.writing() as writing:
        service.unlink_own(
            writing,
            accounts.get(writing, who.staff_id),
            session_id=who.session_id,
            has_another_way=has_another,
            actor=actor(),
            now=now(),
        )
    flash("Removed the link. You are signed out in other browsers.", "good")
    return htmx.go_to(url_for("account.index"))


@bp.get(service.CALLBACK_PATH)
@public
def callback() -> ResponseReturnValue:
    """Read who comes back from the identity provider, and begin their session."""
    single = _single_sign_on()
    kept = _take(request.args.get("state", ""))
    if kept is None:
        return _refused(
            SingleSignOnError(
                "state",
                "This sign-in was used already, is older than 10 minutes, or began in "
                "another browser. Sign in again.",
            ),
            None,
        )
    purpose = _For(kept["for"])
    attempt = SignInAttempt(
        state=kept["state"],
        nonce=kept["nonce"],
        verifier=kept["verifier"],
        redirect_uri=_redirect_uri(),
    )
    if not _exchanging.acquire(timeout=_EXCHANGE_WAIT_S):
        busy = SingleSignOnError(
            "busy",
            "Many people are signing in. Try again in a moment.",
            is_outage=True,
        )
        return _came_in_vain(busy, kept)
    began_at = datetime.fromtimestamp(kept["at"], UTC)
    try:
        identity = single.provider.identify(
            attempt,
            request.args,
            now=now(),
            proven_since=None if purpose is _For.SIGN_IN else began_at,
        )
    except SingleSignOnError as error:
        return _came_in_vain(error, kept)
    finally:
        _exchanging.release()
    if purpose is not _For.SIGN_IN:
        return _of_own_account(single, identity, kept)
    target = local_path(kept["next"])
    former = signin.person()
    try:
        secret = service.sign_in(
            runtime().database,
            _arrival(
                single,
                identity,
                former=None if former is None else former.session_id,
            ),
        )
    except SingleSignOnError as error:
        return _page(str(error), HTTPStatus.FORBIDDEN, target)
    signin.begin(secret)
    return htmx.go_to(target or url_for("overview.index"))


def _of_own_account(
    single: service.SingleSignOn, identity: Identity, kept: dict[str, Any]
) -> ResponseReturnValue:
    """Take the proof of the person whose session asked for it, or link them."""
    who = signin.person()
    if who is None or who.session_id != kept["session"]:
        return _not_confirmed(
            SingleSignOnError(
                "session",
                "You were signed out, or signed in again, since you left for the "
                "identity provider. Nothing was changed. Try again.",
            )
        )
    try:
        if kept["for"] == _For.LINK:
            return _link(single, identity, who)
        _prove(identity, who)
    except SingleSignOnError as error:
        return _not_confirmed(error)
    return render_template("account/confirmed.html", mark=kept["next"])


def _prove(identity: Identity, who: signin.Person) -> None:
    """Note the proof; commits, a refusal too."""
    with runtime().database.writing() as writing:
        is_theirs = service.is_theirs(writing, who.staff_id, identity)
        if is_theirs:
            sessions.note_proof(writing, who.session_id, now=now())
            said = f"single sign-on {identity.subject}"
            audit.record(writing, actor(), "session.proven", subject=said, now=now())
    if not is_theirs:
        raise SingleSignOnError(
            "another_person",
            "You signed in at the identity provider as someone else than here, so "
            "nothing is confirmed. Sign in there as yourself.",
        )


def _link(
    single: service.SingleSignOn, identity: Identity, who: signin.Person
) -> ResponseReturnValue:
    if not proof.is_fresh(who):
        raise SingleSignOnError(
            "too_late", "This took longer than 10 minutes. Nothing was linked."
        )
    arrival = _arrival(single, identity, former=None)
    try:
        with runtime().database.writing() as writing:
            person = accounts.get(writing, who.staff_id)
            service.link_own(writing, person, arrival, actor=actor())
    except ConflictError as error:
        raise SingleSignOnError("taken", str(error)) from None
    named = identity.email or identity.subject
    flash(f"Linked your account to {named} at the identity provider.", "good")
    return htmx.go_to(url_for("account.index"))


def _arrival(
    single: service.SingleSignOn, identity: Identity, *, former: str | None
) -> service.Arrival:
    return service.Arrival(
        policy=single.policy,
        identity=identity,
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
        former=former,
        now=now(),
    )


def _single_sign_on() -> service.SingleSignOn:
    found = runtime().single_sign_on
    if found is None:
        raise NotFound
    return found


def _redirect_uri() -> str:
    return f"{runtime().public_url}{service.CALLBACK_PATH}"


def _send(purpose: _For, to: str) -> str:
    """Return where to send the browser, whose signed cookie keeps the attempt.

    Args:
        purpose: What for. Whoever is signed in has to sign in there again.
        to: What the answer needs: an address, or the mark of a form.

    Raises:
        SingleSignOnError: The provider does not answer.
    """
    attempt = SignInAttempt(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=_redirect_uri(),
    )
    is_again = purpose is not _For.SIGN_IN
    address = _single_sign_on().provider.address(attempt, again=is_again)
    who = signin.person()
    kept = {
        "for": purpose.value,
        "session": who.session_id if is_again and who is not None else "",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "verifier": attempt.verifier,
        "next": to,
        "at": now().timestamp(),
    }
    session[_ATTEMPTS] = [*session.get(_ATTEMPTS, []), kept][-_MOST_ATTEMPTS:]
    return address


def _take(state: str) -> dict[str, Any] | None:
    """Return the attempt with this state and forget it: each is good for one answer."""
    kept: list[dict[str, Any]] = session.get(_ATTEMPTS, [])
    found = next((each for each in kept if _is_same(each["state"], state)), None)
    if found is None:
        return None
    session[_ATTEMPTS] = [each for each in kept if each is not found]
    began_at = datetime.fromtimestamp(found["at"], UTC)
    return found if now() < began_at + _LASTS else None


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="replace"))


def _came_in_vain(
    error: SingleSignOnError, kept: dict[str, Any]
) -> ResponseReturnValue:
    if kept["for"] == _For.SIGN_IN:
        return _refused(error, local_path(kept["next"]))
    return _not_confirmed(error)


def _not_confirmed(error: SingleSignOnError) -> ResponseReturnValue:
    """Show why a proof or a link did not come about, and record it."""
    if signin.person() is None:
        return _refused(error, None)
    _note(error, "session.proof_refused")
    page = render_template("account/not_confirmed.html", wrong=str(error))
    return page, _status(error)


def _note(error: SingleSignOnError, act: str) -> None:
    _log.warning("single_sign_on.refused", cause=error.cause)
    subject = f"single sign-on: {error.cause}"
    with runtime().database.writing() as writing:
        audit.record(writing, actor(), act, subject=subject, now=now())


def _status(error: SingleSignOnError) -> HTTPStatus:
    return HTTPStatus.SERVICE_UNAVAILABLE if error.is_outage else HTTPStatus.FORBIDDEN


def _refused(error: SingleSignOnError, target: str | None) -> ResponseReturnValue:
    """Show why the provider's answer was not accepted, and record it."""
    _note(error, "session.refused")
    return _page(str(error), _status(error), target)


def _page(message: str, status: int, target: str | None) -> ResponseReturnValue:
    form = SignInForm(formdata=None, data={"next": target or ""})
    form.form_errors.append(message)
    takes = proof.site().takes_passkeys
    return render_template("signin/new.html", form=form, takes_passkeys=takes), status


def offered() -> service.Policy | None:
    """Return what the sign-in page offers besides a password; for templates."""
    found = runtime().single_sign_on
    return None if found is None else found.policy


def is_only() -> bool:
    """Whether passwords are refused."""
    policy = offered()
    return policy is not None and policy.is_only
