"""People who sign in."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BoundedSemaphore, BrokenBarrierError, Event, Lock
from typing import Any, Literal
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.staff import Role, Staff
from dashboard.services import audit, throttle
from dashboard.services.staff import accounts, passwords, sessions
from dashboard.services.staff.accounts import ADDRESS_TRIES, EMAIL_TRIES, Verified
from dashboard.services.throttle import TooSoonError
from tests.conftest import QUICK_HASHER
from tests.makers import NOON

PASSWORD = SecretStr("correct horse battery")
WRONG = SecretStr("wrong horse battery")
LIFETIME = sessions.Lifetime(idle=timedelta(hours=1), longest=timedelta(hours=12))
_A_MOMENT_S = 0.5  # for the other thread to come as far; nothing is asserted of it


def added(database: Database, **over: object) -> Staff:
    values = {
        "email": "Ana@Example.com",
        "role": Role.ADMIN,
        "password": PASSWORD,
        "actor": audit.COMMAND_LINE,
        "now": NOON,
    }
    return accounts.add(database, **(values | over))  # type: ignore[arg-type]  # a test's values


def verify(
    database: Database,
    *,
    email: str = "ana@example.com",
    password: SecretStr = PASSWORD,
    address: str = "192.0.2.1",
    later: timedelta = timedelta(0),
) -> Verified | None:
    return accounts.verify(
        database,
        email=email,
        password=password,
        address=address,
        now=NOON + later,
    )


def sign_in(
    database: Database, *, later: timedelta = timedelta(0), **over: Any
) -> Staff | None:
    verified = verify(database, later=later, **over)
    if verified is None:
        return None
    with database.writing() as session:
        return accounts.accept(session, verified)


def signed_in(database: Database, person: Staff) -> str:
    with database.writing() as session:
        return sessions.begin(
            session, person.id, address="192.0.2.1", user_agent="x", now=NOON
        )


def found(database: Database, secret: str) -> object:
    with database.reading() as session:
        return sessions.find(session, secret, lifetime=LIFETIME, now=NOON)


def test_a_person_signs_in_with_any_letter_case(database: Database) -> None:
    added(database)

    person = sign_in(database, email="ANA@example.com")

    assert person is not None
    assert person.email == "ana@example.com"


def test_the_password_is_kept_as_an_argon2_hash(database: Database) -> None:
    person = added(database)

    assert person.password_hash.startswith("$argon2id$")


def test_hashes_cost_what_argon2_recommends() -> None:
    hashed = passwords.HASHER.hash(PASSWORD.get_secret_value())

    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_wrong_password_is_refused(database: Database) -> None:
    added(database)

    assert sign_in(database, password=WRONG) is None


@pytest.mark.parametrize("change", [str.swapcase, "{} ".format, " {}".format])
def test_a_password_is_verified_as_it_was_typed(
    database: Database, change: Callable[[str], str]
) -> None:
    added(database)

    typed = SecretStr(change(PASSWORD.get_secret_value()))

    assert sign_in(database, password=typed) is None


def test_an_unknown_email_is_refused(database: Database) -> None:
    assert sign_in(database) is None


def test_a_disabled_person_is_refused(database: Database) -> None:
    added(database)
    other = added(database, email="ben@example.com")
    with database.writing() as session:
        accounts.disable(session, other, actor=audit.COMMAND_LINE, now=NOON)

    assert verify(database, email="ben@example.com") is None
    assert sign_in(database, email="ben@example.com") is None


def test_guessing_is_throttled_even_with_the_right_password_at_last(
    database: Database,
) -> None:
    added(database)
    for _ in range(EMAIL_TRIES):
        sign_in(database, password=WRONG)

    with pytest.raises(ConflictError, match="Too many attempts"):
        sign_in(database)


def test_guessing_may_go_on_after_the_window(database: Database) -> None:
    added(database)
    for _ in range(EMAIL_TRIES):
        sign_in(database, password=WRONG)

    assert sign_in(database, later=timedelta(minutes=16)) is not None


def test_guessing_one_person_leaves_another_alone(database: Database) -> None:
    added(database)
    added(database, email="ben@example.com")
    for _ in range(EMAIL_TRIES):
        sign_in(database, password=WRONG)

    assert sign_in(database, email="ben@example.com") is not None


def test_the_same_email_is_not_added_twice(database: Database) -> None:
    added(database)

    with pytest.raises(ConflictError):
        added(database, email="ana@example.com")


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
    with pytest.raises(InvalidInputError) as caught:
        added(database, **over)

    assert caught.value.field == field


def test_a_new_password_ends_every_session(database: Database) -> None:
    person = added(database)
    secret = signed_in(database, person)

    accounts.set_password(
        database, person.id, WRONG, actor=audit.COMMAND_LINE, now=NOON
    )

    assert found(database, secret) is None
    assert sign_in(database, password=WRONG) is not None


def test_a_new_role_and_a_disabled_account_end_every_session(
    database: Database,
) -> None:
    added(database, email="carla@example.com")
    for change in ("role", "disabled"):
        person = added(database, email=f"{change}@example.com")
        secrets = [signed_in(database, person) for _ in range(2)]
        with database.writing() as session:
            if change == "role":
                accounts.set_role(
                    session, person, Role.SUPPORT, actor=audit.COMMAND_LINE
                )
            else:
                accounts.disable(session, person, actor=audit.COMMAND_LINE, now=NOON)

        assert [found(database, secret) for secret in secrets] == [None, None]
        if change == "disabled":
            with database.writing() as session:
                accounts.enable(
                    session, session.get_one(Staff, person.id), actor=audit.COMMAND_LINE
                )
            assert [found(database, secret) for secret in secrets] == [None, None]


def test_a_disabled_account_has_no_session_even_if_a_row_is_left(
    database: Database,
) -> None:
    person = added(database)
    secret = signed_in(database, person)

    with database.writing() as session:
        session.get_one(Staff, person.id).disabled_at = NOON

    assert found(database, secret) is None


def test_two_admins_who_demote_each_other_leave_one(database: Database) -> None:
    admins = [added(database, email=f"{name}@example.com") for name in ("ana", "ben")]
    before_commit = Barrier(2)

    def demote(other: Staff) -> bool:
        try:
            with database.writing() as session:
                row = accounts.get(session, other.id)
                accounts.set_role(session, row, Role.SUPPORT, actor=audit.COMMAND_LINE)
                session.flush()
                with suppress(BrokenBarrierError):  # the other one waits for this one
                    before_commit.wait(_A_MOMENT_S)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(demote, admins))

    assert sorted(done) == [False, True]


def test_the_same_email_added_twice_at_once_is_a_conflict(database: Database) -> None:
    barrier = Barrier(4)

    def add(_: int) -> str:
        barrier.wait()
        try:
            return added(database).email
        except ConflictError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(add, range(4)))

    assert said == ["There is already an account for ana@example.com."] * 3 + [
        "ana@example.com"
    ]


class CountingHasher(PasswordHasher):
    """Counts what it verifies, and in how many threads at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = self.at_once = self._running = 0
        self._lock, self._is_fourth = Lock(), Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        with self._lock:
            self.verified += 1
            self._running += 1
            self.at_once = max(self.at_once, self._running)
            if self._running > 3:
                self._is_fourth.set()
        try:
            self._is_fourth.wait(0.2)  # for as long as another may come in
            return super().verify(hash, password)
        finally:
            with self._lock:
                self._running -= 1


@pytest.fixture
def counting() -> Iterator[CountingHasher]:
    hasher = CountingHasher()
    passwords.hash_with(hasher)
    yield hasher
    passwords.hash_with(QUICK_HASHER)


def test_of_many_tries_at_once_no_more_than_the_limit_are_verified(
    database: Database, counting: CountingHasher
) -> None:
    added(database)

    def guess(_: int) -> str:
        try:
            return str(sign_in(database, password=WRONG))
        except ConflictError:
            return "refused"

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(guess, range(16)))

    assert said.count("None") == counting.verified == EMAIL_TRIES
    assert counting.at_once <= 3


def test_an_unknown_email_costs_one_verification_too(
    database: Database, counting: CountingHasher
) -> None:
    added(database)

    sign_in(database, password=WRONG)
    sign_in(database, email="nobody@example.com")

    assert counting.verified == 2


def test_guessing_for_many_people_from_one_address_is_throttled(
    database: Database,
) -> None:
    for number in range(ADDRESS_TRIES):
        sign_in(database, email=f"guess{number}@example.com")

    with pytest.raises(ConflictError, match="Too many attempts"):
        sign_in(database, email="another@example.com")


def test_many_addresses_of_one_ipv6_network_are_throttled_as_one(
    database: Database,
) -> None:
    for number in range(ADDRESS_TRIES):
        address = f"2001:db8::{number:x}"
        verify(database, email=f"guess{number}@example.com", address=address)

    with pytest.raises(ConflictError, match="Too many attempts"):
        verify(database, email="another@example.com", address="2001:db8::ffff:1")
    assert not verify(database, email="a@b.org", address="2001:db8:0:1::1")


def test_who_signs_in_uses_up_no_tries_of_the_address(
    database: Database,
) -> None:
    added(database)

    signed = [sign_in(database) for _ in range(ADDRESS_TRIES + 1)]

    assert None not in signed


@pytest.mark.parametrize("change", ["password", "disabled"])
def test_what_changed_since_the_password_was_verified_counts(
    database: Database, change: str
) -> None:
    added(database, email="ben@example.com")
    person = added(database)
    verified = verify(database)
    assert verified is not None
    if change == "password":
        accounts.set_password(
            database, person.id, WRONG, actor=audit.COMMAND_LINE, now=NOON
        )
    else:
        with database.writing() as session:
            accounts.disable(session, person, actor=audit.COMMAND_LINE, now=NOON)

    with database.writing() as session:
        assert accounts.accept(session, verified) is None


def test_no_password_is_hashed_inside_a_writing_transaction(
    database: Database,
) -> None:
    added(database)

    with database.writing(), pytest.raises(RuntimeError, match="hashing a password"):
        passwords.hashed(PASSWORD)
    with database.writing(), pytest.raises(RuntimeError, match="verifying a password"):
        passwords.verified("", PASSWORD)


def test_the_last_admin_stays(database: Database) -> None:
    person = added(database)

    with pytest.raises(ConflictError, match="only admin"), database.writing() as s:
        accounts.disable(s, person, actor=audit.COMMAND_LINE, now=NOON)
    with pytest.raises(ConflictError, match="only admin"), database.writing() as s:
        accounts.set_role(s, person, Role.SUPPORT, actor=audit.COMMAND_LINE)


def test_an_account_is_activated_again_with_its_password(database: Database) -> None:
    added(database)
    ben = added(database, email="ben@example.com")
    secret = signed_in(database, ben)
    with database.writing() as session:
        accounts.disable(
            session, accounts.get(session, ben.id), actor=audit.COMMAND_LINE, now=NOON
        )
    refused = sign_in(database, email="ben@example.com")

    with database.writing() as session:
        accounts.enable(
            session, accounts.get(session, ben.id), actor=audit.COMMAND_LINE
        )

    assert refused is None
    assert found(database, secret) is None
    assert sign_in(database, email="ben@example.com") is not None


def test_everyone_is_listed_by_email(database: Database) -> None:
    for name in ("cy", "ana", "ben"):
        added(database, email=f"{name}@example.com")

    with database.reading() as session:
        people = accounts.list_all(session)

    assert [each.email[:3] for each in people] == ["ana", "ben", "cy@"]


def test_a_new_password_ends_the_wait_after_guesses(database: Database) -> None:
    person = added(database)
    for number in range(EMAIL_TRIES):
        sign_in(database, password=WRONG, address=f"192.0.2.{number + 10}")
    new = SecretStr("a new password")

    accounts.set_password(database, person.id, new, actor=audit.COMMAND_LINE, now=NOON)

    assert sign_in(database, password=new) is not None


def test_a_deactivated_admin_is_not_another_admin(database: Database) -> None:
    ana = added(database)
    ben = added(database, email="ben@example.com")
    with database.writing() as session:
        accounts.disable(
            session, accounts.get(session, ben.id), actor=audit.COMMAND_LINE, now=NOON
        )

    with database.writing() as session:
        last = accounts.get(session, ana.id)
        with pytest.raises(ConflictError, match="only admin"):
            accounts.set_role(session, last, Role.SUPPORT, actor=audit.COMMAND_LINE)
        with pytest.raises(ConflictError, match="only admin"):
            accounts.disable(session, last, actor=audit.COMMAND_LINE, now=NOON)


def test_an_unknown_person_is_not_found(database: Database) -> None:
    with (
        pytest.raises(NotFoundError, match="person"),
        database.reading() as session,
    ):
        accounts.get(session, uuid4())


def test_the_longest_email_is_taken_and_a_longer_one_is_none() -> None:
    longest = f"{'a' * 64}@{'.'.join(['b' * 61] * 3)}.com"

    assert len(longest) == accounts.LONGEST_EMAIL
    assert accounts.normal_email(f" {longest.upper()} ") == longest
    with pytest.raises(InvalidInputError, match="not an email address") as caught:
        accounts.normal_email(f"a{longest}")
    assert caught.value.field == "email"


@pytest.mark.parametrize(
    ("length", "fits"), [(11, False), (12, True), (1024, True), (1025, False)]
)
def test_a_password_has_12_to_1024_characters(
    sqlite: Database, length: int, *, fits: bool
) -> None:
    password = SecretStr(("kZ8s0v1Qpw2x" + "-mole" * 300)[:length])
    if not fits:
        with pytest.raises(InvalidInputError, match="12 to 1024 characters"):
            added(sqlite, password=password)
        return

    added(sqlite, password=password)

    assert sign_in(sqlite, password=password) is not None


def test_a_hash_of_other_costs_is_renewed_at_the_sign_in(database: Database) -> None:
    person = added(database)
    as_it_is = verify(database)
    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    with database.writing() as session:
        row = accounts.get(session, person.id)
        row.password_hash = old.hash(PASSWORD.get_secret_value())

    renewed = sign_in(database)

    assert as_it_is is not None
    assert as_it_is.renewed_hash == as_it_is.password_hash
    assert renewed is not None
    assert not QUICK_HASHER.check_needs_rehash(renewed.password_hash)
    assert sign_in(database) is not None


def test_who_finds_no_room_to_verify_is_asked_to_come_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(database)
    monkeypatch.setattr(passwords, "_verifying", BoundedSemaphore(1))
    monkeypatch.setattr(passwords, "_VERIFY_WAIT_S", 0.01)

    with passwords._verifying, pytest.raises(ConflictError, match="Many people"):
        verify(database)

    assert verify(database) is not None


def test_an_email_of_a_test_domain_is_one() -> None:
    assert accounts.normal_email("Ana@Team.Test") == "ana@team.test"


def test_a_password_set_during_a_sign_in_ends_its_session(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, new = added(database), SecretStr("a new password")
    verified = verify(database)
    assert verified is not None
    forget = throttle.forget
    changes: list[Future[None]] = []

    def change() -> None:
        accounts.set_password(
            database, person.id, new, actor=audit.COMMAND_LINE, now=NOON
        )

    with ThreadPoolExecutor(1) as pool:

        def meanwhile(*args: Any) -> None:
            if not changes:
                changes.append(pool.submit(change))
                with suppress(TimeoutError):
                    changes[0].result(timeout=_A_MOMENT_S)
            forget(*args)

        monkeypatch.setattr(throttle, "forget", meanwhile)
        with database.writing() as session:
            assert accounts.accept(session, verified) is not None
            secret = sessions.begin(
                session, person.id, address="192.0.2.1", user_agent="x", now=NOON
            )
        changes[0].result()

    assert found(database, secret) is None
    assert verify(database) is None
    assert verify(database, password=new) is not None


def test_the_wait_doubles_with_each_failure_up_to_a_quarter_of_an_hour(
    database: Database,
) -> None:
    added(database)
    later, waits = timedelta(), []
    for _ in range(EMAIL_TRIES):
        verify(database, password=WRONG)
    for _ in range(12):
        with pytest.raises(TooSoonError) as caught:
            verify(database, later=later)
        waits.append(caught.value.seconds)
        later += timedelta(seconds=caught.value.seconds)
        verify(database, password=WRONG, later=later)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert verify(database, later=later + timedelta(days=1)) is not None


def test_a_try_that_comes_too_soon_makes_no_wait_longer(database: Database) -> None:
    added(database)
    for _ in range(EMAIL_TRIES):
        verify(database, password=WRONG)
    for _ in range(20):
        with pytest.raises(TooSoonError):
            verify(database)

    assert verify(database, later=timedelta(seconds=1)) is not None


def test_a_browser_signed_in_with_before_is_not_held_up_by_strangers(
    database: Database,
) -> None:
    added(database)
    for number in range(ADDRESS_TRIES + 5):
        with suppress(TooSoonError):
            verify(database, password=WRONG, later=timedelta(seconds=number * 900))
    now = NOON + timedelta(seconds=(ADDRESS_TRIES + 4) * 900)

    def own(password: SecretStr) -> Verified | None:
        return accounts.verify(
            database,
            email="ana@example.com",
            password=password,
            address="192.0.2.1",
            browser="b1",
            now=now,
        )

    assert own(PASSWORD) is not None
    for _ in range(EMAIL_TRIES - 1):
        assert own(WRONG) is None
    with pytest.raises(TooSoonError):
        own(PASSWORD)


@pytest.mark.parametrize("what", ["email", "address"])
def test_an_admin_ends_a_wait(database: Database, what: str) -> None:
    added(database)
    for number in range(ADDRESS_TRIES):
        with suppress(TooSoonError):
            email = "ana@example.com" if what == "email" else f"x{number}@example.com"
            verify(database, password=WRONG, email=email)
    with pytest.raises(TooSoonError):
        verify(database)

    named = {"email": " ANA@example.com"} if what == "email" else {}
    accounts.unlock(
        database,
        address="192.0.2.1" if what == "address" else "",
        actor=audit.COMMAND_LINE,
        now=NOON,
        **named,
    )

    assert verify(database) is not None
