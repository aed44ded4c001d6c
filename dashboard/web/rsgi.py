"""Flask behind an RSGI server: each page in a thread, its answer sent from the loop.

An answer that can be iterated over asynchronously (`web.live.streams`) is driven in the
loop: open live pages hold no thread.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from types import FrameType
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from dashboard.web import token_endpoint
from dashboard.web.headers import Lines
from dashboard.web.hooks.request import UnreadableError, declared_bytes
from dashboard.web.hooks.rsgi import WebhookEndpoint, read_body
from dashboard.web.hooks.wsgi import PREFIX
from dashboard.web.token_endpoint import TokenEndpoint

_Handler = Callable[[Scope, HTTPProtocol], Awaitable[None]]

_BODY_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 1.0
_NO_BODY = {204, 304}
_log = structlog.get_logger(__name__)

_log = structlog.get_logger(__name__)


class WsgiAdapter:
    """A WSGI app for an RSGI server.

    Args:
        app: Called in a thread of its own for each request, until it has answered.
        threads: How many at most.
        largest_body: In bytes. Of a larger one the app sees the length it declared, or
            a part too many of it, and refuses it by its own limit.
        body_timeout_s: How long a body may take.
        always: Headers of an answer that is not the app's.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        threads: int,
        largest_body: int,
        body_timeout_s: float = _BODY_TIMEOUT_S,
        always: Lines = (),
    ) -> None:
        self._always = always
        self._body_timeout_s = body_timeout_s
        self._app = app
        self._largest_body = largest_body
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="page")

    async def __call__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request."""
        try:
            length = declared_bytes(scope.headers.get("content-length", ""))
            body = await read_body(
                scope,
                http,
                length,
                limit=self._largest_body,
                timeout_s=self._body_timeout_s,
            )
        except UnreadableError:
            return http.response_empty(400, list(self._always))
        loop = asyncio.get_running_loop()
        answer = _Answer(http, loop, is_head=scope.method == "HEAD")
        environ = _environ(scope, body, length)
        try:
            rest = await loop.run_in_executor(self._threads, self._run, environ, answer)
            if rest is not None:
                await answer.pump(rest)
        except ProtocolClosed:
            return None  # the browser went away
        except Exception:  # logged by one of the two; the sender gets a 500
            if answer.is_begun:
                raise  # the server logs it and ends the answer
            _log.exception("request.aborted", method=scope.method)
            answer.fail()
        return answer.finish()

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(
        self, environ: WSGIEnvironment, answer: "_Answer"
    ) -> AsyncIterable[bytes] | None:
        """Answer; return the stream that is left to the loop, if there is one."""
        parts = self._app(environ, cast("StartResponse", answer.start))
        if isinstance(parts, AsyncIterable):
            return parts
        try:
            answer.send(parts)
        finally:
            _close(parts)
        return None


class _Answer:
    """What the app answers: whole when it says how long it is, else as a stream."""

    def __init__(
        self, http: HTTPProtocol, loop: asyncio.AbstractEventLoop, *, is_head: bool
    ) -> None:
        self._http = http
        self._loop = loop
        self._is_head = is_head
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._body = b""
        self._is_sent = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        """WSGI's `start_response`."""
        del exc_info
        self._status = int(status[:3])
        self._headers = [(name.lower(), value) for name, value in headers]
        return _refuse_to_write

    def send(self, parts: Iterable[bytes]) -> None:
        """Send a stream as it comes; keep a whole answer for `finish`."""
        names = {name for name, _ in self._headers}
        if self._is_head or self._status in _NO_BODY:
            return
        if "content-length" in names:
            self._body = b"".join(parts)
            return
        self._is_sent = True
        stream: Any = self._in_loop(self._open())
        for part in parts:
            if part:
                self._in_loop(stream.send_bytes(part))

    async def pump(self, parts: AsyncIterable[bytes]) -> None:
        """Send a stream from the loop until it ends or its reader goes; close it."""
        self._is_sent = True
        line = self._http.response_stream(self._status, self._headers)

        async def send() -> None:
            async for part in parts:
                await line.send_bytes(part)

        async def leave() -> None:
            await self._http.client_disconnect()

        both = [asyncio.create_task(send()), asyncio.create_task(leave())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _close(parts)
            for each in both:
                each.cancel()
            results = await asyncio.gather(*both, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    @property
    def is_begun(self) -> bool:
        """Whether a part of a stream was sent."""
        return self._is_sent

    def fail(self) -> None:
        """Answer 500 in place of whatever the app began to say."""
        self._status, self._body = 500, b"Internal Server Error\n"
        self._headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ]

    def finish(self) -> None:
        """Send a whole answer, in the loop."""
        if self._is_sent:
            return
        if self._body:
            self._http.response_bytes(self._status, self._headers, self._body)
        else:
            self._http.response_empty(self._status, self._headers)

    async def _open(self) -> object:
        return self._http.response_stream(self._status, self._headers)

    def _in_loop(self, step: Any) -> Any:  # noqa: ANN401 - whatever the step returns
        async def run() -> Any:  # noqa: ANN401 - as above
            return await step

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        while True:
            try:
                return future.result(_LOOK_EVERY_S)
            except TimeoutError:
                # A slow browser, or a loop that has ended and will never say so.
                if not self._loop.is_running():
                    raise ProtocolClosed from None


def _close(parts: object) -> None:
    close: Callable[[], None] | None = getattr(parts, "close", None)
    if close is not None:
        close()


def _refuse_to_write(_: bytes) -> None:
    raise NotImplementedError("WSGI's write() is not served; return the body instead.")


def _latin_1(text: str) -> str:
    return text.encode().decode("latin-1")


def _environ(scope: Scope, body: bytes, declared: int | None) -> WSGIEnvironment:
    """Return PEP 3333's environment; what came as bytes is Latin-1 text in it."""
    server, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _latin_1(scope.path),  # decoded already: %2541 is %41 by now
        "QUERY_STRING": _latin_1(scope.query_string),
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue  # it would pass for the one with a hyphen, a proxy's word even
        key = f"HTTP_{name.upper().replace('-', '_')}"
        glue = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{glue}{value}" if key in environ else value
    environ.setdefault("HTTP_HOST", scope.authority or scope.server)
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ.pop("HTTP_CONTENT_LENGTH", None)
    # It was undone, and werkzeug would cut a chunked body at its limit without a word.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body) if declared is None else declared)
    return environ


class RsgiApp:
    """What the server calls: webhooks and tokens in the loop, every page in a thread.

    Args:
        hooks: Answers everything below `/hooks/`.
        tokens: Answers everything below `/tokens/`.
        pages: Answers the rest.
        always: Headers of the answer when one of them fails.
        on_stop: Called at the first signal, in a thread of its own. It closes the open
            live pages, because the server waits for every answer before it stops.
    """

    def __init__(
        self,
        hooks: WebhookEndpoint,
        tokens: TokenEndpoint,
        pages: WsgiAdapter,
        *,
        always: Lines = (),
        on_stop: Callable[[], None],
    ) -> None:
        self._hooks = hooks
        self._tokens = tokens
        self._pages = pages
        self._always = always
        self._on_stop = on_stop

    async def __rsgi__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request; never raises, or the server answers without headers."""
        answer: _Handler = self._pages
        if scope.path.startswith(PREFIX):
            answer = self._hooks
        elif scope.path.startswith(token_endpoint.PREFIX):
            answer = self._tokens
        try:
            await answer(scope, http)
        except Exception:  # noqa: BLE001 - logged with its trace; the sender gets a 500
            # The path may hold a secret; the trace holds no values.
            _log.exception("request.failed", method=scope.method, status=500)
            with suppress(Exception):  # the answer may have begun already
                http.response_empty(500, list(self._always))

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen to signals too; the server and its loop have set their handlers."""
        del loop
        for number in (signal.SIGINT, signal.SIGTERM):
            _handle_too(number, self._on_stop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the threads go when the server stops."""
        del loop
        self._hooks.close()
        self._tokens.close()
        self._pages.close()


def _handle_too(number: signal.Signals, act: Callable[[], None]) -> None:
    # `set_wakeup_fd` will not do: uvloop takes it for itself while it runs.
    before = signal.getsignal(number)

    def handle(got: int, frame: FrameType | None) -> None:
        threading.Thread(target=act, name="stopping", daemon=True).start()
        if callable(before):
            before(got, frame)

    signal.signal(number, handle)
