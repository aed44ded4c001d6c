"""What a person proves themselves with: where challenges wait, and asking again.

A view declares `fresh=True` beside its permission. Someone whose last proof is older
than ten minutes is asked for one before it runs. What was typed goes along in hidden
fields of the answer, never in an address. The identity provider is opened in a tab of
its own, so what was typed stays in this one.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from flask import Response, abort, make_response, request, session, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError
from dashboard.models.staff import Staff
from dashboard.services import audit, throttle
from dashboard.services.staff import (
    accounts,
    second_factors,
    sessions,
    single_sign_on,
)
from dashboard.services.staff.second_factors import CHALLENGE_LASTS, Kind
from dashboard.settings import SecondFactor
from dashboard.web import htmx
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.signin import Person

LASTS = timedelta(minutes=10)
"""How long a proof is fresh."""

PASSWORD, CODE, PASSKEY = "prove-password", "prove-code", "prove-passkey"
_FIELDS = (PASSWORD, CODE, PASSKEY, "csrf_token")


class Purpose(StrEnum):
    """What a challenge is for: each waits in the browser's cookie for itself."""

    PROVE = "challenge_to_prove"
    ADD = "challenge_to_add"


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How a person can prove themselves, and sign in.

    Attributes:
        takes_passkeys: Whether browsers have passkeys for this site.
        has_password: Whether there is one that opens something here.
        provider: What the button of the identity provider says; "" for those whose
            account is not linked to it.
        has_another: Whether they can sign in without the identity provider.
    """

    factors: second_factors.Factors
    takes_passkeys: bool
    has_password: bool
    provider: str
    has_another: bool


def ways(staff_id: UUID) -> Ways:
    """Return how the person can prove themselves."""
    factors, takes_passkeys = second_factors.of(db(), staff_id), site().takes_passkeys
    single = runtime().single_sign_on
    is_only = single is not None and single.policy.is_only
    has_password = not is_only and bool(accounts.get(db(), staff_id).password_hash)
    is_linked = single is not None and any(
        each.issuer == single.provider.issuer.rstrip("/")
        for each in single_sign_on.identities(db(), staff_id)
    )
    return Ways(
        factors=factors,
        takes_passkeys=takes_passkeys,
        has_password=has_password,
        provider=single.policy.name if single is not None and is_linked else "",
        has_another=has_password
        or (not is_only and takes_passkeys and bool(factors.passkeys)),
    )


def site() -> second_factors.Site:
    """Return what passkeys are bound to here."""
    return second_factors.site_of(runtime().public_url)


def policy() -> SecondFactor:
    """Return who must have a second factor here."""
    used = runtime()
    return second_factors.policy(used.settings.require_second_factor, used.public_url)


def must_set_up(who: Person) -> bool:
    """Whether the person must set up a second factor before anything else opens."""
    return not who.second_factor and second_factors.is_required(who.role, policy())


def hand_out(purpose: Purpose, challenge: str, options: str) -> Response:
    """Answer with the options of a challenge, which waits in this browser's cookie."""
    session[purpose.value] = [challenge, int(now().timestamp())]
    return make_response(json.loads(options))


def take_challenge(purpose: Purpose) -> str:
    """Return the challenge that this browser was given, once; "" when it is too old."""
    found = session.pop(purpose.value, None)
    if (
        not isinstance(found, list)
        or found[1] + CHALLENGE_LASTS.seconds < now().timestamp()
    ):
        return ""
    return str(found[0])


def is_fresh(who: Person) -> bool:
    """Whether the person's last proof is young enough."""
    return who.proven_at is not None and now() < who.proven_at + LASTS


def ask(who: Person) -> ResponseReturnValue | None:
    """Take the proof that came with the request, or answer with a page that asks.

    None: go on. The view finds what it reads in the form; the proof's own fields are
    no fields of any form of ours.
    """
    if request.method == "GET":
        here = request.full_path if request.query_string else request.path
        return htmx.go_to(url_for("account.prove", next=here))
    if not any(request.form.get(name) for name in (PASSWORD, CODE, PASSKEY)):
        return asking(who)
    return take(who)


def take(who: Person) -> ResponseReturnValue | None:
    """Take a proof from the form; the page that asks again if it is wrong."""
    try:
        kind = _proven(who)
    except ConflictError as error:
        return asking(who, wrong=str(error), status=HTTPStatus.TOO_MANY_REQUESTS)
    with runtime().database.writing() as writing:
        act = "session.proof_refused" if kind is None else "session.proven"
        audit.record(writing, actor(), act, subject=kind or "", now=now())
        if kind is not None:
            factor = "" if kind == "password" else kind
            sessions.note_proof(
                writing, who.session_id, second_factor=factor, now=now()
            )
    if kind is None:
        return asking(who, wrong="That was not right. Nothing was changed yet.")
    return None


def asking(
    who: Person,
    *,
    wrong: str = "",
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
    target: str = "",
) -> Response:
    """Return the page that asks for a proof, with everything that was typed."""
    if request.files and any(file.filename for file in request.files.values()):
        abort(HTTPStatus.BAD_REQUEST)  # no view that asks takes files
    kept = [
        (name, value)
        for name, values in request.form.lists()
        if name not in _FIELDS
        for value in values
    ]
    response = htmx.page_or_fragment(
        "prove/page.html",
        "prove/_form.html",
        status=status,
        action=target or request.full_path.rstrip("?"),
        kept=kept,
        wrong=wrong,
        ways=ways(who.staff_id),
        mark=secrets.token_urlsafe(12),
    )
    if htmx.wants_fragment():
        response.headers["HX-Retarget"] = "#main"
        response.headers["HX-Reswap"] = "innerHTML"
    response.headers["Cache-Control"] = "no-store"
    return response


def take_code(staff_id: UUID, typed: str) -> Kind | None:
    """Return what the code is, or None; commits the try before it is verified.

    Raises:
        TooSoonError: Too many were wrong; says how long to wait.
    """
    used = runtime()
    with used.database.writing() as writing:
        second_factors.count_try(writing, staff_id, now=now())
    with used.database.writing() as writing:
        found = second_factors.verify_code(
            writing, used.vault, staff_id, typed, now=now()
        )
        if found is not None:
            throttle.forget(writing, second_factors.tries(staff_id))
    return found


def take_passkey() -> Staff | None:
    """Return whose passkey signed this browser's challenge, or None; commits."""
    challenge = take_challenge(Purpose.PROVE)
    credential = request.form.get(PASSKEY, "")
    if not challenge:
        return None
    with runtime().database.writing() as writing:
        return second_factors.verify_passkey(
            writing, credential, challenge=challenge, site=site(), now=now()
        )


def _proven(who: Person) -> str | None:
    if request.form.get(PASSKEY):
        person = take_passkey()
        is_theirs = person is not None and person.id == who.staff_id
        return Kind.PASSKEY if is_theirs else None
    if request.form.get(CODE):
        return take_code(who.staff_id, request.form[CODE])
    if not ways(who.staff_id).has_password:
        return None
    password = SecretStr(request.form.get(PASSWORD, ""))
    database = runtime().database
    is_right = accounts.verify_own(database, who.staff_id, password, now=now())
    return "password" if is_right else None
