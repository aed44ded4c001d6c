"""Live pages: one watcher a process tells open streams which topics changed.

A stream is a thread of the server, so their number is bounded; who gets none polls,
and is answered 304 while nothing changed. static/live.js is the other half.
"""

import re
import threading
import time
from collections.abc import Collection, Iterator
from typing import cast

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.http import generate_etag

from dashboard.db import Database
from dashboard.errors import DashboardError, StorageError
from dashboard.services import changes
from dashboard.settings import Settings
from dashboard.web import htmx

_EXTENSION = "dashboard.live"
_LOOK_EVERY_S = 0.2
_AFTER_TROUBLE_S = 1.0
_BEAT_EVERY_S = 10.0
_LONGEST_S = 15 * 60.0
_RECONNECT_MS = 1500
_AGO = re.compile(rb"(?<= data-ago>)[^<]*")

_log = structlog.get_logger()


class NoPlaceError(DashboardError):
    """Every place for a live page is taken; the page polls instead."""


class Stream:
    """One open page: which of its topics changed since it was last told.

    What waits is bounded by the number of topics, however slow the reader.
    """

    def __init__(self, seen: dict[str, str]) -> None:
        self._seen = seen
        self._changed: dict[str, str] = {}
        self._is_closed = False
        self._condition = threading.Condition()

    @property
    def topics(self) -> Collection[str]:
        """What the page asked for."""
        return self._seen.keys()

    def offer(self, versions: dict[str, str]) -> None:
        """Take what is true now; wakes the reader when it differs."""
        with self._condition:
            for topic in self._seen.keys() & versions.keys():
                if self._seen[topic] != versions[topic]:
                    self._seen[topic] = self._changed[topic] = versions[topic]
            if self._changed:
                self._condition.notify()

    def end(self) -> None:
        """Let the reader go."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    def wait(self, timeout_s: float) -> Collection[str] | None:
        """Return the topics that changed, none after the time, None at the end."""
        with self._condition:
            self._condition.wait_for(
                lambda: self._changed or self._is_closed, timeout_s
            )
            if self._is_closed:
                return None
            changed, self._changed = self._changed, {}
            return sorted(changed)


class Watcher:
    """Looks for changes while streams are open, once for all of them.

    Its thread begins with the first stream and ends with the last.

    Attributes:
        places: How many streams may be open.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self.places = settings.live_streams
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    @property
    def open_streams(self) -> int:
        """How many places are taken."""
        with self._lock:
            return len(self._streams)

    def open(self, topics: Collection[str]) -> Stream:
        """Take a place; give it back with `release`.

        Raises:
            NoPlaceError: None is free.
            StorageError: The database cannot be asked.
        """
        with self._database.reading() as session:
            stream = Stream(changes.versions(session, topics))
        self.add(stream)
        return stream

    def add(self, stream: Stream) -> None:
        """Tell this stream of changes from now on.

        Raises:
            NoPlaceError: No place is free.
        """
        with self._lock:
            if len(self._streams) >= self.places:
                raise NoPlaceError("Every place for a live page is taken.")
            self._streams.add(stream)
            self._wake.set()  # look again: it may have changed since the line above
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="live-watcher", daemon=True
                )
                self._thread.start()

    def release(self, stream: Stream) -> None:
        """Give the place back; may be called twice."""
        with self._lock:
            self._streams.discard(stream)
            self._wake.set()

    def close(self) -> None:
        """End every stream and wait for the thread."""
        with self._lock:
            thread = self._thread
            for stream in self._streams:
                stream.end()
            self._streams.clear()
            self._wake.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._goes_on():
            try:
                self._watch()
            except StorageError as error:
                _log.warning("live.interrupted", reason=str(error))
                time.sleep(_AFTER_TROUBLE_S)

    def _watch(self) -> None:
        with self._database.reading() as session:
            last = ""
            while self._goes_on():
                is_asked = self._wake.is_set()
                self._wake.clear()
                stamp = changes.stamp(session, self._database)
                if stamp != last or is_asked:
                    last = stamp
                    self._tell(changes.versions(session, self._topics()))
                self._wake.wait(_LOOK_EVERY_S)

    def _goes_on(self) -> bool:
        with self._lock:
            if not self._streams:
                self._thread = None
            return bool(self._streams)

    def _topics(self) -> set[str]:
        with self._lock:
            return {topic for stream in self._streams for topic in stream.topics}

    def _tell(self, versions: dict[str, str]) -> None:
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.offer(versions)


def install(app: Flask, watcher: Watcher) -> None:
    """Give the app its watcher, and fragments their 304 while nothing changed."""
    app.extensions[_EXTENSION] = watcher
    app.after_request(_not_modified)


def watcher_of(app: Flask) -> Watcher:
    """Return the watcher of an app."""
    return cast("Watcher", app.extensions[_EXTENSION])


def watcher() -> Watcher:
    """Return the watcher of this request's app."""
    return watcher_of(current_app)


def events(
    watching: Watcher, stream: Stream, *, beat_every_s: float = _BEAT_EVERY_S
) -> Iterator[bytes]:
    """Write server-sent events until the page goes; gives the place back then.

    A beat tells the page that the line is alive, and lets the server notice that the
    page is not. A stream ends after a quarter of an hour; pages open another one.
    """
    ends_at_s = time.monotonic() + _LONGEST_S
    try:
        yield f"retry: {_RECONNECT_MS}\n\n".encode()
        while time.monotonic() < ends_at_s:
            changed = stream.wait(beat_every_s)
            if changed is None:
                return
            if not changed:
                yield b"event: beat\ndata:\n\n"
            for topic in changed:
                yield f"event: changed\ndata: {topic}\n\n".encode()
    finally:
        watching.release(stream)


def _not_modified(response: Response) -> Response:
    if (
        request.method != "GET"
        or response.status_code != 200  # noqa: PLR2004 - the one that has a body
        or response.is_streamed
        or not htmx.wants_fragment()
    ):
        return response
    # New in each answer, though the page is the same: the form token, and how long ago
    # a thing was, which static/app.js keeps right by itself.
    body = response.get_data()
    lasting = _AGO.sub(b"", body).replace(
        g.get("csrf_token", "").encode() or b"\0", b""
    )
    response.set_etag(generate_etag(lasting), weak=True)
    response.make_conditional(request)
    return response
