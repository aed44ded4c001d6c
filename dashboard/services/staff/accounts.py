"""Accounts of the people who sign in: add, find, sign in, change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from dashboard.db import Database
from dashboard.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from dashboard.models.staff import Role, Staff, StaffLink, StaffZoomApp
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit, throttle
from dashboard.services.audit import Actor
from dashboard.services.staff import passwords, sessions
from dashboard.services.staff.permissions import APPOINTED_BY_ADMINS, LIMITABLE

LONGEST_EMAIL = 254

EMAIL_TRIES, ADDRESS_TRIES = 5, 20
"""How many wrong passwords need no wait: for an account, and from an address."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A password that was right.

    Attributes:
        subjects: What the try was counted for.
        password_hash: What it was verified against.
        renewed_hash: The same at today's costs.
    """

    staff_id: UUID
    subjects: tuple[str, ...]
    password_hash: str = field(repr=False)
    renewed_hash: str = field(repr=False)


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
    password: SecretStr | None,
    actor: Actor,
    now: datetime,
    zoom_apps: Collection[UUID] = (),
) -> Staff:
    """Add a person, who chooses a password by link when none is given; commits.

    The person is limited to these zoom apps, if there are any.

    Raises:
        InvalidInputError: The e-mail or the password cannot be taken.
        ConflictError: The e-mail is there already.
        ForbiddenError: An admin adds an auditor.
    """
    require_may_manage(role, actor)
    _require_limitable(role, zoom_apps)
    address = normal_email(email)
    person = Staff(
        email=address,
        role=role,
        password_hash=passwords.NONE_YET
        if password is None
        else _good(password, email=address),
        created_at=now,
    )
    with database.writing() as session:
        session.add(person)
        try:
            session.flush()
        except IntegrityError:
            raise ConflictError(f"There is already an account for {address}.") from None
        _store_limits(session, person, zoom_apps)
        subject = f"{address} as {role}{limits_words(session, zoom_apps)}"
        audit.record(session, actor, "staff.added", subject=subject, now=now)
    return person


def find_by_email(session: Session, email: str) -> Staff | None:
    """Return the person with this email, in any letter case."""
    query = select(Staff).where(col(Staff.email) == email.strip().lower())
    return session.exec(query).first()


def known_email(database: Database, typed: str) -> str:
    """Return what was typed if it is an account's email, else "".

    For the audit log: anything else may be a password in the wrong box.
    """
    with database.reading() as session:
        person = find_by_email(session, typed)
    return person.email if person is not None else ""


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


def verify(  # noqa: PLR0913 - the facts of one try, all named
    database: Database,
    *,
    email: str,
    password: SecretStr,
    address: str,
    now: datetime,
    browser: str = "",
) -> Verified | None:
    """Return whose password this is, or None; commits the try before it verifies.

    Costs one hash whether or not the email is known.

    Args:
        database: Where the tries are counted.
        email: As it was typed.
        password: As it was typed.
        address: Where the try came from.
        now: The time.
        browser: One in which this person signed in before. Its tries are counted by
            themselves: whatever others try elsewhere keeps nobody out of it
            (docs/decisions/0019-known-browsers.md).

    Raises:
        TooSoonError: Too many tries went wrong; says how long to wait.
        ConflictError: Too many at this moment.
    """
    subjects = (
        {_of_browser(browser): EMAIL_TRIES}
        if browser
        else {_of_email(email): EMAIL_TRIES, _of_address(address): ADDRESS_TRIES}
    )
    with database.writing() as session:
        throttle.take_turn(session, subjects, now=now)
        person = find_by_email(session, email)
    known = passwords.NONE_YET if person is None else person.password_hash
    renewed = passwords.verified(known, password)
    if renewed is None or person is None or person.disabled_at:
        return None
    return Verified(
        staff_id=person.id,
        subjects=tuple(subjects),
        password_hash=known,
        renewed_hash=renewed,
    )


def accept(session: Session, verified: Verified) -> Staff | None:
    """Return the person whose password was right; the caller commits.

    None when the password or the account was changed since it was verified.
    """
    person = session.get(Staff, verified.staff_id, with_for_update=True)
    if (
        person is None
        or person.disabled_at
        or person.password_hash != verified.password_hash
    ):
        return None
    person.password_hash = verified.renewed_hash
    session.add(person)
    for subject in verified.subjects:
        if subject == _of_email(person.email) or len(verified.subjects) == 1:
            throttle.forget(session, subject)
        else:
            throttle.give_back(session, subject)
    return person


def require_unchanged(session: Session, person: Staff) -> None:
    """Refuse a person whose account was changed since it was read.

    Raises:
        ConflictError: It was deactivated, or has another password.
    """
    found = session.get(Staff, person.id, with_for_update=True)
    if (
        found is None
        or found.disabled_at
        or found.password_hash != person.password_hash
    ):
        raise ConflictError("This account was just changed. Sign in again.")


def verify_own(
    database: Database, staff_id: UUID, password: SecretStr, *, now: datetime
) -> bool:
    """Whether this is the password of the person signed in; commits the try.

    Raises:
        TooSoonError: Too many were wrong; says how long to wait.
        ConflictError: Too many at this moment.
    """
    subject = f"own password {staff_id}"
    with database.writing() as session:
        throttle.take_turn(session, {subject: EMAIL_TRIES}, now=now)
        known = get(session, staff_id).password_hash
    if passwords.verified(known, password) is None:
        return False
    with database.writing() as session:
        throttle.forget(session, subject)
    return True


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
        ForbiddenError: An admin resets an auditor's.
    """
    with database.reading() as session:
        email = get(session, staff_id).email
    hashed = _good(password, email=email)
    with database.writing() as session:
        person = get(session, staff_id)
        require_may_manage(person.role, actor)
        take_password(session, person, hashed)
        audit.record(
            session, actor, "staff.password_set", subject=person.email, now=now
        )
    return person


def change_own_password(  # noqa: PLR0913 - the facts of one change, all named
    database: Database,
    staff_id: UUID,
    password: SecretStr,
    *,
    session_id: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Change the password and end the person's other sessions; commits.

    Raises:
        InvalidInputError: The password cannot be taken.
    """
    with database.reading() as session:
        email = get(session, staff_id).email
    hashed = _good(password, email=email)
    with database.writing() as session:
        person = get(session, staff_id)
        person.password_hash = hashed
        session.add(person)
        sessions.end_others(session, staff_id, session_id)
        sessions.note_proof(session, session_id, now=now)
        _end_link(session, staff_id)
        audit.record(session, actor, "staff.password_changed", subject="", now=now)


def take_password(session: Session, person: Staff, hashed: str) -> None:
    """Store a new password's hash and end the person's sessions; the caller commits."""
    person.password_hash = hashed
    session.add(person)
    sessions.end_all(session, person.id)
    _end_link(session, person.id)
    throttle.forget(session, _of_email(person.email))


def unlock(
    database: Database,
    *,
    email: str = "",
    address: str = "",
    actor: Actor,
    now: datetime,
) -> None:
    """Let the next try come at once, for an account or an address; commits."""
    subjects = [_of_email(email)] if email else []
    subjects += [_of_address(address)] if address else []
    with database.writing() as session:
        person = find_by_email(session, email) if email else None
        if person is not None:
            require_may_manage(person.role, actor)
            subjects += [f"own password {person.id}", f"second factor {person.id}"]
        for subject in subjects:
            throttle.forget(session, subject)
        about = " and ".join(filter(None, (email.strip().lower(), address)))
        audit.record(session, actor, "staff.unlocked", subject=about, now=now)


def require_may_manage(role: Role, actor: Actor) -> None:
    """Refuse whoever is signed in what concerns an auditor's account.

    Whatever makes, changes, resets, disables or signs out an account asks this with
    the role that it has, and with the role that it gets.

    Raises:
        ForbiddenError: Only the command line may.
    """
    if actor.staff_id is not None and role not in APPOINTED_BY_ADMINS:
        raise ForbiddenError(
            "Auditors are independent of admins: no signed-in person can add or "
            "change one. Use `dashboard staff` on the server. Nothing was changed."
        )


def set_role(session: Session, person: Staff, role: Role, *, actor: Actor) -> None:
    """Change the role and end the person's sessions; the caller commits.

    Raises:
        ConflictError: It would leave no admin.
        ForbiddenError: An admin makes or changes an auditor.
    """
    require_may_manage(person.role, actor)
    require_may_manage(role, actor)
    if role is not Role.ADMIN:
        _require_another_admin(session, person)
    person.role = role
    if role not in LIMITABLE:
        _store_limits(session, person, ())
    session.add(person)
    sessions.end_all(session, person.id)


def limit(
    session: Session, person: Staff, zoom_apps: Collection[UUID], *, actor: Actor
) -> None:
    """Limit the person to these zoom apps, none: to all; the caller commits.

    Ends the person's sessions.

    Raises:
        ForbiddenError: An admin limits an auditor.
        InvalidInputError: People of this role can't be limited.
    """
    require_may_manage(person.role, actor)
    _require_limitable(person.role, zoom_apps)
    _store_limits(session, person, zoom_apps)
    sessions.end_all(session, person.id)


def limited(session: Session) -> dict[UUID, list[str]]:
    """Return the names of the zoom apps of everyone who is limited to some."""
    found: dict[UUID, list[str]] = {}
    query = (
        select(StaffZoomApp.staff_id, ZoomApp.name)
        .join(ZoomApp, col(ZoomApp.id) == col(StaffZoomApp.zoom_app_id))
        .order_by(col(ZoomApp.name))
    )
    for staff_id, name in session.exec(query):
        found.setdefault(staff_id, []).append(name)
    return found


def limits_words(session: Session, zoom_apps: Collection[UUID]) -> str:
    """Return ", limited to A, B" for the audit log; "" without limits."""
    query = select(ZoomApp.name).where(col(ZoomApp.id).in_(list(zoom_apps)))
    names = session.exec(query.order_by(col(ZoomApp.name))).all() if zoom_apps else ()
    return f", limited to {', '.join(names)}" if names else ""


def limits_of(session: Session, person: Staff) -> frozenset[UUID] | None:
    """Return the zoom apps that the person is limited to; None: to all."""
    if not person.is_limited or person.role not in LIMITABLE:
        return None
    query = select(StaffZoomApp.zoom_app_id).where(
        col(StaffZoomApp.staff_id) == person.id
    )
    return frozenset(session.exec(query))


def _require_limitable(role: Role, zoom_apps: Collection[UUID]) -> None:
    if zoom_apps and role not in LIMITABLE:
        raise InvalidInputError(
            f"An {role} sees every zoom app. Choose no zoom apps, or another role.",
            field="zoom_apps",
        )


def _store_limits(session: Session, person: Staff, zoom_apps: Collection[UUID]) -> None:
    session.exec(delete(StaffZoomApp).where(col(StaffZoomApp.staff_id) == person.id))
    session.add_all(
        StaffZoomApp(staff_id=person.id, zoom_app_id=one) for one in zoom_apps
    )
    person.is_limited = bool(zoom_apps)
    session.add(person)


def disable(session: Session, person: Staff, *, actor: Actor, now: datetime) -> None:
    """Deactivate the account; the caller commits.

    Raises:
        ConflictError: It would leave no admin.
        ForbiddenError: An admin disables an auditor.
    """
    require_may_manage(person.role, actor)
    _require_another_admin(session, person)
    person.disabled_at = now
    session.add(person)
    sessions.end_all(session, person.id)
    _end_link(session, person.id)


def enable(session: Session, person: Staff, *, actor: Actor) -> None:
    """Reactivate the account; the caller commits.

    Raises:
        ForbiddenError: An admin reactivates an auditor.
    """
    require_may_manage(person.role, actor)
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


def _end_link(session: Session, staff_id: UUID) -> None:
    session.exec(delete(StaffLink).where(col(StaffLink.staff_id) == staff_id))


def _of_email(email: str) -> str:
    """Name what tries for an account are counted for."""
    return f"sign-in e-mail {email.strip().lower()}"


def _of_address(address: str) -> str:
    return f"sign-in from {throttle.network(address)}"


def _of_browser(browser: str) -> str:
    return f"sign-in in browser {browser}"


def _good(password: SecretStr, *, email: str) -> str:
    passwords.require_good(password, email=email)
    return passwords.hashed(password)
