"""Live pages: told soon, by one query for all, in bounded number."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from dashboard.db import Database
from dashboard.errors import DatabaseBusyError
from dashboard.models.staff import Role
from dashboard.services.heartbeats import heartbeats
from dashboard.web.live import watcher as watching
from dashboard.web.live.board import Board, Message
from dashboard.web.live.streams import EventStream
from dashboard.web.live.watcher import NoPlaceError
from dashboard.web.signin import Onlooker, Person
from tests.fixtures.live import (
    LONG_S,
    Artist,
    Counting,
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


def watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "live-watcher"]


def test_a_stream_is_told_of_a_commit_to_its_topics(
    make: Make, database: Database, reader: Person
) -> None:
    page = Reading(make().open({"webhooks", "webhook-1"}, reader))
    page.wait_for(b"data: webhook-1\n")
    page.wait_for(b"data: webhooks\n")

    note(database)

    page.wait_for(b"data: webhooks\n", times=2)
    assert page.heard(b"data: webhook-1\n") == 1


def test_every_stream_is_told_once_what_is_true_when_it_opens(
    make: Make, reader: Person
) -> None:
    watcher = make(draw=Artist())

    pages = [Reading(watcher.open({"overview"}, reader)) for _ in range(30)]

    for page in pages:
        page.wait_for(b"<p>for admin</p>")


def test_each_role_gets_its_own_and_no_other(make: Make, database: Database) -> None:
    watcher = make(draw=Artist())

    pages = {
        role: Reading(watcher.open({"overview"}, a_person(database, role)))
        for role in Role
    }

    for role, page in pages.items():
        page.wait_for(f"<p>for {role.value}</p>".encode())
        assert page.heard(b"<p>for ") == 1


def test_many_pages_cost_the_queries_and_the_drawing_of_one(
    make: Make, database: Database, reader: Person
) -> None:
    counting = Counting(database)

    def cost_of(pages: int) -> tuple[int, int]:
        artist = Artist()
        watcher = make(draw=artist)
        opened = [Reading(watcher.open({"overview"}, reader)) for _ in range(pages)]
        for page in opened:
            page.wait_for(b"event: drawn\n")
        until(lambda: not watcher._wake.is_set())
        before = len(artist.drawn), counting.statements
        artist.html = "news"
        note(database)
        for page in opened:
            page.wait_for(b"data: news\n")
        after = len(artist.drawn), counting.statements
        watcher.close()
        return after[0] - before[0], after[1] - before[1]

    (drawn, statements), (drawn_for_100, statements_for_100) = cost_of(1), cost_of(100)

    assert drawn == drawn_for_100 == 1
    # The database's own housekeeping may bring about a look or two more in either.
    assert statements_for_100 <= 2 * statements + 10


def test_the_same_again_is_not_sent(
    make: Make, database: Database, reader: Person
) -> None:
    artist = Artist()
    page = Reading(make(draw=artist).open({"overview"}, reader))
    page.wait_for(b"event: drawn\n")

    for number in (2, 3):
        note(database)
        until(lambda wanted=number: len(artist.drawn) >= wanted)  # type: ignore[misc]  # of this turn

    assert len(artist.drawn) == 3
    assert page.heard(b"event: drawn\n") == 1


def test_who_comes_back_knowing_it_all_is_told_nothing(
    make: Make, database: Database, reader: Person
) -> None:
    watcher = make(draw=Artist())
    first = Reading(watcher.open({"overview"}, reader))
    first.wait_for(b"\nid: ")
    known = first.said[-1].rpartition(b"\nid: ")[2].strip().decode()

    back = Reading(make(draw=Artist()).open({"overview"}, reader, last_id=known))
    note(database)
    late = Reading(watcher.open({"overview"}, reader))

    late.wait_for(b"event: drawn\n")
    assert back.heard(b"event: drawn\n") == 0


def test_of_many_pages_that_must_ask_a_few_are_told_at_a_time(
    make: Make, reader: Person
) -> None:
    watcher = make()
    streams = [watcher.open({"webhooks"}, reader) for _ in range(35)]

    pages = [Reading(each) for each in streams]

    for page in pages:
        page.wait_for(b"data: webhooks\n")
    rounds = [stream.last_round for stream in streams]
    assert max(rounds.count(each) for each in rounds) == 10


def test_where_all_changes_all_the_time_every_page_has_its_turn(
    make: Make, reader: Person
) -> None:
    class Restless(Board):
        def message(self, topic: str, onlooker: Onlooker) -> Message:
            return Message(b"", uuid4().hex, is_drawn=False)

    watcher = make()
    watcher._board = Restless(Artist())
    streams = [EventStream(["webhooks"], reader) for _ in range(30)]

    for _ in range(3):
        watcher._tell(streams)

    assert {stream.last_round for stream in streams} == {1, 2, 3}


def test_no_more_streams_open_than_there_are_places(make: Make, reader: Person) -> None:
    watcher = make(places=2)
    watcher.open({"webhooks"}, reader)
    one = watcher.open({"webhooks"}, reader)

    with pytest.raises(NoPlaceError):
        watcher.open({"webhooks"}, reader)

    assert watcher.open_streams == 2
    one.close()
    one.close()
    assert watcher.open_streams == 1


def test_nobody_looks_while_no_page_is_open(make: Make, reader: Person) -> None:
    before = len(watchers())
    stream = make().open({"webhooks"}, reader)
    (thread,) = watchers()

    stream.close()

    thread.join(LONG_S)
    assert (before, thread.is_alive()) == (0, False)


def test_the_next_page_is_told_after_the_last_one_had_gone(
    make: Make, database: Database, reader: Person
) -> None:
    watcher = make()
    watcher.open({"webhooks"}, reader).close()

    page = Reading(watcher.open({"webhooks"}, reader))
    page.wait_for(b"data: webhooks\n")
    note(database)

    page.wait_for(b"data: webhooks\n", times=2)


def test_what_interrupts_it_again_and_again_is_one_line_until_it_is_over(
    make: Make, reader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_AFTER_TROUBLE_S", 0.01)
    watcher = make()
    monkeypatch.setattr(watcher._interrupted, "_calm_s", 0.0)
    watch, tries = watcher._watch, []

    def fail_first() -> None:
        tries.append(1)
        if len(tries) < 6:
            raise DatabaseBusyError("Another process writes to this file.")
        if len(tries) < 9:
            raise RuntimeError("a bug")
        watch()

    monkeypatch.setattr(watcher, "_watch", fail_first)
    with capture_logs() as logs:
        page = Reading(watcher.open({"webhooks"}, reader))
        page.wait_for(b"data: webhooks\n")
        until(lambda: logs[-1]["event"] == "live.goes_on")

    assert [(each["event"], each.get("failures")) for each in logs] == [
        ("live.interrupted", None),
        ("live.goes_on", 8),
    ]


def test_closing_the_watcher_ends_its_streams_and_those_that_come_late(
    make: Make, reader: Person
) -> None:
    watcher = make()
    page = Reading(watcher.open({"webhooks"}, reader))

    watcher.close()
    late = Reading(watcher.open({"webhooks"}, reader))

    for each in (page, late):
        each.join(LONG_S)
        assert not each.is_alive()
    assert watchers() == []


@pytest.mark.usefixtures("real_heartbeats")
def test_open_pages_are_drawn_again_when_the_worker_dies_though_nothing_commits(
    make: Make, database: Database, reader: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_WORKER_ASKED_EVERY_S", 0.05)
    clock: Any = FakeClock()
    with database.writing() as session:
        heartbeats.beat(session, "w:1", started_at=NOON, version="1", now=NOON)
    artist = Artist()
    page = Reading(make(draw=artist, clock=clock).open({"overview"}, reader))
    page.wait_for(b"<p>for admin</p>")
    artist.html = "<p>no worker</p>"

    clock.advance(seconds=61)

    page.wait_for(b"<p>no worker</p>")
