"""Accounts of the people who sign in: add, find, sign in, change."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from pydantic import SecretStr
from sqlmodel import Session, col, func, select

from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.staff import Role, Staff
from dashboard.services import throttle

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
LONGEST_EMAIL = 254

PASSWORD_HASHER = PasswordHasher()
"""Argon2id with the costs that its library recommends."""

_hasher = PASSWORD_HASHER
# Verified against when the email is unknown, so that knowing one costs a guesser
# as much time as not knowing it.
_unknown_hash = _hasher.hash("nobody has this password")


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


def add(
    session: Session, *, email: str, role: Role, password: SecretStr, now: datetime
) -> Staff:
    """Add a person; the caller commits.

    Raises:
        InvalidInputError: The e-mail or the password cannot be taken.
        ConflictError: The e-mail is there already.
    """
    address = normal_email(email)
    if find_by_email(session, address) is not None:
        raise ConflictError(f"There is already an account for {address}.")
    person = Staff(
        email=address, role=role, password_hash=_hash(password), created_at=now
    )
    session.add(person)
    session.flush()
    return person


def find_by_email(session: Session, email: str) -> Staff | None:
    """Return the person with this email, in any letter case."""
    query = select(Staff).where(col(Staff.email) == email.strip().lower())
    return session.exec(query).first()


def find(session: Session, staff_id: UUID) -> Staff | None:
    """Return the person, or None."""
    return session.get(Staff, staff_id)


def get(session: Session, staff_id: UUID) -> Staff:
    """Return the person.

    Raises:
        NotFoundError: There is none.
    """
    person = session.get(Staff, staff_id)
    if person is None:
        raise NotFoundError("person")
    return person


def epochs(session: Session, staff_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the session epochs of those of these people who may be signed in.

    A session of another epoch has ended.
    """
    rows = session.exec(
        select(Staff.id, Staff.session_epoch).where(
            col(Staff.id).in_(list(staff_ids)), col(Staff.disabled_at).is_(None)
        )
    )
    return dict(rows.all())


def list_all(session: Session) -> Sequence[Staff]:
    """Return everyone, by email."""
    return session.exec(select(Staff).order_by(col(Staff.email))).all()


def sign_in(
    session: Session, *, email: str, password: SecretStr, address: str, now: datetime
) -> Staff | None:
    """Return the person whose password this is, or None; the caller commits.

    Counts failed tries for the email and for the address, and refuses every password
    once either is spent. Costs one hash whether or not the email is known.

    Raises:
        ConflictError: Too many tries; says when to try again.
    """
    subjects = [f"sign-in e-mail {email.strip().lower()}", f"sign-in from {address}"]
    limits = [throttle.SIGN_IN_TRIES, throttle.SIGN_IN_TRIES * 5]
    for subject, limit in zip(subjects, limits, strict=True):
        if throttle.is_spent(session, subject, limit=limit, now=now):
            raise ConflictError(
                "Too many attempts. Wait 15 minutes, or ask an admin to reset the "
                "password with `dashboard staff reset-password`."
            )
    person = find_by_email(session, email)
    known = _unknown_hash if person is None else person.password_hash
    if not _matches(known, password) or person is None or person.disabled_at:
        for subject in subjects:
            throttle.count(session, subject, now=now)
        return None
    if _hasher.check_needs_rehash(person.password_hash):
        person.password_hash = _hash(password)
    person.last_sign_in_at = now
    session.add(person)
    throttle.forget(session, subjects[0])
    return person


def set_password(session: Session, person: Staff, password: SecretStr) -> None:
    """Change the password and end every session of the person; the caller commits.

    Raises:
        InvalidInputError: The password cannot be taken.
    """
    person.password_hash = _hash(password)
    person.session_epoch += 1
    throttle.forget(session, f"sign-in e-mail {person.email}")
    session.add(person)


def set_role(session: Session, person: Staff, role: Role) -> None:
    """Change the role and end the person's sessions; the caller commits.

    Raises:
        ConflictError: It would leave no admin.
    """
    if role is not Role.ADMIN:
        _require_another_admin(session, person)
    person.role = role
    person.session_epoch += 1
    session.add(person)


def disable(session: Session, person: Staff, *, now: datetime) -> None:
    """Deactivate the account; the caller commits.

    Raises:
        ConflictError: It would leave no admin.
    """
    _require_another_admin(session, person)
    person.disabled_at = now
    person.session_epoch += 1
    session.add(person)


def enable(session: Session, person: Staff) -> None:
    """Reactivate the account; the caller commits."""
    person.disabled_at = None
    session.add(person)


def _require_another_admin(session: Session, person: Staff) -> None:
    others = select(func.count()).where(
        col(Staff.role) == Role.ADMIN,
        col(Staff.disabled_at).is_(None),
        col(Staff.id) != person.id,
    )
    if person.role is Role.ADMIN and session.exec(others).one() == 0:
        raise ConflictError("This is the only admin. Add another admin first.")


def _hash(password: SecretStr) -> str:
    text = password.get_secret_value()
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise InvalidInputError(
            f"Use a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.",
            field="password",
        )
    return _hasher.hash(text)


def _matches(known: str, password: SecretStr) -> bool:
    try:
        return _hasher.verify(known, password.get_secret_value()[:LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
