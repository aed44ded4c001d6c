"""Live pages: told soon, in bounded number, and places are given back."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import Session

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.bundle import Services
from dashboard.settings import load
from dashboard.web import live
from dashboard.web.live import NoPlaceError, Watcher, events
from dashboard.web.views import live as live_views
from tests.conftest import SignIn
from tests.makers import NOON, FakeClock, a_webhook, saved_app

LONG_S = 10


@pytest.fixture
def watcher(database: Database, tmp_path: Path) -> Iterator[Watcher]:
    made = Watcher(database, load(instance=tmp_path, live_streams=2))
    yield made
    made.close()


def note(database: Database) -> None:
    with database.writing() as session:
        audit.record(session, audit.COMMAND_LINE, "test.done", subject="", now=NOON)


def watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "live-watcher"]


def test_a_stream_is_told_of_a_commit_to_its_topics(
    watcher: Watcher, database: Database
) -> None:
    stream = watcher.open({"webhooks", "webhook-1"})

    note(database)

    assert stream.wait(LONG_S) == ["webhooks"]


def test_every_stream_is_told(watcher: Watcher, database: Database) -> None:
    streams = [watcher.open({"webhooks"}), watcher.open({"connections"})]

    note(database)

    assert [stream.wait(LONG_S) for stream in streams] == [
        ["webhooks"],
        ["connections"],
    ]


def test_many_changes_wait_as_one_for_a_slow_page() -> None:
    stream = live.Stream({"webhooks": "1", "overview": "1"})

    for version in "23456":
        stream.offer({"webhooks": version, "overview": "1"})

    assert stream.wait(LONG_S) == ["webhooks"]
    assert stream.wait(0) == []


def test_no_more_streams_open_than_there_are_places(watcher: Watcher) -> None:
    watcher.open({"webhooks"})
    watcher.open({"webhooks"})

    with pytest.raises(NoPlaceError):
        watcher.open({"webhooks"})

    assert watcher.open_streams == 2


def test_a_closed_page_gives_its_place_back(watcher: Watcher) -> None:
    stream = watcher.open({"webhooks"})
    page = events(watcher, stream)
    next(page)

    page.close()  # type: ignore[attr-defined]  # it is a generator, as servers close it

    assert watcher.open_streams == 0


def test_nobody_looks_while_no_page_is_open(watcher: Watcher) -> None:
    before = len(watchers())
    stream = watcher.open({"webhooks"})
    (thread,) = watchers()

    watcher.release(stream)

    thread.join(LONG_S)
    assert (before, thread.is_alive()) == (0, False)


def test_the_next_page_is_told_after_the_last_one_had_gone(
    watcher: Watcher, database: Database
) -> None:
    watcher.release(watcher.open({"webhooks"}))

    stream = watcher.open({"webhooks"})
    note(database)

    assert stream.wait(LONG_S) == ["webhooks"]


def test_a_quiet_line_beats_so_that_both_ends_know(watcher: Watcher) -> None:
    page = events(watcher, watcher.open({"webhooks"}), beat_every_s=0.01)

    assert next(page).startswith(b"retry: ")
    assert next(page) == b"event: beat\ndata:\n\n"


def test_closing_the_watcher_ends_its_streams(watcher: Watcher) -> None:
    page = events(watcher, watcher.open({"webhooks"}))
    next(page)

    watcher.close()

    assert list(page) == []


class Restarting:
    """A database that cannot be read for a while once a page is open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_sqlite = database.is_sqlite
        self.failures = 0
        self.fails = 0

    def reading(self) -> AbstractContextManager[Session]:
        if self.fails:
            self.fails -= 1
            self.failures += 1
            raise StorageError("The database is restarting.")
        return self._database.reading()


def test_a_restarted_database_does_not_end_the_watch(
    sqlite: Database, tmp_path: Path
) -> None:
    database: Any = Restarting(sqlite)
    watcher = Watcher(database, load(instance=tmp_path))
    stream = live.Stream({"webhooks": "before"})
    database.fails = 1

    watcher.add(stream)

    assert stream.wait(LONG_S) == ["webhooks"]
    assert database.failures == 1
    watcher.close()


# -- over HTTP


def test_strangers_get_no_stream(stranger: FlaskClient, app: Flask) -> None:
    answer = stranger.get("/live/stream?topics=webhooks")

    assert answer.status_code in {302, 303, 401}
    assert app.extensions["dashboard.live"].open_streams == 0


def test_a_page_streams_events_and_frees_its_place(
    as_role: SignIn, app: Flask, services: Services
) -> None:
    browser = as_role(Role.SUPPORT)

    answer = browser.get("/live/stream?topics=webhooks,overview", buffered=False)
    chunks = answer.iter_encoded()
    next(chunks)
    note(services.database)

    assert answer.mimetype == "text/event-stream"
    assert b"event: changed\ndata: " in next(chunks)
    assert app.extensions["dashboard.live"].open_streams == 1
    answer.close()
    assert app.extensions["dashboard.live"].open_streams == 0


def test_a_page_that_left_before_the_first_line_frees_its_place(app: Flask) -> None:
    watcher = app.extensions["dashboard.live"]

    with app.test_request_context("/live/stream?topics=webhooks"):
        answer = live_views.stream()
        taken = watcher.open_streams
        answer.close()

    assert (taken, watcher.open_streams) == (1, 0)


@pytest.mark.parametrize("topics", ["", "staff", "webhooks,nonsense", "webhook-1;x"])
def test_unknown_topics_are_refused(as_role: SignIn, topics: str) -> None:
    answer = as_role(Role.ADMIN).get("/live/stream", query_string={"topics": topics})

    assert answer.status_code == 400


def test_a_full_house_says_when_to_try_again(as_role: SignIn, app: Flask) -> None:
    watcher = app.extensions["dashboard.live"]
    places = [watcher.open({"webhooks"}) for _ in range(watcher.places)]

    answer = as_role(Role.SUPPORT).get("/live/stream?topics=webhooks")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")
    for place in places:
        watcher.release(place)


def test_polling_costs_nothing_while_nothing_changed(
    as_role: SignIn, services: Services, clock: FakeClock
) -> None:
    browser = as_role(Role.SUPPORT)
    fragment = {"HX-Request": "true"}
    with services.database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, services.vault))
        session.add(a_webhook(app))
    first = browser.get("/webhooks/", headers=fragment)
    known = {**fragment, "If-None-Match": first.headers["ETag"]}

    clock.advance(minutes=5)
    again = browser.get("/webhooks/", headers=known)
    with services.database.writing() as session:
        session.add(a_webhook(app))
    changed = browser.get("/webhooks/", headers=known)

    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert changed.status_code == 200
