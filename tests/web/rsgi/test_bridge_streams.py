"""Streams behind an RSGI server: driven by its loop, and let go in every case."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from dashboard.web.rsgi.bridge import Bridge
from tests.fixtures.bridge import LIMIT, LONG_S, Page, Server, get
from tests.fixtures.rsgi import Scope

MANY = 300


class Stream(Page):
    """A WSGI app whose answer can be driven by the loop."""

    def __iter__(self) -> Iterator[bytes]:
        pytest.fail("It was iterated over in a thread.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
            await asyncio.sleep(0)


class Quiet(Stream):
    """One that has nothing to say and never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b"never"


def test_a_stream_for_the_loop_is_driven_there_and_closed() -> None:
    stream = Stream([b"a", b"b"], Content_Type="text/event-stream")

    http = get(stream)

    assert http.sent == [b"a", b"b"]
    assert http.answers == [(200, {"content-type": "text/event-stream"}, b"a stream")]
    assert stream.closed == 1


@pytest.mark.parametrize("stream", [Stream([b"."] * LIMIT), Quiet()])
def test_a_browser_that_goes_away_closes_the_stream_at_once(stream: Stream) -> None:
    class Leaving(Server):
        async def client_disconnect(self) -> None:
            return

    http = get(stream, Leaving([]))

    assert len(http.sent) < LIMIT
    assert stream.closed == 1


def test_a_line_that_breaks_closes_the_stream() -> None:
    stream = Stream([b"."] * LIMIT)

    http = get(stream, Server([], leaves_after=2))

    assert (len(http.sent), stream.closed) == (2, 1)


def test_what_goes_wrong_in_a_stream_is_not_hushed_up() -> None:
    stream = Stream(b"." * (1 // each) for each in (1, 0))

    with pytest.raises(ZeroDivisionError):
        get(stream)

    assert stream.closed == 1


def test_streams_hold_no_thread_and_a_stuck_reader_holds_nobody_up() -> None:
    class Stuck(Server):
        async def send_bytes(self, data: bytes) -> None:
            stuck_now.append(self)
            if len(stuck_now) == MANY:
                all_are_stuck.set()
            await asyncio.Event().wait()

    stuck_now: list[Server] = []
    all_are_stuck = asyncio.Event()

    async def drive() -> Server:
        bridge = Bridge(app, threads=1, largest_body=LIMIT)
        scope: Any = Scope(method="GET", path="/")
        stuck: list[Any] = [Stuck([]) for _ in range(MANY)]
        waiting = [asyncio.create_task(bridge(scope, each)) for each in stuck]
        last: Any = Server([])
        async with asyncio.timeout(LONG_S):
            await all_are_stuck.wait()
            await bridge(scope, last)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        bridge.close()
        return last  # type: ignore[no-any-return]

    opened: list[Stream] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Stream:
        opened.append(Stream([b"."]))
        return opened[-1](environ, start_response)  # type: ignore[return-value]

    http = asyncio.run(drive())

    assert http.sent == [b"."]
    assert {each.closed for each in opened} == {1}
