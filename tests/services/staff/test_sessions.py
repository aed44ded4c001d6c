"""Sessions: how long they last, and what keeps them alive."""

from datetime import timedelta

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.staff import Role, Staff, StaffSession
from dashboard.services.staff import sessions
from tests.makers import NOON, FakeClock

USUAL = sessions.Lifetime(idle=timedelta(hours=1), longest=timedelta(hours=12))


@pytest.fixture
def person(database: Database) -> Staff:
    one = Staff(
        email="ana@example.com", role=Role.ADMIN, password_hash="-", created_at=NOON
    )
    with database.writing() as session:
        session.add(one)
    return one


def begun(database: Database, person: Staff) -> str:
    with database.writing() as session:
        return sessions.begin(
            session,
            person.id,
            address="2001:db8::1",
            user_agent="Browser " + "x" * 500,
            now=NOON,
        )


def lasts(database: Database, secret: str, **later: float) -> bool:
    with database.reading() as session:
        found = sessions.find(
            session, secret, lifetime=USUAL, now=NOON + timedelta(**later)
        )
    return found is not None


def used(database: Database, secret: str, **later: float) -> None:
    """Do something then; the page was asked for as the row says."""
    clock = FakeClock(NOON + timedelta(**later))
    row = sessions.hashed(secret)
    with database.reading() as session:
        last = session.get_one(StaffSession, row).last_used_at
    sessions.note_use(database, clock, row, last_used_at=last)  # type: ignore[arg-type]  # a test's clock


def test_the_secret_is_not_stored(database: Database, person: Staff) -> None:
    secret = begun(database, person)

    with database.reading() as session:
        [row] = session.exec(select(StaffSession)).all()
    assert len(secret) == 43
    assert secret not in row.model_dump_json()
    assert (row.address, len(row.user_agent)) == ("2001:db8::1", 200)


def test_a_session_without_use_ends_after_an_hour(
    database: Database, person: Staff
) -> None:
    secret = begun(database, person)

    assert lasts(database, secret, minutes=59)
    assert not lasts(database, secret, minutes=60)
    assert not lasts(database, "x" * 43)


def test_a_busy_session_ends_after_twelve_hours(
    database: Database, person: Staff
) -> None:
    secret = begun(database, person)

    for minutes in range(30, 12 * 60, 30):
        used(database, secret, minutes=minutes)

    assert lasts(database, secret, hours=11, minutes=59)
    assert not lasts(database, secret, hours=12)


def test_use_is_noted_once_a_minute(database: Database, person: Staff) -> None:
    secret = begun(database, person)

    used(database, secret, seconds=59)
    after_59_s = lasts(database, secret, minutes=60, seconds=30)
    used(database, secret, seconds=60)

    assert not after_59_s
    assert lasts(database, secret, minutes=60, seconds=30)


def test_a_session_ends_alone_or_with_all_of_its_person(
    database: Database, person: Staff
) -> None:
    first, second, third = (begun(database, person) for _ in range(3))
    ids = {secret: sessions.hashed(secret) for secret in (first, second, third)}
    with database.writing() as session:
        other = Staff(
            email="ben@example.com", role=Role.ADMIN, password_hash="-", created_at=NOON
        )
        session.add(other)
    of_other = begun(database, other)

    with database.writing() as session:
        sessions.end(session, ids[first])
    left = [lasts(database, secret) for secret in (first, second, of_other)]
    with database.writing() as session:
        sessions.end_all(session, person.id)

    assert left == [False, True, True]
    assert not lasts(database, second)
    assert not lasts(database, third)
    assert lasts(database, of_other)


def test_of_these_sessions_those_that_last_are_named(
    database: Database, person: Staff
) -> None:
    busy, idle, unasked = (sessions.hashed(begun(database, person)) for _ in range(3))
    with database.writing() as session:
        for each in (busy, unasked):
            row = session.get_one(StaffSession, each)
            row.last_used_at = NOON + timedelta(minutes=50)

    def alive() -> set[str]:
        later = NOON + timedelta(minutes=61)
        with database.reading() as session:
            return sessions.alive(
                session, [busy, idle, "unknown"], lifetime=USUAL, now=later
            )

    before = alive()
    with database.writing() as session:
        session.get_one(Staff, person.id).disabled_at = NOON

    assert before == {busy}
    assert alive() == set()


def test_a_session_is_found_with_its_person_unless_deactivated(
    database: Database, person: Staff
) -> None:
    secret = begun(database, person)
    with database.reading() as session:
        found = sessions.find(session, secret, lifetime=USUAL, now=NOON)
    with database.writing() as session:
        session.get_one(Staff, person.id).disabled_at = NOON

    assert found is not None
    assert (found[0].staff_id, found[1].email) == (person.id, "ana@example.com")
    assert not lasts(database, secret)


def test_a_long_address_fits_its_column(database: Database, person: Staff) -> None:
    with database.writing() as session:
        secret = sessions.begin(
            session, person.id, address="f" * 65, user_agent="", now=NOON
        )
        row = session.get_one(StaffSession, sessions.hashed(secret))

        assert row.address == "f" * 64


def test_a_database_that_is_away_fails_no_page() -> None:
    class Away:
        def writing(self) -> None:
            raise StorageError("The database is away.")

    clock = FakeClock(NOON + timedelta(hours=1))
    sessions.note_use(Away(), clock, "x", last_used_at=NOON)  # type: ignore[arg-type]  # stands in


def test_sessions_that_ran_out_are_deleted(database: Database, person: Staff) -> None:
    begun(database, person)
    kept = begun(database, person)
    used(database, kept, minutes=50)
    clock = FakeClock(NOON + timedelta(minutes=61))

    number = sessions.forget_ended(database, USUAL, clock)  # type: ignore[arg-type]  # a test's clock

    assert (number, sessions.forget_ended(database, USUAL, clock)) == (1, 0)  # type: ignore[arg-type]  # as above
    with database.reading() as session:
        [row] = session.exec(select(StaffSession)).all()
    assert row.id == sessions.hashed(kept)


@pytest.mark.parametrize(
    ("used_after", "now_after"),
    [
        (timedelta(0), USUAL.idle),
        (USUAL.longest - timedelta(minutes=1), USUAL.longest),
    ],
    ids=["idle", "busy"],
)
def test_a_session_is_deleted_from_the_second_on_in_which_it_ends(
    database: Database, person: Staff, used_after: timedelta, now_after: timedelta
) -> None:
    secret = begun(database, person)
    with database.writing() as session:
        row = session.get_one(StaffSession, sessions.hashed(secret))
        row.last_used_at = NOON + used_after

    before = FakeClock(NOON + now_after - timedelta(seconds=1))
    clock = FakeClock(NOON + now_after)

    assert sessions.forget_ended(database, USUAL, before) == 0  # type: ignore[arg-type]  # a test's clock
    assert sessions.forget_ended(database, USUAL, clock) == 1  # type: ignore[arg-type]  # as above


def test_of_these_people_the_deactivated_are_named(
    database: Database, person: Staff
) -> None:
    with database.writing() as session:
        others = [
            Staff(
                email=f"{name}@example.com",
                role=Role.SUPPORT,
                password_hash="-",
                created_at=NOON,
                disabled_at=NOON,
            )
            for name in ("ben", "cy")
        ]
        session.add_all(others)

    with database.reading() as session:
        found = sessions.disabled(session, [person.id, others[0].id])

    assert found == {others[0].id}
