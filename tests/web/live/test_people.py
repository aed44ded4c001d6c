"""Live pages: only for whose session lasts; who looks is told; trouble passes."""

from contextlib import AbstractContextManager
from uuid import UUID, uuid4

import pytest
from sqlmodel import Session

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.staff import Role, Staff
from dashboard.services import audit
from dashboard.services.staff import accounts, sessions
from dashboard.web.signin import Person
from tests.conftest import PASSWORD
from tests.fixtures.live import (
    LONG_S,
    Artist,
    Make,
    Reading,
    a_person,
    make,
    note,
    reader,
)
from tests.fixtures.relay import until
from tests.makers import NOON, FakeClock

__all__ = ["make", "reader"]


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


@pytest.mark.parametrize("what", ["role", "disabled", "password", "signed out"])
def test_a_session_that_has_ended_ends_its_streams(
    make: Make, database: Database, what: str
) -> None:
    person, other = a_person(database), a_person(database, Role.SUPPORT)
    a_person(database)  # or the last admin could not be changed
    watcher = make(draw=Artist())
    page = Reading(watcher.open({"overview"}, person))
    kept = Reading(watcher.open({"overview"}, other))
    for each in (page, kept):
        each.wait_for(b"event: drawn\n")

    if what == "password":
        accounts.set_password(
            database, person.staff_id, PASSWORD, actor=audit.COMMAND_LINE, now=NOON
        )
    with database.writing() as session:
        a_person_too = session.get_one(Staff, person.staff_id)
        if what == "role":
            accounts.set_role(
                session, a_person_too, Role.SUPPORT, actor=audit.COMMAND_LINE
            )
        elif what == "disabled":
            accounts.disable(session, a_person_too, actor=audit.COMMAND_LINE, now=NOON)
        elif what == "signed out":
            sessions.end(session, person.session_id)
        audit.record(session, audit.COMMAND_LINE, "test.done", subject="", now=NOON)

    page.join(LONG_S)
    assert not page.is_alive()
    why = b"deactivated" if what == "disabled" else b"signed-out"
    assert page.said[-1] == b"event: " + why + b"\ndata:\n\n"
    assert kept.is_alive()


def test_a_session_that_ran_out_ends_its_streams(
    make: Make, database: Database
) -> None:
    clock, person = FakeClock(), a_person(database)
    page = Reading(make(draw=Artist(), clock=clock).open({"overview"}, person))
    page.wait_for(b"event: drawn\n")

    clock.advance(days=3651)
    note(database)

    page.join(LONG_S)
    assert not page.is_alive()


def test_it_says_which_zoom_apps_are_watched(make: Make, reader: Person) -> None:
    said: list[frozenset[UUID]] = []
    watcher = make(when_watched=said.append)
    one, two = uuid4(), uuid4()

    first = watcher.open({"webhooks", f"zoom-app-{one}"}, reader)
    until(lambda: said == [{one}])
    watcher.open({f"zoom-app-{two}"}, reader)
    until(lambda: len(said) == 2)

    assert said[1] == watcher.open_apps == {one, two}
    first.close()
    assert watcher.open_apps == {two}


class Restarting:
    """A database that cannot be read for a while once a page is open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_sqlite = database.is_sqlite
        self.failures = 0
        self.fails = 1

    def reading(self) -> AbstractContextManager[Session]:
        if self.fails:
            self.fails -= 1
            self.failures += 1
            raise StorageError("The database is restarting.")
        return self._database.reading()


def test_a_restarted_database_does_not_end_the_watch(
    database: Database, make: Make, reader: Person
) -> None:
    restarting = Restarting(database)

    page = Reading(make(restarting).open({"webhooks"}, reader))

    page.wait_for(b"data: webhooks\n")
    assert restarting.failures == 1


def test_who_cannot_note_the_watched_does_not_end_the_watch(
    database: Database, make: Make, reader: Person
) -> None:
    def fail(_: frozenset[UUID]) -> None:
        raise StorageError("No turn came.")

    page = Reading(
        make(when_watched=fail).open({f"zoom-app-{uuid4()}", "webhooks"}, reader)
    )
    page.wait_for(b"data: webhooks\n")
    note(database)

    page.wait_for(b"data: webhooks\n", times=2)
