"""A server's side of a page, and apps that answer as told."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from granian.rsgi import ProtocolClosed

from dashboard.web.rsgi.bridge import Bridge
from tests.web.rsgi_stage import Protocol, Scope

LIMIT = 100
LONG_S = 30


class Server(Protocol):
    """A request for a page: takes streams too, until its browser goes away."""

    def __init__(self, parts: list[bytes], *, leaves_after: int = LIMIT) -> None:
        super().__init__(parts)
        self.sent: list[bytes] = []
        self._leaves_after = leaves_after

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> "Server":
        self.answers.append((status, dict(headers), b"a stream"))
        return self

    async def client_disconnect(self) -> None:
        await asyncio.Event().wait()

    async def send_bytes(self, data: bytes) -> None:
        if len(self.sent) >= self._leaves_after:
            raise ProtocolClosed
        self.sent.append(data)


class Page:
    """A WSGI app that notes what it is given and answers as told."""

    def __init__(
        self, parts: Iterable[bytes] = (), *, status: str = "200 OK", **headers: str
    ) -> None:
        self.parts = parts
        self.status = status
        self.headers = headers
        self.environ: WSGIEnvironment = {}
        self.body = b""
        self.closed = 0

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> "Page":
        self.environ = environ
        self.body = environ["wsgi.input"].read()
        named = [(key.replace("_", "-"), value) for key, value in self.headers.items()]
        start_response(self.status, named)
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        self.closed += 1


def get(page: Callable[..., Any], http: Server | None = None, **scope: Any) -> Server:
    made = http or Server([])
    bridge = Bridge(page, threads=2, largest_body=LIMIT)
    values = {"method": "GET", "path": "/", **scope}
    asyncio.run(bridge(Scope(**values), made))  # type: ignore[arg-type]  # fakes
    bridge.close()
    return made
