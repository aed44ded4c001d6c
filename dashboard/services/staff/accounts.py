"""Accounts of the people who sign in: add, find, sign in, change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from dashboard import transactions
from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.staff import Role, Staff
from dashboard.services import audit, throttle
from dashboard.services.audit import Actor
from dashboard.services.staff import sessions

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254

PASSWORD_HASHER = PasswordHasher()
"""Argon2id with the costs that its library recommends."""

_LIMITS = (throttle.SIGN_IN_TRIES, throttle.SIGN_IN_TRIES * 5)
_verifying = BoundedSemaphore(2)
"""Each verification takes 64 MB and a core; strangers decide how many are asked for."""

_VERIFY_WAIT_S = 5.0
_hasher = PASSWORD_HASHER
# Verified against when the email is unknown, so that knowing one costs a guesser
# as much time as not knowing it.
_unknown_hash = _hasher.hash("nobody has this password")


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A password that was right.

    Attributes:
        password_hash: What it was verified against.
        renewed_hash: The same at today's costs.
    """

    staff_id: UUID
    address: str
    password_hash: str = field(repr=False)
    renewed_hash: str = field(repr=False)


def hash_with(hasher: PasswordHasher) -> None:
    """Hash passwords at other costs from now on, in this process."""
    global _hasher, _unknown_hash  # noqa: PLW0603 - one for the process
    _hasher = hasher
    _unknown_hash = hasher.hash("nobody has this password")


def normal_email(text: str) -> str:
    """Return the email in the form that is stored.

    Raises:
        InvalidInputError: It is no e-mail address.
    """
    typed = text.strip()
    if len(typed) > LONGEST_EMAIL:  # nothing that long is looked into
        raise InvalidInputError("This is not an email address.", field="email")
    try:
        found = validate_email(typed, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise InvalidInputError(
            "This is not an email address.", field="email"
        ) from None
    return found.normalized.lower()


def add(  # noqa: PLR0913 - the facts of one account, all named
    database: Database,
    *,
    email: str,
    role: Role,
    password: SecretStr,
    actor: Actor,
    now: datetime,
) -> Staff:
    """Add a person; commits.

    Raises:
        InvalidInputError: The e-mail or the password cannot be taken.
        ConflictError: The e-mail is there already.
    """
    address = normal_email(email)
    person = Staff(
        email=address, role=role, password_hash=_hash(password), created_at=now
    )
    with database.writing() as session:
        session.add(person)
        try:
            session.flush()
        except IntegrityError:
            raise ConflictError(f"There is already an account for {address}.") from None
        subject = f"{address} as {role}"
        audit.record(session, actor, "staff.added", subject=subject, now=now)
    return person


def find_by_email(session: Session, email: str) -> Staff | None:
    """Return the person with this email, in any letter case."""
    query = select(Staff).where(col(Staff.email) == email.strip().lower())
    return session.exec(query).first()


def get(session: Session, staff_id: UUID) -> Staff:
    """Return the person.

    Raises:
        NotFoundError: There is none.
    """
    person = session.get(Staff, staff_id)
    if person is None:
        raise NotFoundError("person")
    return person


def list_all(session: Session) -> Sequence[Staff]:
    """Return everyone, by email."""
    return session.exec(select(Staff).order_by(col(Staff.email))).all()


def verify(
    database: Database, *, email: str, password: SecretStr, address: str, now: datetime
) -> Verified | None:
    """Return whose password this is, or None; commits the try before it verifies.

    Counts tries for the email and for the address, and refuses every password once
    either is spent: of many at once no more than the limit are verified. Costs one
    hash whether or not the email is known.

    Raises:
        ConflictError: Too many tries, in all or at this moment; says when to try again.
    """
    subjects = _subjects(email, address)
    with database.writing() as session:
        for subject, limit in zip(subjects, _LIMITS, strict=True):
            if throttle.is_spent(session, subject, limit=limit, now=now):
                raise ConflictError(
                    "Too many attempts. Wait 15 minutes, or ask an admin to reset the "
                    "password with `dashboard staff reset-password`."
                )
        for subject in subjects:
            throttle.count(session, subject, now=now)
        person = find_by_email(session, email)
    if not _verifying.acquire(timeout=_VERIFY_WAIT_S):
        raise ConflictError("Many people are signing in. Try again in a moment.")
    try:
        known = _unknown_hash if person is None else person.password_hash
        if not _matches(known, password) or person is None or person.disabled_at:
            return None
        is_old = _hasher.check_needs_rehash(known)
        renewed = _hash(password) if is_old else known
    finally:
        _verifying.release()
    return Verified(
        staff_id=person.id, address=address, password_hash=known, renewed_hash=renewed
    )


def sign_in(session: Session, verified: Verified, *, now: datetime) -> Staff | None:
    """Return the person, signed in; the caller commits.

    None when the password or the account was changed since it was verified.
    """
    person = session.get(Staff, verified.staff_id, with_for_update=True)
    if (
        person is None
        or person.disabled_at
        or person.password_hash != verified.password_hash
    ):
        return None
    person.password_hash, person.last_sign_in_at = verified.renewed_hash, now
    session.add(person)
    by_email, by_address = _subjects(person.email, verified.address)
    throttle.forget(session, by_email)
    throttle.give_back(session, by_address)
    return person


def set_password(
    database: Database,
    staff_id: UUID,
    password: SecretStr,
    *,
    actor: Actor,
    now: datetime,
) -> Staff:
    """Change the password and end every session of the person; commits.

    Raises:
        NotFoundError: There is no such person.
        InvalidInputError: The password cannot be taken.
    """
    hashed = _hash(password)
    with database.writing() as session:
        person = get(session, staff_id)
        person.password_hash = hashed
        session.add(person)
        sessions.end_all(session, person.id)
        throttle.forget(session, _subjects(person.email, "")[0])
        audit.record(
            session, actor, "staff.password_set", subject=person.email, now=now
        )
    return person


def set_role(session: Session, person: Staff, role: Role) -> None:
    """Change the role and end the person's sessions; the caller commits.

    Raises:
        ConflictError: It would leave no admin.
    """
    if role is not Role.ADMIN:
        _require_another_admin(session, person)
    person.role = role
    session.add(person)
    sessions.end_all(session, person.id)


def disable(session: Session, person: Staff, *, now: datetime) -> None:
    """Deactivate the account; the caller commits.

    Raises:
        ConflictError: It would leave no admin.
    """
    _require_another_admin(session, person)
    person.disabled_at = now
    session.add(person)
    sessions.end_all(session, person.id)


def enable(session: Session, person: Staff) -> None:
    """Reactivate the account; the caller commits."""
    person.disabled_at = None
    session.add(person)


def _require_another_admin(session: Session, person: Staff) -> None:
    # Locked until the caller commits: of two admins who demote each other at once the
    # second sees what the first did.
    admins = session.exec(
        select(Staff)
        .where(col(Staff.role) == Role.ADMIN, col(Staff.disabled_at).is_(None))
        .order_by(col(Staff.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if [admin.id for admin in admins] == [person.id]:
        raise ConflictError("This is the only admin. Add another admin first.")


def _subjects(email: str, address: str) -> tuple[str, str]:
    """Name what tries are counted for."""
    return (
        f"sign-in e-mail {email.strip().lower()}",
        f"sign-in from {throttle.network(address)}",
    )


def _hash(password: SecretStr) -> str:
    text = password.get_secret_value()
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise InvalidInputError(
            f"Use a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.",
            field="password",
        )
    transactions.require_none("hashing a password")
    return _hasher.hash(text)


def _matches(known: str, password: SecretStr) -> bool:
    transactions.require_none("verifying a password")
    try:
        return _hasher.verify(known, password.get_secret_value()[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
