"""One small HTTP server in a thread; what it answers is a function of the request."""

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self
from wsgiref.types import WSGIApplication

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

Answering = Callable[[Request], Response]
Now = Callable[[], datetime]

_POLL_S = 0.05


class Calls:
    """What a server answered with a 2xx, and when."""

    def __init__(self) -> None:
        self._paths: dict[datetime, set[str]] = {}
        self._lock = threading.Lock()

    def add(self, path: str, status: int, at: datetime) -> None:
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            with self._lock:
                self._paths.setdefault(at, set()).add(path)

    def last(self, path: str) -> datetime | None:
        """Return when a path that begins so was last asked for."""
        with self._lock:
            found = (
                at
                for at, paths in self._paths.items()
                if any(each.startswith(path) for each in paths)
            )
            return max(found, default=None)

    def has(self, path: str, at: datetime) -> bool:
        with self._lock:
            return any(each.startswith(path) for each in self._paths.get(at, ()))


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running server.

    Attributes:
        url: Without a trailing slash.
    """

    url: str
    close: Callable[[], None]


def serve(app: WSGIApplication) -> Served:
    """Serve an app in a thread, on a free port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,))
    thread.daemon = True
    thread.start()

    def close() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return Served(url=f"http://127.0.0.1:{server.port}", close=close)


@dataclass(kw_only=True)
class Site:
    """A server that tells what it was asked.

    Attributes:
        url: Without a trailing slash.
        outage: While set, what every request gets instead of an answer.
        calls: Every request so far that was answered.
    """

    now: Now
    answer: Answering
    url: str = ""
    outage: Answering | None = None
    calls: Calls = field(default_factory=Calls)
    _close: Callable[[], None] = lambda: None

    def start(self) -> Self:
        served = serve(Request.application(self._take))
        self.url, self._close = served.url, served.close
        return self

    def close(self) -> None:
        self._close()

    def _take(self, request: Request) -> Response:
        request.get_data()  # before anything else reads it
        response = (self.outage or self.answer)(request)
        self.calls.add(request.path, response.status_code, self.now())
        return response


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def reply(status: int, body: Any = None, **headers: str) -> Response:
    """Answer JSON with its keys in reverse order; None is no body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return Response(status=status, headers=named)
    return Response(
        compact(body), status, headers=named, content_type="application/json"
    )


def compact(value: Any) -> bytes:
    """Write JSON as Zoom does: no spaces, UTF-8, surrogate pairs outside the BMP."""
    text = json.dumps(_reversed(value), separators=(",", ":"), ensure_ascii=False)
    return "".join(_escaped(each) for each in text).encode()


def _escaped(character: str) -> str:
    if ord(character) <= 0xFFFF:
        return character
    pair = character.encode("utf-16-be")
    return "".join(f"\\u{pair[at : at + 2].hex().upper()}" for at in (0, 2))


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(value[name]) for name in sorted(value, reverse=True)}
    if isinstance(value, list):
        return [_reversed(each) for each in value]
    return value


class Words:
    """Random words that a seed decides: tokens and ids that say nothing."""

    _LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

    def __init__(self, seed: int) -> None:
        self._drawing = random.Random(f"words {seed}")
        self._lock = threading.Lock()

    def word(self, length: int) -> str:
        with self._lock:
            return "".join(self._drawing.choices(self._LETTERS, k=length))

    def number(self, digits: int) -> int:
        with self._lock:
            return self._drawing.randrange(10 ** (digits - 1), 10**digits)

    def uuid(self) -> str:
        with self._lock:
            raw = self._drawing.getrandbits(128)
        text = f"{raw:032x}"
        return "-".join(
            (text[:8], text[8:12], "4" + text[13:16], "a" + text[17:20], text[20:])
        )
