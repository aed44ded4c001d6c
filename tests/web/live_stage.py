"""Watchers on either database, people who read, and pages that listen in threads."""

import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event

from dashboard.db import Database
from dashboard.models.staff import Role, Staff
from dashboard.services import audit
from dashboard.settings import load
from dashboard.web.live.board import Fragment
from dashboard.web.live.streams import EventStream
from dashboard.web.live.watcher import Watcher
from dashboard.web.signin import Person
from tests.makers import NOON
from tests.relay_stage import until

LONG_S = 10
Make = Callable[..., Watcher]


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    """Make watchers, and close them."""
    made: list[Watcher] = []

    def make_one(at: Any = database, **options: Any) -> Watcher:
        settings = load(instance=tmp_path, live_streams=options.pop("places", 200))
        made.append(Watcher(at, settings, **options))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


@pytest.fixture
def reader(database: Database) -> Person:
    return a_person(database)


def a_person(database: Database, role: Role = Role.ADMIN) -> Person:
    """Add somebody who is signed in already; to hash a password would take longer."""
    one = Staff(
        email=f"{uuid4()}@example.com", role=role, password_hash="-", created_at=NOON
    )
    with database.writing() as session:
        session.add(one)
    return Person(one.id, one.email, one.role, one.session_epoch)


def note(database: Database) -> None:
    """Commit something that the overview and the log tell of."""
    with database.writing() as session:
        audit.record(session, audit.COMMAND_LINE, "test.done", subject="", now=NOON)


class Reading(threading.Thread):
    """A page that reads its stream, in a thread as a WSGI server would."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.said: list[bytes] = []
        self.start()

    def run(self) -> None:
        for part in self._stream:
            self.said.append(part)

    def heard(self, words: bytes) -> int:
        return b"".join(self.said).count(words)

    def wait_for(self, words: bytes, times: int = 1) -> None:
        until(lambda: self.heard(words) >= times)
        assert self.heard(words) >= times


class Counting:
    """How many statements reading connections sent, but for looks at the stamp."""

    def __init__(self, database: Database) -> None:
        self.statements = 0
        event.listen(database._reader, "before_cursor_execute", self._count)

    def _count(self, *arguments: Any) -> None:
        statement = arguments[2]
        stamps = ("PRAGMA data_version", "SELECT pg_current_snapshot()")
        self.statements += not statement.startswith(stamps)


class Artist:
    """Draws for each role its own; notes what, and of what version."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, Role]] = []
        self.html = "<p>for {role}</p>"

    def __call__(self, topic: str, roles: Collection[Role]) -> dict[Role, Fragment]:
        self.drawn += [(topic, role) for role in roles]
        return {
            role: Fragment(f"/{topic}", self.html.format(role=role.value).encode())
            for role in roles
        }
