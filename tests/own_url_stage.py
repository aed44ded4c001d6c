"""A public URL that really answers, and what may stand in front of the dashboard."""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.serving import WSGIRequestHandler, make_server

from dashboard.services.runtime import Services
from dashboard.web.hooks.wsgi import Receiver

Middleware = Callable[[WSGIApplication], WSGIApplication]


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving(app: WSGIApplication, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port of this machine; give the URL."""
    server = make_server(
        "localhost", 0, app, threaded=True, request_handler=_Quiet, ssl_context=tls
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def reachable(
    services: Services, front: Middleware | None = None
) -> Iterator[Services]:
    """Serve Zoom's own door at the public URL, with something in front of it."""
    door: WSGIApplication = Receiver(answering(404, b"no page here"), services)
    with serving(front(door) if front is not None else door) as url:
        yield replace(services, public_url=url)


def answering(
    status: int, body: bytes = b"", kind: str = "text/plain", **headers: str
) -> WSGIApplication:
    """Answer every request alike."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        named = [(key.replace("_", "-"), value) for key, value in headers.items()]
        length = ("Content-Length", str(len(body)))
        start_response(f"{status} -", [("Content-Type", kind), length, *named])
        return [body]

    return app


def instead(app: WSGIApplication) -> Middleware:
    """Put something in front that does not let anything through."""
    return lambda _: app


def adding_a_slash(_: WSGIApplication) -> WSGIApplication:
    """Be a framework in front that wants addresses to end with a slash."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        there = f"{environ['PATH_INFO']}/"
        return answering(308, Location=there)(environ, start_response)

    return app


def without_header(name: str) -> Middleware:
    """Be a proxy that takes a header off."""

    def front(door: WSGIApplication) -> WSGIApplication:
        def app(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            environ.pop(f"HTTP_{name.upper().replace('-', '_')}", None)
            return door(environ, start_response)

        return app

    return front


def with_body(change: Callable[[bytes], bytes]) -> Middleware:
    """Be a proxy that writes bodies anew on the way in."""

    def front(door: WSGIApplication) -> WSGIApplication:
        def app(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            changed = change(body)
            environ["wsgi.input"] = _Bytes(changed)
            environ["CONTENT_LENGTH"] = str(len(changed))
            return door(environ, start_response)

        return app

    return front


def with_answer(change: Callable[[dict[str, str]], object]) -> Middleware:
    """Be a proxy that changes what goes out."""

    def front(door: WSGIApplication) -> WSGIApplication:
        def app(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            answer = b"".join(door(environ, lambda *_: len))
            changed = json.dumps(change(json.loads(answer))).encode()
            kind = ("Content-Type", "application/json")
            start_response("200 OK", [kind, ("Content-Length", str(len(changed)))])
            return [changed]

        return app

    return front


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int) -> bytes:
        part, self._data = self._data[:size], self._data[size:]
        return part
