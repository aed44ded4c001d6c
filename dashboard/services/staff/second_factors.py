"""What proves a person besides the password: passkeys, codes of an app, recovery codes.

Each proof is taken once: a challenge, a code of one half minute, a recovery code.
"""

import base64
import hashlib
import io
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

import pyotp
import segno
import webauthn
from pydantic import SecretStr
from sqlmodel import Session, col, delete, select
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import insert, rows_changed
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.staff import (
    Authenticator,
    Passkey,
    RecoveryCode,
    Role,
    SpentProof,
    Staff,
    StaffLink,
)
from dashboard.services import throttle
from dashboard.services.staff import sessions
from dashboard.services.staff.permissions import Permission, may
from dashboard.settings import SecondFactor
from dashboard.vault import Vault

RECOVERY_CODES = 10
MOST_PASSKEYS = 20
CHALLENGE_LASTS = timedelta(minutes=5)
FREE_TRIES = 5

_ISSUER = "Zoom and Recall dashboard"
_CODE_BYTES = 10
_STEP_S = 30
_SPACES = re.compile(r"[\s-]+")
_GUARDED = (
    Permission.STAFF_WRITE,
    Permission.WEBHOOKS_REVEAL,
    Permission.WORKSPACES_WRITE,
    Permission.ZOOM_APPS_WRITE,
)
"""Who may do one of these sees or changes secrets, or makes somebody who may."""

_NO_ANSWER = (
    WebAuthnException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What the library raises for text that is no answer of a browser."""


class Kind(StrEnum):
    """How a person proved themselves besides the password."""

    PASSKEY = "passkey"
    CODE = "code"
    RECOVERY = "recovery code"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What passkeys are bound to.

    Attributes:
        host: The relying party's ID.
        origin: What the browser says it shows.
    """

    host: str
    origin: str

    @property
    def takes_passkeys(self) -> bool:
        """Whether browsers make passkeys here: for a name, over HTTPS or locally."""
        is_name = not re.fullmatch(r"[\d.]+|.*:.*", self.host)
        return is_name and (
            self.origin.startswith("https://") or self.host == "localhost"
        )


@dataclass(frozen=True, kw_only=True)
class Factors:
    """What a person has."""

    passkeys: Sequence[Passkey]
    has_app: bool
    codes_left: int

    @property
    def any(self) -> bool:
        """Whether signing in asks for one."""
        return self.has_app or bool(self.passkeys)


def site_of(public_url: str) -> Site:
    """Return what passkeys of this address are bound to."""
    parts = urlsplit(public_url)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
    return Site(host=(parts.hostname or "").lower(), origin=origin)


def policy(chosen: SecondFactor | None, public_url: str) -> SecondFactor:
    """Return who must have a second factor.

    Without a choice: those who may see or change secrets, except on plain HTTP, where
    a trial runs on one machine and Zoom sends nothing.
    """
    if chosen is not None:
        return chosen
    is_https = public_url.startswith("https://")
    return SecondFactor.SECRETS if is_https else SecondFactor.NONE


def is_required(role: Role, who: SecondFactor) -> bool:
    """Whether people of this role must have one."""
    if who is SecondFactor.SECRETS:
        return any(may(role, permission) for permission in _GUARDED)
    return who is SecondFactor.EVERYONE


def of(session: Session, staff_id: UUID) -> Factors:
    """Return what the person has."""
    keys = select(Passkey).where(col(Passkey.staff_id) == staff_id)
    app = session.get(Authenticator, staff_id)
    codes = select(RecoveryCode.code_hash).where(col(RecoveryCode.staff_id) == staff_id)
    return Factors(
        passkeys=session.exec(keys.order_by(col(Passkey.created_at))).all(),
        has_app=app is not None and app.confirmed_at is not None,
        codes_left=len(session.exec(codes).all()),
    )


# Passkeys


def registration(session: Session, person: Staff, site: Site) -> tuple[str, str]:
    """Return a challenge and the options that the browser makes a passkey with."""
    known = of(session, person.id).passkeys
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=_ISSUER,
        user_id=person.id.bytes,
        user_name=person.email,
        exclude_credentials=[_descriptor(key) for key in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return bytes_to_base64url(options.challenge), webauthn.options_to_json(options)


def add_passkey(  # noqa: PLR0913 - the facts of one credential, all named
    session: Session,
    staff_id: UUID,
    credential: str,
    *,
    challenge: str,
    site: Site,
    name: str,
    now: datetime,
) -> Passkey:
    """Store the passkey that the browser made; the caller commits.

    Raises:
        InvalidInputError: It is not what was asked for.
        ConflictError: The person has very many, or this one is stored already.
    """
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _NO_ANSWER:
        raise InvalidInputError(
            "The browser's answer doesn't match this page. Nothing was stored. "
            "Try to add the passkey again."
        ) from None
    _spend(session, f"challenge {challenge}", now=now)
    known = of(session, staff_id).passkeys
    credential_id = bytes_to_base64url(made.credential_id)
    if len(known) >= MOST_PASSKEYS:
        raise ConflictError(
            f"You have {MOST_PASSKEYS} passkeys. Remove one before you add another."
        )
    taken = select(Passkey.id).where(col(Passkey.credential_id) == credential_id)
    if session.exec(taken).first() is not None:
        raise ConflictError("This passkey is stored already.")
    key = Passkey(
        staff_id=staff_id,
        credential_id=credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name.strip()[:60] or "Passkey",
        created_at=now,
    )
    session.add(key)
    session.flush()
    return key


def passkey_of(session: Session, staff_id: UUID, passkey_id: UUID) -> Passkey:
    """Return this passkey of the person.

    Raises:
        NotFoundError: There is none.
    """
    key = session.get(Passkey, passkey_id)
    if key is None or key.staff_id != staff_id:
        raise NotFoundError("passkey")
    return key


def rename(session: Session, key: Passkey, name: str) -> None:
    """Call a passkey something else; the caller commits."""
    key.name = name.strip()[:60] or key.name
    session.add(key)


def request(site: Site, passkeys: Sequence[Passkey] = ()) -> tuple[str, str]:
    """Return a challenge and the options that the browser signs it with.

    Args:
        site: What the passkeys are bound to.
        passkeys: Those that may answer; empty for any that the browser has.
    """
    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        allow_credentials=[_descriptor(key) for key in passkeys],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return bytes_to_base64url(options.challenge), webauthn.options_to_json(options)


def verify_passkey(
    session: Session, credential: str, *, challenge: str, site: Site, now: datetime
) -> Staff | None:
    """Return whose passkey signed the challenge, or None; the caller commits.

    The browser saw the person: a passkey is both something they have, and something
    they know or are.
    """
    try:
        answer = webauthn.helpers.parse_authentication_credential_json(credential)
        found = session.exec(
            select(Passkey)
            .where(col(Passkey.credential_id) == bytes_to_base64url(answer.raw_id))
            .with_for_update()
        ).first()
        if found is None:
            return None
        signed = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=found.public_key,
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
    except _NO_ANSWER:
        return None
    person = session.get(Staff, found.staff_id)
    if person is None or person.disabled_at:
        return None
    try:
        _spend(session, f"challenge {challenge}", now=now)
    except ConflictError:
        return None
    found.sign_count, found.last_used_at = signed.new_sign_count, now
    session.add(found)
    return person


# Codes of an authenticator app, and recovery codes


def new_app(session: Session, vault: Vault, staff_id: UUID, *, now: datetime) -> None:
    """Draw a secret for an authenticator app; the caller commits.

    It opens nothing before the person has typed a code of it.

    Raises:
        ConflictError: There is an app already.
    """
    app = session.get(Authenticator, staff_id, with_for_update=True)
    if app is not None and app.confirmed_at:
        raise ConflictError("An authenticator app is set up. Remove it first.")
    sealed = vault.seal_text(
        SecretStr(pyotp.random_base32()),
        table="authenticator",
        column="secret",
        row=staff_id,
    )
    app = app or Authenticator(staff_id=staff_id, secret=sealed, created_at=now)
    app.secret, app.created_at = sealed, now
    session.add(app)


def pending_app(
    session: Session, vault: Vault, person: Staff
) -> tuple[str, str] | None:
    """Return the secret to be entered in an app and its QR code as SVG, or None."""
    app = session.get(Authenticator, person.id)
    if app is None or app.confirmed_at:
        return None
    secret = _secret(vault, app)
    address = pyotp.TOTP(secret).provisioning_uri(
        name=person.email, issuer_name=_ISSUER
    )
    drawn = io.BytesIO()
    segno.make(address, error="m").save(
        drawn,
        kind="svg",
        scale=5,
        light="#fff",
        xmldecl=False,
        svgclass="qr",
        lineclass=None,
    )
    return secret, drawn.getvalue().decode()


def confirm_app(
    session: Session, vault: Vault, staff_id: UUID, code: str, *, now: datetime
) -> bool:
    """Whether the code is of the app that waits; it counts from now on.

    The caller commits.
    """
    app = session.get(Authenticator, staff_id, with_for_update=True)
    if app is None or app.confirmed_at or not _take(vault, app, code, now):
        return False
    app.confirmed_at = now
    session.add(app)
    return True


def verify_code(
    session: Session, vault: Vault, staff_id: UUID, typed: str, *, now: datetime
) -> Kind | None:
    """Return what the code is, which is spent with it, or None; the caller commits."""
    app = session.get(Authenticator, staff_id, with_for_update=True)
    if app is not None and app.confirmed_at and _take(vault, app, typed, now):
        session.add(app)
        return Kind.CODE
    spent = delete(RecoveryCode).where(
        col(RecoveryCode.staff_id) == staff_id,
        col(RecoveryCode.code_hash) == _code_hash(typed),
    )
    return Kind.RECOVERY if rows_changed(session.exec(spent)) else None


def new_recovery_codes(session: Session, staff_id: UUID, *, now: datetime) -> list[str]:
    """Return ten new codes, to be shown once; the former end. The caller commits."""
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.staff_id) == staff_id))
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(code_hash=_code_hash(code), staff_id=staff_id, created_at=now)
        for code in codes
    )
    return codes


def settle_added(
    session: Session, staff_id: UUID, session_id: str, kind: Kind, *, now: datetime
) -> list[str]:
    """Let the session in which a second factor was added count as proved with it.

    With the first one the person's other sessions end, which were begun without, and
    ten recovery codes are made: returned, to be shown once. The caller commits.
    """
    sessions.note_proof(session, session_id, second_factor=kind, now=now)
    has = of(session, staff_id)
    if len(has.passkeys) + has.has_app == 1:
        sessions.end_others(session, staff_id, session_id)
    if has.codes_left:
        return []
    return new_recovery_codes(session, staff_id, now=now)


def remove(
    session: Session, staff_id: UUID, passkey: Passkey | None, *, is_required: bool
) -> None:
    """Remove a passkey, or the authenticator app for None; the caller commits.

    Recovery codes go with the last of them.

    Raises:
        ConflictError: It is the last one of a person who must have one.
    """
    has = of(session, staff_id)
    left = len(has.passkeys) + has.has_app - 1
    if left < 1 and is_required:
        raise ConflictError(
            "This is your only second factor, and your role needs one. "
            "Add another one first."
        )
    gone = passkey or session.get(Authenticator, staff_id)
    if gone is not None:
        session.delete(gone)
    if left < 1:
        session.exec(delete(RecoveryCode).where(col(RecoveryCode.staff_id) == staff_id))


def remove_all(session: Session, staff_id: UUID) -> None:
    """Remove every second factor: the person sets up new ones; the caller commits."""
    for model in (Passkey, Authenticator, RecoveryCode):
        session.exec(delete(model).where(col(model.staff_id) == staff_id))


def tries(staff_id: UUID) -> str:
    """Name what wrong codes are counted for."""
    return f"second factor {staff_id}"


def count_try(session: Session, staff_id: UUID, *, now: datetime) -> None:
    """Count a code before it is verified; the caller commits.

    Raises:
        throttle.TooSoonError: Too many were wrong; says how long to wait.
    """
    throttle.take_turn(session, {tries(staff_id): FREE_TRIES}, now=now)


def forget_expired(database: Database, clock: Clock) -> int:
    """Delete spent proofs and links that expired: the worker's chore; commits."""
    now = clock.now()
    models = (SpentProof, StaffLink)
    with database.reading() as session:
        old = [
            session.exec(select(model).where(col(model.expires_at) <= now)).first()
            for model in models
        ]
    if not any(old):
        return 0
    with database.writing() as session:
        return sum(
            rows_changed(
                session.exec(delete(model).where(col(model.expires_at) <= now))
            )
            for model in models
        )


def spend_step(session: Session, step: str, *, now: datetime) -> None:
    """Spend a step of signing in: its copy opens nothing; the caller commits.

    Raises:
        ConflictError: It was spent before.
    """
    _spend(session, f"step {step}", now=now)


def _spend(session: Session, what: str, *, now: datetime) -> None:
    key = hashlib.sha256(what.encode()).hexdigest()
    statement = (
        insert(session, SpentProof)
        .values({"key": key, "expires_at": now + 2 * CHALLENGE_LASTS})
        .on_conflict_do_nothing()
    )
    if not rows_changed(session.exec(statement)):
        raise ConflictError("This was used before. Start again.")


def _descriptor(key: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential_id))


def _secret(vault: Vault, app: Authenticator) -> str:
    opened = vault.open_text(
        app.secret, table="authenticator", column="secret", row=app.staff_id
    )
    return opened.get_secret_value()


def _take(vault: Vault, app: Authenticator, typed: str, now: datetime) -> bool:
    """Whether the code is of now, a step before or after, and of no step taken."""
    code = _SPACES.sub("", typed)
    totp = pyotp.TOTP(_secret(vault, app))
    step = int(now.timestamp()) // _STEP_S
    for one in (step - 1, step, step + 1):
        if one > app.last_step and secrets.compare_digest(
            totp.at(one * _STEP_S).encode(), code.encode(errors="replace")
        ):
            app.last_step = one
            return True
    return False


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _code_hash(typed: str) -> str:
    plain = _SPACES.sub("", typed).lower()
    return hashlib.sha256(plain.encode(errors="replace")).hexdigest()
