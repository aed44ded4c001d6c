"""Flask behind an RSGI server: what it is given, and what is made of its answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from structlog.testing import capture_logs

from dashboard.web import headers
from dashboard.web.rsgi import RsgiApp, WsgiAdapter
from tests.fixtures.bridge import LIMIT, LONG_S, Page, Server, get
from tests.fixtures.rsgi import NEVER, Headers, Protocol, Scope


def given(**scope: Any) -> WSGIEnvironment:
    page = Page(Content_Length="0")
    get(page, **scope)
    return page.environ


def test_a_path_is_decoded_once_and_latin_1_as_wsgi_has_it() -> None:
    # RSGI hands it over decoded, text and not bytes.
    environ = given(path="/a b/\u00e9/\u2026/%41", query_string="q=\u2026&r=%C3%A9")

    assert environ["PATH_INFO"].encode("latin-1").decode() == "/a b/\u00e9/\u2026/%41"
    assert environ["QUERY_STRING"].encode("latin-1").decode() == "q=\u2026&r=%C3%A9"


def test_headers_come_joined_and_none_passes_for_another() -> None:
    pairs = [
        ("host", "dashboard.example.com"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x_forwarded_for", "192.0.2.66"),
        ("x-forwarded-for", "192.0.2.2"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("proxy_authorization", "no"),
        ("content_length", "7"),
        ("content-type", "text/plain"),
        ("transfer-encoding", "chunked"),
    ]

    environ = given(headers=Headers(pairs))

    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.1,192.0.2.2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_HOST"] == "dashboard.example.com"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["CONTENT_LENGTH"] == "0"
    assert "HTTP_PROXY_AUTHORIZATION" not in environ
    told_otherwise = {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}
    assert not (told_otherwise | {"HTTP_TRANSFER_ENCODING"}) & environ.keys()


@pytest.mark.parametrize(
    ("authority", "host"), [(None, "127.0.0.1:8000"), ("other:1", "other:1")]
)
def test_without_a_host_there_is_one_all_the_same(
    authority: str | None, host: str
) -> None:
    assert given(authority=authority)["HTTP_HOST"] == host


def test_addresses_come_without_ports_and_brackets() -> None:
    environ = given(client="[2001:db8::7]:4711", server="[::1]:8000")

    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("2001:db8::7", "4711")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("::1", "8000")


def test_a_form_in_chunks_is_whole_and_its_length_known() -> None:
    page = Page(Content_Length="0")

    get(page, Server([b"a=1", b"", b"&b=2"]), method="POST")

    assert page.body == b"a=1&b=2"
    assert page.environ["CONTENT_LENGTH"] == "7"


def test_of_a_body_declared_too_large_the_app_sees_the_length_alone() -> None:
    page, http = Page(Content_Length="0"), Server([b"x"] * 200)

    get(page, http, method="POST", headers=Headers([("content-length", "200")]))

    assert (page.environ["CONTENT_LENGTH"], page.body) == ("200", b"")
    assert http.parts_read == 0  # so few bytes were sent whole


def test_of_a_body_that_turns_out_too_large_the_app_sees_a_part_too_many() -> None:
    page, http = Page(Content_Length="0"), Server([b"x" * 60] * 9)

    get(page, http, method="POST")

    assert page.environ["CONTENT_LENGTH"] == "120"
    assert http.parts_read == 9  # the rest is read on, so that the answer arrives


def test_a_length_that_is_no_number_never_reaches_the_app() -> None:
    page = Page()

    http = get(page, method="POST", headers=Headers([("content-length", "five")]))

    assert (http.status, page.environ) == (400, {})


def test_a_whole_answer_is_sent_whole() -> None:
    page = Page([b"a", b"bc"], Content_Length="3", X_Own="1")

    http = get(page)

    assert http.answers == [(200, {"content-length": "3", "x-own": "1"}, b"abc")]
    assert page.closed == 1


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Not Modified")]
)
def test_an_answer_without_a_body_keeps_its_headers(method: str, status: str) -> None:
    page = Page(iter([b"never"]), status=status, Content_Length="5")

    http = get(page, method=method)

    assert http.answers == [(int(status[:3]), {"content-length": "5"}, b"")]
    assert (list(page.parts), page.closed) == ([b"never"], 1)


def test_a_stream_is_sent_as_it_comes() -> None:
    http = Server([])

    def parts() -> Iterator[bytes]:
        for number in range(3):
            assert len(http.sent) == number
            yield b"%d" % number
            yield b""

    page = Page(parts())
    get(page, http)

    assert http.sent == [b"0", b"1", b"2"]
    assert page.closed == 1


def test_a_browser_that_goes_away_ends_its_stream() -> None:
    page = Page(b"." for _ in range(LIMIT))

    http = get(page, Server([], leaves_after=2))

    assert (http.sent, page.closed) == ([b".", b"."], 1)
    assert len(list(page.parts)) == LIMIT - 3


def test_a_thread_does_not_wait_for_a_loop_that_has_ended() -> None:
    sending = asyncio.Event()

    class Stuck(Server):
        async def send_bytes(self, data: bytes) -> None:
            sending.set()
            await asyncio.Event().wait()

    page = Page([b"."])
    bridge = WsgiAdapter(page, threads=1, largest_body=LIMIT)
    loop = asyncio.new_event_loop()
    scope: Any = Scope(method="GET", path="/")
    stuck: Any = Stuck([])
    asking = loop.create_task(bridge(scope, stuck))

    loop.run_until_complete(sending.wait())
    [thread] = bridge._threads._threads
    bridge.close()
    thread.join(LONG_S)

    assert not thread.is_alive()
    assert page.closed == 1
    asking.cancel()
    loop.run_until_complete(asyncio.gather(asking, return_exceptions=True))
    for task in asyncio.all_tasks(loop):
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


@pytest.mark.parametrize("length", [None, "50"])
def test_a_form_that_does_not_come_is_given_up(length: str | None) -> None:
    page = Page(Content_Length="0")
    bridge = WsgiAdapter(page, threads=1, largest_body=LIMIT, body_timeout_s=0.1)
    pairs = [("content-length", length)] if length else []
    http: Any = Server([b"a=", NEVER])
    scope: Any = Scope(method="POST", path="/", headers=Headers(pairs))

    asyncio.run(bridge(scope, http))
    bridge.close()

    assert (http.status, page.environ) == (400, {})


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
        bridge = WsgiAdapter(app, threads=1, largest_body=LIMIT)
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


@pytest.mark.parametrize("path", ["/hooks/zoom/x", "/tokens/x", "/sign-in"])
def test_a_bug_is_answered_with_the_security_headers_and_logged(path: str) -> None:
    async def fails(_scope: object, _http: object) -> None:
        raise LookupError

    door: Any = fails
    always = headers.bare("https://dashboard.example.com")
    application = RsgiApp(door, door, door, always=always, on_stop=lambda: None)
    scope: Any = Scope(path=path)
    http: Any = Protocol([])

    with capture_logs() as logs:
        asyncio.run(application.__rsgi__(scope, http))

    assert http.answers == [(500, dict(always), b"")]
    assert dict(always)["strict-transport-security"] == "max-age=31536000"
    assert [each["event"] for each in logs] == ["request.failed"]
