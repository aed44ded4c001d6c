"""The server-sent events of one open page, driven by an event loop or a thread.

Behind `web.rsgi` a stream is a task in the loop and costs no thread; any WSGI
server iterates over it in one of its threads.
"""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import suppress

from dashboard.web.live.board import Message
from dashboard.web.signin import Person

_BEAT_EVERY_S = 10.0
_BEAT = b"event: beat\ndata:\n\n"
_LONGEST_S = 15 * 60.0
_MOST_BYTES = 1024 * 1024
"""The server takes whatever it is given and keeps it for a reader that does not read:
this is how much. A page that does read opens the next stream at once."""
_AFTER_LOSS_MS = (1000, 3000)
_AFTER_END_MS = (50, 500)


class EventStream:
    """The events of one page, until it closes or its time or size limit is reached.

    What waits is bounded by the number of topics, however slow the reader. Each batch
    ends with an ID that says what the page has; a page that reconnects with it
    (`Last-Event-ID`) gets only what differs.

    Args:
        topics: What the page asked for.
        person: Who reads.
        last_id: The ID it reconnected with; "" sends everything.
        released: Called with this stream when it is over, perhaps twice.
        beat_every_s: How often a quiet connection sends a beat, so that the page knows
            it is alive.
        longest_s: After this it ends, and the page reconnects.

    Attributes:
        last_round: In which round it last got a message to ask; used by the watcher.
    """

    def __init__(  # noqa: PLR0913 - all but two have a usual value
        self,
        topics: Collection[str],
        person: Person,
        *,
        last_id: str = "",
        released: Callable[["EventStream"], None] = lambda _: None,
        beat_every_s: float = _BEAT_EVERY_S,
        longest_s: float = _LONGEST_S,
    ) -> None:
        self.person = person
        self.last_round = 0
        names, tags = sorted(topics), last_id.split(".")
        if len(tags) != len(names):
            tags = [""] * len(names)
        self._known = dict(zip(names, tags, strict=True))
        self._offered = dict(self._known)
        self._waiting: dict[str, Message] = {}
        self._released = released
        self._beat_every_s = beat_every_s
        self._lock = threading.Lock()
        self._is_over = False
        self._last_word = b""
        # Pages that opened together must not all end together.
        part = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        self._ends_at_s = time.monotonic() + longest_s * part
        self._bytes_left = int(_MOST_BYTES * part)
        self._bell = threading.Event()
        self._ring: Callable[[], object] = self._bell.set

    @property
    def topics(self) -> Collection[str]:
        """What the page asked for."""
        return self._known.keys()

    def has(self, topic: str, tag: str) -> bool:
        """Whether the page was sent this, or will be."""
        return self._offered[topic] == tag

    def offer(self, topic: str, message: Message) -> None:
        """Queue a message; it replaces what waits for the topic."""
        with self._lock:
            self._offered[topic] = message.tag
            self._waiting[topic] = message
            self._ring()

    def end(self, *, why: str = "") -> None:
        """End the stream.

        Args:
            why: "signed-out" or "deactivated", for the page of a session that is
                over; "" has the page reconnect.
        """
        with self._lock:
            self._is_over = True
            if why:
                self._last_word = f"event: {why}\ndata:\n\n".encode()
            self._ring()

    def close(self) -> None:
        """Free the place: the reader has gone."""
        self._released(self)

    def __iter__(self) -> Iterator[bytes]:
        """Write events, in the calling thread."""
        try:
            yield _opening()
            while True:
                self._bell.wait(self._beat_every_s)
                self._bell.clear()
                part = self._take()
                if part is None:
                    return
                yield part
        finally:
            self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Write events, in the running loop."""
        loop, bell = asyncio.get_running_loop(), asyncio.Event()

        def ring() -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody listens
                loop.call_soon_threadsafe(bell.set)

        with self._lock:
            self._ring = ring
            if self._waiting or self._is_over:
                bell.set()
        yield _opening()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._beat_every_s):
                    await bell.wait()
            bell.clear()
            part = self._take()
            if part is None:
                return
            yield part

    def _take(self) -> bytes | None:
        """Return what to write now; None at the end."""
        with self._lock:
            if self._last_word:
                last_word, self._last_word = self._last_word, b""
                self._ring()
                return last_word
            if self._is_over:
                return None
            waiting, self._waiting = self._waiting, {}
            for topic, message in waiting.items():
                self._known[topic] = message.tag
            part = _events(list(waiting.values()), ".".join(self._known.values()))
            self._bytes_left -= len(part)
            is_old = time.monotonic() > self._ends_at_s
            if is_old or self._bytes_left < 0:
                self._is_over = True
                self._ring()
                part += _farewell(forget=is_old)
        return part


def _events(messages: list[Message], known: str) -> bytes:
    if not messages:
        return _BEAT
    # Only the last has the ID: a page cut off before it gets all of them again.
    *others, last = messages
    first = b"".join(each.body + b"\n" for each in others)
    return first + last.body + f"id: {known}\n\n".encode()


def _opening() -> bytes:
    # After a restart all pages come back; not all in the same moment.
    return f"retry: {random.randint(*_AFTER_LOSS_MS)}\n".encode() + _BEAT  # noqa: S311 - as above


def _farewell(*, forget: bool) -> bytes:
    """Have the page reconnect soon; it gets everything again after a long time."""
    retry = f"retry: {random.randint(*_AFTER_END_MS)}\n".encode()  # noqa: S311 - as above
    return retry + (b"id:\n\n" if forget else b"\n")
