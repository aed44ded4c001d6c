"""Which account a person of the identity provider has, and with which role.

Accounts are found by issuer and subject, never by email: whoever can choose their email
at the provider must not choose their account here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from dashboard.clients.oidc.provider import (
    Identity,
    IdentityProvider,
    SingleSignOnError,
    claim_values,
)
from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, SettingsError
from dashboard.models.staff import Role, Staff
from dashboard.models.staff_identity import StaffIdentity
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.staff import accounts, passwords, sessions
from dashboard.settings import Settings, parse_role_map

CALLBACK_PATH = "/sign-in/sso/callback"
"""Below the public URL: the redirect URL to register at the provider."""

SECOND_FACTOR = "single sign-on"
"""What a session says of its second factor: the provider asked for it, or not."""

_LONGEST_SUBJECT = 255
_USUAL_NAME = "Sign in with single sign-on"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Who may come in by the identity provider.

    Attributes:
        name: What the button says.
        roles: Which claim value gives which role; the first that a person has counts.
            Empty: the provider gives no roles, and only linked accounts come in.
        domains: Of email addresses; empty for any.
        is_only: Whether passwords are refused.
    """

    name: str
    role_claim: str
    roles: Sequence[tuple[str, Role]]
    domains: frozenset[str]
    is_only: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say.

        Raises:
            SettingsError: The role map names a role that does not exist.
        """
        pairs = parse_role_map(settings.oidc_role_map)
        if not {role for _, role in pairs} <= set(Role):
            raise SettingsError(
                "DASHBOARD_OIDC_ROLE_MAP: a role in it does not exist; there are "
                f"{', '.join(Role)}"
            )
        return cls(
            name=settings.oidc_name or _USUAL_NAME,
            role_claim=settings.oidc_role_claim,
            roles=[(value, Role(role)) for value, role in pairs],
            domains=settings.email_domains,
            is_only=settings.oidc_only,
        )


@dataclass(frozen=True, kw_only=True)
class SingleSignOn:
    """The identity provider, and who may come in by it."""

    policy: Policy
    provider: IdentityProvider

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return what the settings say; None without single sign-on.

        Raises:
            SettingsError: The role map names a role that does not exist.
        """
        secret = settings.oidc_client_secret
        if settings.oidc_issuer is None or secret is None:
            return None
        provider = IdentityProvider(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=secret,
            role_claim=settings.oidc_role_claim,
        )
        return cls(policy=Policy.of(settings), provider=provider)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Somebody who came back from the identity provider.

    Attributes:
        address: Where the browser is.
        user_agent: What it calls itself.
        former: The session that it had, which ends; None for none.
    """

    policy: Policy
    identity: Identity
    address: str
    user_agent: str
    former: str | None
    now: datetime

    @property
    def role(self) -> Role | None:
        """The role that the provider gives; None for none."""
        has = set(claim_values(self.identity.claims, self.policy.role_claim))
        return next((role for value, role in self.policy.roles if value in has), None)

    def record(self, session: Session, act: str, subject: str) -> None:
        """Add to the audit log what the provider decides; the caller commits."""
        provider = Actor(name="identity provider", address=self.address)
        audit.record(session, provider, act, subject=subject, now=self.now)


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    cause: str
    message: str


class _CreatedMeanwhileError(Exception):
    """The account was committed between two questions of one transaction."""


def sign_in(database: Database, arrival: Arrival) -> str:
    """Return the secret of a new session; commits, the refusals too.

    The role is what the provider says today: of somebody who has none any more the
    account is disabled and every session ends, the only admin's too, because the
    provider decides. `dashboard staff` is the way back in.

    Raises:
        SingleSignOnError: They may not come in: one sentence that says why.
    """
    try:
        outcome = _decide(database, arrival)
    except (IntegrityError, _CreatedMeanwhileError):  # in another window of theirs
        outcome = _decide(database, arrival)
    if isinstance(outcome, _Refusal):
        raise SingleSignOnError(outcome.cause, outcome.message)
    return outcome


def link(
    session: Session, person: Staff, *, issuer: str, subject: str, now: datetime
) -> None:
    """Have the account be this person's at the provider; the caller commits.

    Raises:
        InvalidInputError: The subject is empty or too long.
        ConflictError: The person at the provider has another account.
    """
    issuer, subject = issuer.rstrip("/"), subject.strip()
    if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise InvalidInputError(
            "Enter the person's subject (sub) at the identity provider, at most 255 "
            "characters.",
            field="subject",
        )
    known = _identity(session, issuer, subject)
    if known is not None and known.staff_id != person.id:
        raise ConflictError(
            "This person at the identity provider is linked to another account. "
            "Unlink them there first."
        )
    if known is None:
        session.add(
            StaffIdentity(
                staff_id=person.id, issuer=issuer, subject=subject, linked_at=now
            )
        )
        session.flush()


def link_own(
    session: Session, person: Staff, arrival: Arrival, *, actor: Actor
) -> None:
    """Link the account to who just came back from the provider; the caller commits.

    Raises:
        SingleSignOnError: The next sign-in by the provider would be refused.
        ConflictError: The person at the provider has another account.
    """
    refusal = _refusal_of_anybody(arrival)
    if refusal is not None:
        raise SingleSignOnError(refusal.cause, refusal.message)
    identity, now = arrival.identity, arrival.now
    link(session, person, issuer=identity.issuer, subject=identity.subject, now=now)
    said = f"{person.email} to {identity.subject}"
    audit.record(session, actor, "staff.linked", subject=said, now=now)


def unlink_own(  # noqa: PLR0913 - the facts of one change, all named
    session: Session,
    person: Staff,
    *,
    session_id: str,
    has_another_way: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """Undo every link of the account; the caller commits.

    Ends the person's other sessions. This one no longer counts as one with the
    provider's second factor.

    Raises:
        ConflictError: No way in would be left.
    """
    if not has_another_way:
        raise ConflictError(
            "The identity provider is your only way to sign in, so the link was kept. "
            "Add a passkey first, or ask an admin for a link to choose a password."
        )
    links = identities(session, person.id)
    if not links:
        return
    session.exec(delete(StaffIdentity).where(col(StaffIdentity.staff_id) == person.id))
    sessions.end_others(session, person.id, session_id)
    sessions.forget_second_factor(session, session_id, SECOND_FACTOR)
    said = f"{person.email} from {', '.join(each.subject for each in links)}"
    audit.record(session, actor, "staff.unlinked", subject=said, now=now)


def is_theirs(session: Session, staff_id: UUID, identity: Identity) -> bool:
    """Whether the account is linked to who came back."""
    known = _identity(session, identity.issuer, identity.subject)
    return known is not None and known.staff_id == staff_id


def identities(session: Session, staff_id: UUID) -> Sequence[StaffIdentity]:
    """Return who an account is at the provider, oldest link first."""
    query = select(StaffIdentity).where(col(StaffIdentity.staff_id) == staff_id)
    return session.exec(query.order_by(col(StaffIdentity.linked_at))).all()


def _identity(session: Session, issuer: str, subject: str) -> StaffIdentity | None:
    query = select(StaffIdentity).where(
        col(StaffIdentity.issuer) == issuer.rstrip("/"),
        col(StaffIdentity.subject) == subject,
    )
    return session.exec(query.with_for_update()).first()


def _decide(database: Database, arrival: Arrival) -> str | _Refusal:
    """Return the secret of a new session, or why there is none; commits either."""
    identity = arrival.identity
    with database.writing() as session:
        known = _identity(session, identity.issuer, identity.subject)
        person = None if known is None else session.get(Staff, known.staff_id)
        refusal = _refusal_of_anybody(arrival)
        if refusal is None and known is not None and person is not None:
            refusal = _update(session, known, person, arrival)
        elif refusal is None:
            refusal = _refusal_of_a_new_person(session, arrival)
            if refusal is None and arrival.role is not None:
                person = _create(session, identity, arrival.role, arrival)
        if refusal is None and person is not None:
            return _begin(session, person, arrival)
        refusal = refusal or _NO_ROLE
        if refusal is _NO_ROLE and known is not None and person is not None:
            _take_role(session, known, person, arrival)
        audit.record(
            session,
            Actor(name="no one signed in", address=arrival.address),
            "session.refused",
            subject=f"single sign-on {identity.subject}: {refusal.cause}",
            now=arrival.now,
        )
        return refusal


def _begin(session: Session, person: Staff, arrival: Arrival) -> str:
    if arrival.former is not None:
        sessions.end(session, arrival.former)
    secret = sessions.begin(
        session,
        person.id,
        address=arrival.address,
        user_agent=arrival.user_agent,
        second_factor=SECOND_FACTOR,
        proven_at=arrival.identity.proven_at,
        now=arrival.now,
    )
    who = Actor(name=person.email, staff_id=person.id, address=arrival.address)
    subject = f"single sign-on {arrival.identity.subject}"
    audit.record(session, who, "session.begun", subject=subject, now=arrival.now)
    return secret


_NO_ROLE = _Refusal(
    cause="no_role",
    message="The identity provider gives you no role here. Ask its admin to add you to "
    "a group that has one.",
)


def _refusal_of_anybody(arrival: Arrival) -> _Refusal | None:
    policy, identity = arrival.policy, arrival.identity
    if policy.domains and not identity.is_email_verified:
        return _Refusal(
            cause="email_not_verified",
            message="The identity provider does not say that your email address is "
            "verified, which this dashboard asks for. Ask its admin to verify it.",
        )
    if policy.domains and identity.email.rpartition("@")[2].lower() not in (
        policy.domains
    ):
        return _Refusal(
            cause="domain",
            message="Email addresses of this domain may not sign in here. Use your "
            "company account, or ask an admin.",
        )
    return _NO_ROLE if policy.roles and arrival.role is None else None


def _refusal_of_a_new_person(session: Session, arrival: Arrival) -> _Refusal | None:
    subject = arrival.identity.subject
    if not arrival.policy.roles:
        return _Refusal(
            cause="not_linked",
            message="You have no account here that is linked to the identity "
            "provider. Ask an admin to link it with `dashboard staff link` to your "
            f"subject there: {subject}",
        )
    try:
        email = accounts.normal_email(arrival.identity.email)
    except InvalidInputError:
        return _Refusal(
            cause="no_email",
            message="The identity provider gave no email address, which a new account "
            "needs. Ask its admin to release the email claim to the dashboard.",
        )
    if accounts.find_by_email(session, email) is None:
        return None
    if _identity(session, arrival.identity.issuer, subject) is not None:
        raise _CreatedMeanwhileError
    return _Refusal(
        cause="email_taken",
        message=f"There is an account for {email} already, which is not linked to the "
        "identity provider. Ask an admin to link it with `dashboard staff link` to "
        f"your subject there: {subject}",
    )


def _take_role(
    session: Session, known: StaffIdentity, person: Staff, arrival: Arrival
) -> None:
    """Disable the account of somebody who lost their role, and end every session."""
    if person.disabled_at is not None:
        return
    person.disabled_at = known.unmapped_at = arrival.now
    session.add_all([person, known])
    sessions.end_all(session, person.id)
    subject = f"{person.email}: no role at the identity provider"
    arrival.record(session, "staff.disabled", subject)


def _update(
    session: Session, known: StaffIdentity, person: Staff, arrival: Arrival
) -> _Refusal | None:
    """Give a known account today's role; refuse one that an admin disabled."""
    if person.disabled_at is not None and person.disabled_at == known.unmapped_at:
        person.disabled_at = None
        arrival.record(session, "staff.enabled", person.email)
    if person.disabled_at is not None:
        return _Refusal(
            cause="disabled",
            message="An admin has turned off your access to this dashboard.",
        )
    known.unmapped_at = None
    if arrival.role is not None and person.role is not arrival.role:
        person.role = arrival.role
        sessions.end_all(session, person.id)
        subject = f"{person.email} to {arrival.role}"
        arrival.record(session, "staff.role_changed", subject)
    session.add_all([person, known])
    return None


def _create(
    session: Session, identity: Identity, role: Role, arrival: Arrival
) -> Staff:
    person = Staff(
        email=accounts.normal_email(identity.email),
        role=role,
        password_hash=passwords.NONE_YET,
        created_at=arrival.now,
    )
    session.add(person)
    session.flush()
    link(
        session,
        person,
        issuer=identity.issuer,
        subject=identity.subject,
        now=arrival.now,
    )
    arrival.record(session, "staff.added", f"{person.email} as {role}")
    return person
