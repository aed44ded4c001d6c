"""Faults of the network and the edge, played by either simulator on request."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HTML_403 = (
    b"<!DOCTYPE HTML><HTML><HEAD><TITLE>ERROR: The request could not be satisfied"
    b"</TITLE></HEAD><BODY><H1>403 ERROR</H1>Request blocked.</BODY></HTML>"
)


class FaultKind(StrEnum):
    """Which fault."""

    DOWN = "down"  # the connection is closed without an answer
    UNAVAILABLE = "unavailable"  # 503 with an HTML body, from the edge
    SERVER_ERROR = "server_error"  # 500, empty body
    SLOW = "slow"  # the usual answer after `seconds`
    HTML_403 = "html_403"  # the firewall's page
    RATE_LIMITED = "rate_limited"  # 429 with Retry-After: `seconds`
    RATE_LIMITED_BARE = "rate_limited_bare"  # 429 without Retry-After
    LATE_ANSWER = "late_answer"  # handled at once, answered after `seconds`
    LOST_ANSWER = "lost_answer"  # handled, but the answer is lost
    NONSENSE = "nonsense"  # 200 with JSON of another shape
    HALF_ANSWER = "half_answer"  # handled, but only half of the body is sent
    NO_CREDIT = "no_credit"  # 402
    FORBIDDEN = "forbidden"  # 403 with JSON: the API's own
    IN_FLIGHT = "in_flight"  # 409: the first request with this key is still running
    EMPTY = "empty"  # 200 with an empty body
    PAGE = "page"  # 200 with a web page, as from a captive portal
    ANSWER = "answer"  # `status` with the JSON text `body`


@dataclass(kw_only=True)
class Fault:
    """One fault, as set by `POST /_sandbox/faults`.

    Attributes:
        kind: Which fault.
        path: Prefix of the paths it applies to; with `*` a pattern of the whole path.
        method: HTTP method it applies to; None for any.
        times: For how many more requests; None until cleared.
        seconds: Delay, or value of Retry-After, in seconds.
        status: Of an `answer`.
        body: Of an `answer`.
    """

    kind: FaultKind
    path: str = "/"
    method: str | None = None
    times: int | None = None
    seconds: float = 1.0
    status: int = 200
    body: str = "{}"


class Faults:
    """WSGI middleware that plays the faults set on it, except on `/_sandbox/`."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def set(self, faults: list[Fault]) -> None:
        """Replace all faults."""
        with self._lock:
            self._faults = list(faults)

    def _next_fault(self, environ: WSGIEnvironment) -> Fault | None:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path.startswith("/_sandbox/"):
            return None
        with self._lock:
            for fault in self._faults:
                pattern = fault.path if "*" in fault.path else f"{fault.path}*"
                if fault.times == 0 or not fnmatchcase(path, pattern):
                    continue
                if fault.method not in (None, method):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer as the app does, unless a fault applies."""
        fault = self._next_fault(environ)
        if fault is None:
            return self._app(environ, start_response)
        match fault.kind:
            case FaultKind.DOWN:
                # Werkzeug's server closes the connection on this without an answer.
                raise ConnectionAbortedError("simulated: no answer")
            case FaultKind.LOST_ANSWER:
                b"".join(self._app(environ, _ignore_start))
                raise ConnectionAbortedError("simulated: the answer is lost")
            case FaultKind.LATE_ANSWER:
                return self._late(environ, start_response, fault.seconds)
            case FaultKind.SLOW:
                time.sleep(fault.seconds)
                return self._app(environ, start_response)
            case FaultKind.HALF_ANSWER:
                return self._half(environ, start_response)
        status, headers, body = _edge_answer(fault)
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _late(
        self, environ: WSGIEnvironment, start_response: StartResponse, seconds: float
    ) -> Iterable[bytes]:
        body = b"".join(self._app(environ, start_response))
        time.sleep(seconds)
        return [body]

    def _half(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(
            status: str, headers: list[tuple[str, str]], *_: object
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return len

        # An empty body has no half; a body of two characters is announced.
        body = b"".join(self._app(environ, start)) or b" \n"
        status, headers = started[-1]
        others = [each for each in headers if each[0].lower() != "content-length"]
        start_response(status, [*others, ("Content-Length", str(len(body)))])
        yield body[: len(body) // 2]
        raise ConnectionAbortedError("simulated: the answer is cut off")


def _ignore_start(*_: object) -> Callable[[bytes], object]:
    return len


_HTML = ("Content-Type", "text/html")
_JSON = ("Content-Type", "application/json")
_EDGE: dict[FaultKind, tuple[str, tuple[str, str], bytes]] = {
    FaultKind.UNAVAILABLE: ("503 Service Unavailable", _HTML, b"<h1>503</h1>"),
    FaultKind.SERVER_ERROR: ("500 Internal Server Error", _HTML, b""),
    FaultKind.HTML_403: ("403 Forbidden", _HTML, _HTML_403),
    FaultKind.RATE_LIMITED: (
        "429 Too Many Requests",
        _JSON,
        b'{"detail":"Request was throttled."}',
    ),
    FaultKind.RATE_LIMITED_BARE: ("429 Too Many Requests", _JSON, b"{}"),
    FaultKind.NONSENSE: ("200 OK", _JSON, b'{"unexpected":[1,2,3]}'),
    FaultKind.NO_CREDIT: (
        "402 Payment Required",
        _JSON,
        b'{"code":"insufficient_credit","detail":"Please top up to continue."}',
    ),
    FaultKind.FORBIDDEN: (
        "403 Forbidden",
        _JSON,
        b'{"code":"permission_denied","detail":"You may not do this."}',
    ),
    FaultKind.IN_FLIGHT: (
        "409 Conflict",
        _JSON,
        b'{"code":"conflict","detail":"A request with this key is being processed."}',
    ),
    FaultKind.EMPTY: ("200 OK", _JSON, b""),
    FaultKind.PAGE: (
        "200 OK",
        _HTML,
        b"<!DOCTYPE html><h1>Welcome, please log in</h1>",
    ),
}


def _edge_answer(fault: Fault) -> tuple[str, list[tuple[str, str]], bytes]:
    if fault.kind is FaultKind.ANSWER:
        return f"{fault.status} Simulated", [_JSON], fault.body.encode()
    status, content_type, body = _EDGE[fault.kind]
    headers = [content_type]
    if fault.kind is FaultKind.RATE_LIMITED:
        headers.append(("Retry-After", str(int(fault.seconds))))
    return status, headers, body
