"""People who sign in."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlmodel import Session

from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.staff import Role, Staff
from dashboard.services.staff import accounts
from dashboard.services.throttle import SIGN_IN_TRIES
from tests.makers import NOON

PASSWORD = SecretStr("correct horse battery")
WRONG = SecretStr("wrong horse battery")


def added(session: Session, **over: object) -> Staff:
    values = {
        "email": "Ana@Example.com",
        "role": Role.ADMIN,
        "password": PASSWORD,
        "now": NOON,
    }
    return accounts.add(session, **(values | over))  # type: ignore[arg-type]  # a test's values


def sign_in(
    database: Database,
    *,
    email: str = "ana@example.com",
    password: SecretStr = PASSWORD,
    later: timedelta = timedelta(0),
) -> Staff | None:
    with database.writing() as session:
        return accounts.sign_in(
            session,
            email=email,
            password=password,
            address="192.0.2.1",
            now=NOON + later,
        )


def test_a_person_signs_in_with_any_letter_case(database: Database) -> None:
    with database.writing() as session:
        added(session)

    person = sign_in(database, email="ANA@example.com")

    assert person is not None
    assert person.last_sign_in_at == NOON


def test_the_password_is_kept_as_an_argon2_hash(database: Database) -> None:
    with database.writing() as session:
        person = added(session)

    assert person.password_hash.startswith("$argon2id$")


def test_hashes_cost_what_argon2_recommends() -> None:
    hashed = accounts.PASSWORD_HASHER.hash(PASSWORD.get_secret_value())

    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_wrong_password_is_refused(database: Database) -> None:
    with database.writing() as session:
        added(session)

    assert sign_in(database, password=WRONG) is None


def test_an_unknown_email_is_refused(database: Database) -> None:
    assert sign_in(database) is None


def test_a_disabled_person_is_refused(database: Database) -> None:
    with database.writing() as session:
        added(session)
        other = added(session, email="ben@example.com")
        accounts.disable(session, other, now=NOON)

    assert sign_in(database, email="ben@example.com") is None


def test_guessing_is_throttled_even_with_the_right_password_at_last(
    database: Database,
) -> None:
    with database.writing() as session:
        added(session)
    for _ in range(SIGN_IN_TRIES):
        sign_in(database, password=WRONG)

    with pytest.raises(ConflictError, match="Too many attempts"):
        sign_in(database)


def test_guessing_may_go_on_after_the_window(database: Database) -> None:
    with database.writing() as session:
        added(session)
    for _ in range(SIGN_IN_TRIES):
        sign_in(database, password=WRONG)

    assert sign_in(database, later=timedelta(minutes=16)) is not None


def test_guessing_one_person_leaves_another_alone(database: Database) -> None:
    with database.writing() as session:
        added(session)
        added(session, email="ben@example.com")
    for _ in range(SIGN_IN_TRIES):
        sign_in(database, password=WRONG)

    assert sign_in(database, email="ben@example.com") is not None


def test_the_same_email_is_not_added_twice(database: Database) -> None:
    with database.writing() as session:
        added(session)

    with pytest.raises(ConflictError), database.writing() as session:
        added(session, email="ana@example.com")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"password": SecretStr("short")}, "password"),
        ({"password": SecretStr("x" * 2000)}, "password"),
    ],
    ids=["no e-mail", "short password", "endless password"],
)
def test_bad_input_names_its_field(
    database: Database, over: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught, database.writing() as session:
        added(session, **over)

    assert caught.value.field == field


def test_a_new_password_ends_every_session(database: Database) -> None:
    with database.writing() as session:
        person = added(session)
        before = person.session_epoch
        accounts.set_password(session, person, WRONG)

    assert person.session_epoch > before
    assert sign_in(database, password=WRONG) is not None


def test_the_last_admin_stays(database: Database) -> None:
    with database.writing() as session:
        person = added(session)

    with pytest.raises(ConflictError, match="only admin"), database.writing() as s:
        accounts.disable(s, person, now=NOON)
    with pytest.raises(ConflictError, match="only admin"), database.writing() as s:
        accounts.set_role(s, person, Role.SUPPORT)
