"""Links with which a person chooses a password: for a new account, and for a reset.

The link has the secret, the database its hash. It works once, for a day.
"""

import secrets
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlmodel import Session, col, delete, select

from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.staff import Staff, StaffLink
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.staff import accounts, passwords, sessions

LASTS = timedelta(hours=24)


def make(session: Session, person: Staff, *, actor: Actor, now: datetime) -> SecretStr:
    """Return the secret of a new link; a former link of the person ends.

    The caller commits.

    Raises:
        ConflictError: The account is deactivated.
        ForbiddenError: An admin makes an auditor's.
    """
    accounts.require_may_manage(person.role, actor)
    if person.disabled_at:
        raise ConflictError("This account is deactivated. Reactivate it first.")
    secret = secrets.token_urlsafe(32)
    former = delete(StaffLink).where(col(StaffLink.staff_id) == person.id)
    session.exec(former)
    session.add(
        StaffLink(
            staff_id=person.id,
            secret_hash=sessions.hashed(secret),
            created_at=now,
            expires_at=now + LASTS,
        )
    )
    audit.record(session, actor, "staff.link_made", subject=person.email, now=now)
    return SecretStr(secret)


def find(session: Session, secret: str, *, now: datetime) -> Staff:
    """Return whose link this is.

    Raises:
        NotFoundError: It was used, replaced or has expired, or there is no such link.
    """
    query = (
        select(Staff)
        .join(StaffLink, col(StaffLink.staff_id) == col(Staff.id))
        .where(
            col(StaffLink.secret_hash) == sessions.hashed(secret),
            col(StaffLink.expires_at) > now,
            col(Staff.disabled_at).is_(None),
        )
    )
    person = session.exec(query).first()
    if person is None:
        raise NotFoundError("link")
    return person


def use(
    database: Database,
    secret: str,
    password: SecretStr,
    *,
    address: str,
    now: datetime,
) -> Staff:
    """Give the person this password and spend the link; commits.

    Ends every session of the person.

    Raises:
        NotFoundError: As `find`; another use was faster.
        InvalidInputError: The password cannot be taken.
    """
    with database.reading() as session:
        person = find(session, secret, now=now)
    passwords.require_good(password, email=person.email)
    hashed = passwords.hashed(password)
    with database.writing() as session:
        person = find(session, secret, now=now)
        spent = delete(StaffLink).where(
            col(StaffLink.secret_hash) == sessions.hashed(secret)
        )
        if not rows_changed(session.exec(spent)):
            raise NotFoundError("link")
        accounts.take_password(session, person, hashed)
        actor = Actor(name=person.email, staff_id=person.id, address=address)
        audit.record(session, actor, "staff.link_used", subject=person.email, now=now)
    return person
