"""One page's stream: what waits is bounded, and coming back costs only the news."""

import asyncio
import threading
from collections.abc import Iterator
from uuid import UUID

import pytest

from dashboard.models.staff import Role
from dashboard.web.live import streams
from dashboard.web.live.board import Message
from dashboard.web.live.streams import EventStream
from dashboard.web.signin import Person
from tests.makers import NOON

LONG_S = 30
READER = Person(UUID(int=1), "admin@example.com", Role.ADMIN, "", NOON)
BEAT = b"event: beat\ndata:\n\n"


def a_message(content: str, *, tag: str = "") -> Message:
    body = f"event: drawn\ndata: {content}\n".encode()
    return Message(body, tag or content, is_drawn=True)


def a_stream(*topics: str, last_id: str = "", beat_every_s: float = 10) -> EventStream:
    named = topics or ("overview",)
    return EventStream(named, READER, last_id=last_id, beat_every_s=beat_every_s)


def begun(stream: EventStream) -> Iterator[bytes]:
    parts = iter(stream)
    assert next(parts).startswith(b"retry: ")
    return parts


def test_many_changes_wait_as_the_newest_of_each_topic_for_a_slow_page() -> None:
    stream = a_stream("a", "b")
    parts = begun(stream)

    for number in range(1000):
        stream.offer("a", a_message(f"a{number}"))
        stream.offer("b", a_message(f"b{number}"))

    assert next(parts) == (
        b"event: drawn\ndata: a999\n\nevent: drawn\ndata: b999\nid: a999.b999\n\n"
    )


def test_the_id_says_what_the_page_knows_of_every_topic() -> None:
    stream = a_stream("b", "a")
    parts = begun(stream)

    stream.offer("b", a_message("one"))
    first = next(parts)
    stream.offer("a", a_message("two"))

    assert first.endswith(b"id: .one\n\n")
    assert next(parts).endswith(b"id: two.one\n\n")


@pytest.mark.parametrize(
    ("last_id", "known"),
    [("x.y", [True, True]), ("x.", [True, False]), ("x", [False, False])],
)
def test_who_comes_back_is_told_what_differs(last_id: str, known: list[bool]) -> None:
    stream = a_stream("a", "b", last_id=last_id)

    assert [stream.has("a", "x"), stream.has("b", "y")] == known


def test_a_quiet_line_beats_so_that_both_ends_know() -> None:
    assert next(begun(a_stream(beat_every_s=0.01))) == BEAT


def test_a_stream_that_is_ended_says_no_more() -> None:
    stream = a_stream()
    parts = begun(stream)
    stream.offer("overview", a_message("secret"))

    stream.end()

    assert list(parts) == []


def test_a_reader_that_is_sent_much_opens_the_next_stream_and_knows_it_all() -> None:
    stream = a_stream()
    parts = begun(stream)
    stream.offer("overview", a_message("x" * 10_000, tag="newest"))
    sent = []

    for part in parts:
        sent.append(part)
        stream.offer("overview", a_message("x" * 10_000, tag="newest"))

    assert len(b"".join(sent)) <= streams._MOST_BYTES + 2 * 10_000
    assert b"\nid: newest\n\nretry: " in sent[-1]


def test_a_stream_that_was_open_for_long_has_its_page_look_at_everything() -> None:
    stream = EventStream(["overview"], READER, longest_s=0)
    parts = begun(stream)
    stream.offer("overview", a_message("news"))

    assert next(parts).endswith(b"\nid:\n\n")
    assert list(parts) == []


def test_closing_it_gives_the_place_back() -> None:
    released: list[EventStream] = []
    stream = EventStream(["overview"], READER, released=released.append)

    begun(stream).close()  # type: ignore[attr-defined]  # a generator, as servers close it

    assert released == [stream]


def test_in_a_loop_it_is_woken_from_another_thread() -> None:
    stream = a_stream()

    async def read() -> bytes:
        parts = aiter(stream)
        await anext(parts)
        threading.Thread(
            target=stream.offer, args=("overview", a_message("news"))
        ).start()
        async with asyncio.timeout(LONG_S):
            return await anext(parts)

    assert asyncio.run(read()) == b"event: drawn\ndata: news\nid: news\n\n"


@pytest.mark.parametrize("happens", ["offer", "end"])
def test_in_a_loop_what_came_before_it_was_read_is_not_lost(happens: str) -> None:
    stream = a_stream(beat_every_s=10 * LONG_S)
    if happens == "end":
        stream.end()
    else:
        stream.offer("overview", a_message("news"))

    async def read() -> list[bytes]:
        found = []
        async with asyncio.timeout(LONG_S):
            async for part in stream:
                found.append(part)
                if b"news" in part:
                    break
        return found

    assert len(asyncio.run(read())) == (1 if happens == "end" else 2)


def test_a_quiet_line_beats_in_a_loop_too() -> None:
    async def read() -> bytes:
        parts = aiter(a_stream(beat_every_s=0.01))
        await anext(parts)
        return await anext(parts)

    assert asyncio.run(read()) == BEAT


def test_a_stream_whose_loop_has_ended_troubles_nobody() -> None:
    stream = a_stream()

    async def begin() -> None:
        await anext(aiter(stream))

    asyncio.run(begin())

    stream.offer("overview", a_message("news"))
