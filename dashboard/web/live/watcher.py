"""Live pages: one watcher per process sends open streams what changed.

A page without a stream polls, and gets 304 while nothing changed. static/live.js is
the other half. docs/decisions/0009-drawn-once-pushed-to-all.md says why.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import cast
from uuid import UUID

import structlog
from flask import Flask, current_app
from sqlmodel import Session

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.errors import DashboardError, StorageError
from dashboard.logs import Outage
from dashboard.services.heartbeats import heartbeats
from dashboard.services.live import topics
from dashboard.services.staff import sessions
from dashboard.settings import Settings
from dashboard.web.live.board import Board, Draw, Fragment
from dashboard.web.live.streams import EventStream
from dashboard.web.signin import Onlooker, Person

_EXTENSION = "dashboard.live"
_CHECK_EVERY_S = 0.2
_REST = 3
"""Pause of so many times the processor time of a check: a quarter of a core at most."""
_AFTER_TROUBLE_S = 1.0
_CALM_S = 10.0
_WATCHED_EVERY_S = 10.0
_WORKER_ASKED_EVERY_S = 5.0
_ASKED_AT_ONCE = 10
"""How many pages get a message to ask in one check: each costs a request, and
a hundred at once would delay webhooks."""

_SENT_AT_ONCE = 25
_BREATH_S = 0.004
"""The loop that sends them also answers Zoom, which has its turn in between."""

_log = structlog.get_logger()

WhenWatched = Callable[[frozenset[UUID]], object]
"""Takes the ids of the zoom apps whose pages are open in this process."""


class NoPlaceError(DashboardError):
    """No place for a live page is free; the page polls instead."""


def _draw_nothing(
    _topic: str, _who: Collection[Onlooker]
) -> Mapping[Onlooker, Fragment]:
    return {}


class Watcher:
    """Checks for changes while streams are open, once for all of them.

    Its thread begins with the first stream and ends with the last.

    Args:
        database: Asked for changes five times a second.
        settings: How many streams may be open.
        draw: Draws a fragment; without it pages ask for themselves.
        clock: Says when a session ends; real time by default.
        when_watched: Called in the watcher's thread about every 10 s while pages of
            zoom apps are open, and when another one opens.

    Attributes:
        places: How many streams may be open.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        draw: Draw = _draw_nothing,
        clock: Clock | None = None,
        when_watched: WhenWatched | None = None,
    ) -> None:
        self._database = database
        self.places = settings.live_streams
        self._lifetime = sessions.Lifetime.of(settings)
        self._board = Board(draw)
        self._clock = clock or Clock()
        self._when_watched = when_watched
        self._no_worker = ""
        self._worker_due_s = 0.0
        self._watched: frozenset[UUID] = frozenset()
        self._watched_due_s = 0.0
        self._round = 0
        self._interrupted = Outage(
            _log,
            "live.interrupted",
            "live.still_interrupted",
            "live.goes_on",
            calm_s=_CALM_S,
        )
        self._lock = threading.Lock()
        self._streams: set[EventStream] = set()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._is_closing = threading.Event()

    @property
    def open_streams(self) -> int:
        """How many places are taken."""
        with self._lock:
            return len(self._streams)

    @property
    def open_apps(self) -> frozenset[UUID]:
        """The zoom apps whose pages are open in this process, now."""
        found = map(topics.zoom_app_of, self._topics())
        return frozenset(each for each in found if each is not None)

    def open(
        self, topics: Collection[str], person: Person, *, last_id: str = ""
    ) -> EventStream:
        """Take a place; closing the stream frees it.

        Args:
            topics: What the page shows.
            person: Who reads it, and is let go when their session ends.
            last_id: The ID of the last message the page got; "" when it is new.

        Raises:
            NoPlaceError: None is free.
        """
        stream = EventStream(topics, person, last_id=last_id, released=self._release)
        with self._lock:
            if self._is_closing.is_set():
                stream.end()  # the page comes back, to the server that follows
                return stream
            if len(self._streams) >= self.places:
                raise NoPlaceError(
                    "All live updates are in use; the page polls instead."
                )
            self._streams.add(stream)
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="live-watcher", daemon=True
                )
                self._thread.start()
        return stream

    def close(self) -> None:
        """End every stream for good, and wait for the thread."""
        with self._lock:
            self._is_closing.set()
            thread = self._thread
            for stream in self._streams:
                stream.end()
            self._streams.clear()
            self._wake.set()
        if thread is not None:
            thread.join()

    def _release(self, stream: EventStream) -> None:
        with self._lock:
            self._streams.discard(stream)
            if not self._streams:
                self._wake.set()

    def _run(self) -> None:
        while self._goes_on():
            try:
                self._watch()
            except StorageError as error:
                if not error.is_logged:
                    self._interrupted.record(reason=error.reason)
                self._is_closing.wait(_AFTER_TROUBLE_S)
            except Exception:  # noqa: BLE001 - logged with its trace; a thread that ended would leave every page without news
                self._interrupted.record(exc_info=True)
                self._is_closing.wait(_AFTER_TROUBLE_S)

    def _watch(self) -> None:
        with self._database.reading() as session:
            last, is_behind = "", False
            while self._goes_on():
                now_s, began_s = time.monotonic(), time.thread_time()
                is_asked = self._wake.is_set()
                self._wake.clear()
                stamp = topics.stamp(session, self._database)
                is_news = stamp != last and now_s >= self._board.opens_s
                is_news |= self._has_worker_changed(session, now_s)
                if is_news or is_asked or is_behind or now_s >= self._board.due_s:
                    last, is_behind = stamp, not self._update(session, now_s)
                self._report_watched(now_s)
                self._interrupted.end()
                self._is_closing.wait(_REST * (time.thread_time() - began_s))
                self._wake.wait(_CHECK_EVERY_S)

    def _has_worker_changed(self, session: Session, now_s: float) -> bool:
        """Whether the background worker died or came back: no commit says so."""
        if now_s < self._worker_due_s:
            return False
        self._worker_due_s = now_s + _WORKER_ASKED_EVERY_S
        before = self._no_worker
        self._no_worker = heartbeats.find(session, now=self._clock.now()).warning
        return self._no_worker != before

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._streams:
                self._thread = None
            return bool(self._streams)

    def _topics(self) -> set[str]:
        with self._lock:
            return {topic for stream in self._streams for topic in stream.topics}

    def _update(self, session: Session, now_s: float) -> bool:
        """Tell every stream what is new; False when some must wait for their turn."""
        streams = self._still_allowed(session)
        watched = {(t, each.person.onlooker) for each in streams for t in each.topics}
        versions = topics.versions(
            session, {topic for topic, _ in watched}, beside=self._no_worker
        )
        self._board.update(watched, versions, now_s=now_s)
        return self._tell(streams)

    def _still_allowed(self, session: Session) -> list[EventStream]:
        """End streams of sessions that have ended; return the others."""
        with self._lock:
            streams = list(self._streams)
        ids = {each.person.session_id for each in streams}
        now = self._clock.now()
        alive = sessions.alive(session, ids, lifetime=self._lifetime, now=now)
        ended = {
            each.person.staff_id
            for each in streams
            if each.person.session_id not in alive
        }
        disabled = sessions.disabled(session, ended) if ended else set()
        allowed = []
        for stream in streams:
            if stream.person.session_id in alive:
                allowed.append(stream)
            else:
                is_disabled = stream.person.staff_id in disabled
                stream.end(why="deactivated" if is_disabled else "signed-out")
        return allowed

    def _tell(self, streams: Iterable[EventStream]) -> bool:
        self._round += 1
        may_ask, sent = _ASKED_AT_ONCE, 0
        # The one served longest ago comes first, or the last would never have a turn.
        for stream in sorted(streams, key=lambda each: each.last_round):
            for topic in stream.topics:
                message = self._board.message(topic, stream.person.onlooker)
                if stream.has(topic, message.tag):
                    continue
                if not message.is_drawn:
                    if not may_ask:
                        continue
                    may_ask -= 1
                    stream.last_round = self._round
                stream.offer(topic, message)
                sent += 1
                if sent % _SENT_AT_ONCE == 0:
                    self._is_closing.wait(_BREATH_S)
        return may_ask > 0

    def _report_watched(self, now_s: float) -> None:
        if self._when_watched is None:
            return
        watched = self.open_apps
        if watched <= self._watched and now_s < self._watched_due_s:
            return
        self._watched, self._watched_due_s = watched, now_s + _WATCHED_EVERY_S
        if watched:
            self._when_watched(watched)


def install(app: Flask, watcher: Watcher) -> None:
    """Give the app its watcher."""
    app.extensions[_EXTENSION] = watcher


def watcher_of(app: Flask) -> Watcher:
    """Return the watcher of an app."""
    return cast("Watcher", app.extensions[_EXTENSION])


def watcher() -> Watcher:
    """Return the watcher of this request's app."""
    return watcher_of(current_app)


def open_apps() -> frozenset[UUID]:
    """Return the zoom apps whose pages are open in this request's process."""
    return watcher().open_apps
