"""Who comes in by the identity provider, and with which role."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import select

from dashboard.clients.oidc.provider import Identity, SingleSignOnError
from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, SettingsError
from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role, Staff, StaffSession
from dashboard.models.staff_identity import StaffIdentity
from dashboard.services import audit
from dashboard.services.staff import accounts, sessions, single_sign_on
from dashboard.services.staff.single_sign_on import Arrival, Policy
from dashboard.settings import load
from tests.makers import NOON

ISSUER = "https://idp.example.com"
POLICY = Policy(
    name="Sign in",
    role_claim="groups",
    roles=[("zoom-admins", Role.ADMIN), ("helpdesk", Role.SUPPORT)],
    domains=frozenset(),
    is_only=False,
)
NO_ROLES = Policy(
    name="Sign in", role_claim="", roles=[], domains=frozenset(), is_only=False
)
LIFETIME = sessions.Lifetime(idle=timedelta(hours=1), longest=timedelta(hours=12))


def arrival(
    *,
    subject: str = "idp-1",
    email: str = "Ana@Example.com",
    is_verified: bool = True,
    groups: tuple[str, ...] = ("helpdesk",),
    policy: Policy = POLICY,
    former: str | None = None,
    now: datetime = NOON,
) -> Arrival:
    return Arrival(
        policy=policy,
        identity=Identity(
            issuer=ISSUER,
            subject=subject,
            email=email,
            is_email_verified=is_verified,
            claims={"sub": subject, "groups": list(groups)},
        ),
        address="192.0.2.1",
        user_agent="Browser",
        former=former,
        now=now,
    )


def enter(database: Database, **given: Any) -> Staff | None:
    """Come in; return who the session is of."""
    secret = single_sign_on.sign_in(database, arrival(**given))
    return of(database, secret, now=given.get("now", NOON))


def of(database: Database, secret: str, *, now: datetime = NOON) -> Staff | None:
    with database.reading() as session:
        found = sessions.find(session, secret, lifetime=LIFETIME, now=now)
    return None if found is None else found[1]


def refused(database: Database, **given: Any) -> SingleSignOnError:
    with pytest.raises(SingleSignOnError) as raised:
        single_sign_on.sign_in(database, arrival(**given))
    return raised.value


def acts(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        rows = session.exec(select(AuditEntry).order_by("id")).all()
    return [(row.actor, row.act, row.subject) for row in rows]


def staff(database: Database, email: str, role: Role = Role.SUPPORT) -> Staff:
    person = Staff(email=email, role=role, password_hash="-", created_at=NOON)
    with database.writing() as session:
        session.add(person)
    return person


def one(database: Database, email: str = "ana@example.com") -> Staff:
    with database.reading() as session:
        found = accounts.find_by_email(session, email)
    assert found is not None
    return found


def test_a_new_person_gets_an_account_with_the_role_of_their_group(
    database: Database,
) -> None:
    person = enter(database)

    assert person is not None
    assert (person.email, person.role) == ("ana@example.com", Role.SUPPORT)
    assert person.password_hash == ""
    assert person.last_sign_in_at == NOON
    assert acts(database) == [
        ("identity provider", "staff.added", "ana@example.com as support"),
        ("ana@example.com", "session.begun", "single sign-on idp-1"),
    ]


def test_of_several_groups_the_first_of_the_map_counts(database: Database) -> None:
    person = enter(database, groups=("helpdesk", "zoom-admins"))

    assert person is not None
    assert person.role is Role.ADMIN


def test_a_person_is_the_same_whatever_their_email_is_today(
    database: Database,
) -> None:
    first = enter(database)
    second = enter(database, email="ana.new@example.com")

    assert first is not None
    assert second is not None
    assert (first.id, second.email) == (second.id, "ana@example.com")


def test_an_account_is_not_taken_over_by_its_email(database: Database) -> None:
    theirs = staff(database, "ana@example.com", Role.ADMIN)

    error = refused(database, groups=("zoom-admins",))

    assert error.cause == "email_taken"
    assert "idp-1" in str(error)  # what an admin needs to link it
    with database.reading() as session:
        assert session.exec(select(StaffSession)).all() == []
        assert session.exec(select(StaffIdentity)).all() == []
        assert session.get_one(Staff, theirs.id).role is Role.ADMIN
    assert acts(database) == [
        ("no one signed in", "session.refused", "single sign-on idp-1: email_taken")
    ]


def test_another_issuer_is_another_person(database: Database) -> None:
    person = staff(database, "ana@example.com")
    with database.writing() as session:
        single_sign_on.link(
            session,
            session.get_one(Staff, person.id),
            issuer="https://other.example.com",
            subject="idp-1",
            now=NOON,
        )

    assert refused(database).cause == "email_taken"


def test_a_linked_account_keeps_its_email_and_gets_the_providers_role(
    database: Database,
) -> None:
    person = staff(database, "old@example.com", Role.ADMIN)
    with database.writing() as session:
        mine = session.get_one(Staff, person.id)
        single_sign_on.link(
            session, mine, issuer=f"{ISSUER}/", subject="idp-1", now=NOON
        )

    entered = enter(database)

    assert entered is not None
    assert (entered.id, entered.email) == (person.id, "old@example.com")
    assert entered.role is Role.SUPPORT
    assert (
        "identity provider",
        "staff.role_changed",
        "old@example.com to support",
    ) in (acts(database))


def test_a_new_role_ends_the_sessions_of_before(database: Database) -> None:
    before = single_sign_on.sign_in(database, arrival())

    after = single_sign_on.sign_in(database, arrival(groups=("zoom-admins",)))

    assert of(database, before) is None
    found = of(database, after)
    assert found is not None
    assert found.role is Role.ADMIN


def test_the_same_role_leaves_other_browsers_signed_in(database: Database) -> None:
    before = single_sign_on.sign_in(database, arrival())

    single_sign_on.sign_in(database, arrival())

    assert of(database, before) is not None


def test_the_session_that_the_browser_had_ends(database: Database) -> None:
    before = single_sign_on.sign_in(database, arrival())

    single_sign_on.sign_in(database, arrival(former=sessions.hashed(before)))

    assert of(database, before) is None


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ADMIN])
def test_who_is_mapped_no_more_loses_the_account_and_every_session(
    database: Database, role: Role
) -> None:
    groups = ("zoom-admins",) if role is Role.ADMIN else ("helpdesk",)
    secret = single_sign_on.sign_in(database, arrival(groups=groups))

    error = refused(database, groups=("sales",))

    assert error.cause == "no_role"
    assert of(database, secret) is None
    assert one(database).disabled_at == NOON
    assert acts(database)[-2:] == [
        (
            "identity provider",
            "staff.disabled",
            "ana@example.com: no role at the identity provider",
        ),
        ("no one signed in", "session.refused", "single sign-on idp-1: no_role"),
    ]


def test_who_is_mapped_again_is_let_in_again(database: Database) -> None:
    enter(database)
    refused(database, groups=(), now=NOON + timedelta(hours=1))

    later = NOON + timedelta(hours=2)
    person = enter(database, now=later)

    assert person is not None
    assert one(database).disabled_at is None


def test_whom_an_admin_disabled_stays_out(database: Database) -> None:
    enter(database)
    refused(database, groups=(), now=NOON + timedelta(hours=1))
    with database.writing() as session:
        person = session.get_one(Staff, one(database).id)
        person.disabled_at = NOON + timedelta(hours=2)

    error = refused(database, now=NOON + timedelta(hours=3))

    assert error.cause == "disabled"
    assert one(database).disabled_at == NOON + timedelta(hours=2)


def test_a_stranger_without_a_role_gets_no_account(database: Database) -> None:
    assert refused(database, groups=("sales",)).cause == "no_role"

    with database.reading() as session:
        assert session.exec(select(Staff)).all() == []


def test_without_a_role_map_only_linked_accounts_come_in_with_their_own_role(
    database: Database,
) -> None:
    assert refused(database, policy=NO_ROLES).cause == "not_linked"
    person = staff(database, "ana@example.com", Role.ADMIN)
    with database.writing() as session:
        mine = session.get_one(Staff, person.id)
        single_sign_on.link(session, mine, issuer=ISSUER, subject="idp-1", now=NOON)

    entered = enter(database, policy=NO_ROLES, groups=("helpdesk",))

    assert entered is not None
    assert entered.role is Role.ADMIN


@pytest.mark.parametrize(
    ("email", "is_verified", "cause"),
    [
        ("ana@example.com", True, None),
        ("Ana@EXAMPLE.com", True, None),
        ("ana@example.com", False, "email_not_verified"),
        ("ana@evil.example", True, "domain"),
        ("ana@notexample.com", True, "domain"),
        ("ana@sub.example.com", True, "domain"),
        ("ana@example.com.evil.example", True, "domain"),
        ("example.com", True, "no_email"),
        ("", True, "domain"),
        ("", False, "email_not_verified"),
    ],
)
@pytest.mark.parametrize("is_known", [False, True])
def test_only_verified_addresses_of_the_allowed_domains(
    database: Database,
    email: str,
    is_verified: bool,  # noqa: FBT001 - a case's value
    cause: str | None,
    is_known: bool,  # noqa: FBT001 - as above
) -> None:
    policy = Policy(
        name="",
        role_claim="groups",
        roles=POLICY.roles,
        domains=frozenset({"example.com"}),
        is_only=False,
    )
    if is_known:
        enter(database)
    given: dict[str, Any] = {
        "email": email,
        "is_verified": is_verified,
        "policy": policy,
    }

    if cause is None or (is_known and cause == "no_email"):
        assert enter(database, **given) is not None
    else:
        assert refused(database, **given).cause == cause


@pytest.mark.parametrize("email", ["", "no address", "a@b@c", "a\x00@example.com"])
def test_a_new_account_needs_an_email(database: Database, email: str) -> None:
    assert refused(database, email=email).cause == "no_email"


def test_one_person_in_two_windows_at_once_has_one_account(
    database: Database,
) -> None:
    at_once = Barrier(4)

    def go(_: int) -> str:
        at_once.wait(20)
        return single_sign_on.sign_in(database, arrival())

    with ThreadPoolExecutor(4) as pool:
        secrets = list(pool.map(go, range(4)))

    assert {getattr(of(database, each), "email", "") for each in secrets} == {
        "ana@example.com"
    }
    with database.reading() as session:
        assert len(session.exec(select(StaffIdentity)).all()) == 1


def test_a_person_of_the_provider_has_one_account(database: Database) -> None:
    enter(database)
    other = staff(database, "ben@example.com")

    with database.writing() as session, pytest.raises(ConflictError):
        single_sign_on.link(
            session,
            session.get_one(Staff, other.id),
            issuer=ISSUER,
            subject="idp-1",
            now=NOON,
        )


@pytest.mark.parametrize("subject", ["", "  ", "x" * 256, "a\x00b", "a\nb"])
def test_a_subject_is_one_line(database: Database, subject: str) -> None:
    person = staff(database, "ben@example.com")

    with database.writing() as session, pytest.raises(InvalidInputError):
        single_sign_on.link(
            session,
            session.get_one(Staff, person.id),
            issuer=ISSUER,
            subject=subject,
            now=NOON,
        )


def undo(database: Database, secret: str, *, has_another_way: bool) -> None:
    with database.writing() as session:
        person = session.get_one(Staff, one(database).id)
        single_sign_on.unlink_own(
            session,
            person,
            session_id=sessions.hashed(secret),
            has_another_way=has_another_way,
            actor=audit.COMMAND_LINE,
            now=NOON,
        )


def test_an_unlinked_account_is_signed_out_elsewhere_and_not_found_again(
    database: Database,
) -> None:
    here = single_sign_on.sign_in(database, arrival())
    elsewhere = single_sign_on.sign_in(database, arrival())

    undo(database, here, has_another_way=True)
    undo(database, here, has_another_way=True)

    assert of(database, elsewhere) is None
    assert of(database, here) is not None
    with database.reading() as session:
        [row] = session.exec(select(StaffSession)).all()
    assert row.second_factor == ""
    assert refused(database).cause == "email_taken"
    assert [act for _, act, _ in acts(database)].count("staff.unlinked") == 1


def test_the_only_way_in_is_not_unlinked(database: Database) -> None:
    here = single_sign_on.sign_in(database, arrival())

    with pytest.raises(ConflictError, match="only way to sign in"):
        undo(database, here, has_another_way=False)

    assert enter(database) is not None


def test_a_role_that_does_not_exist_stops_the_start(tmp_path: Any) -> None:
    settings = load(
        instance=tmp_path,
        oidc_issuer=ISSUER,
        oidc_client_id="x",
        oidc_client_secret="x",
        oidc_role_claim="groups",
        oidc_role_map="boss=emperor",
    )

    with pytest.raises(SettingsError, match="DASHBOARD_OIDC_ROLE_MAP") as raised:
        Policy.of(settings)

    assert "emperor" not in str(raised.value)


def test_every_role_can_be_mapped(tmp_path: Any) -> None:
    pairs = ",".join(f"group {role}={role}" for role in Role)
    settings = load(
        instance=tmp_path,
        oidc_issuer=ISSUER,
        oidc_client_id="x",
        oidc_client_secret="x",
        oidc_role_claim="groups",
        oidc_role_map=pairs,
    )

    assert [role for _, role in Policy.of(settings).roles] == list(Role)
