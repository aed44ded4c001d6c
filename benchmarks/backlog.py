"""Webhooks waiting to be delivered, taken in through the receiver without a network."""

import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from benchmarks.load import Event, events
from benchmarks.stage import APP_ID, Site, StageError
from dashboard.app import create_app

_THREADS = 64
_AT_ONCE = 4096
_SWITCH_S = 0.0005


def fill(site: Site, count: int, *, first: int = 0) -> None:
    """Take in `count` distinct events with nobody delivering them.

    Raises:
        StageError: One was refused.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        with site.runtime() as runtime, ThreadPoolExecutor(_THREADS) as threads:
            receiver = create_app(runtime).wsgi_app
            waiting = events(count, first)
            while some := list(islice(waiting, _AT_ONCE)):
                for status in threads.map(lambda each: _post(receiver, each), some):
                    if not status.startswith("200 "):
                        raise StageError(f"The receiver answered {status}.")
    finally:
        sys.setswitchinterval(usual)


def _post(receiver: WSGIApplication, event: Event) -> str:
    answered: list[str] = []

    def start_response(
        status: str,
        _headers: list[tuple[str, str]],
        _error: Any = None,  # noqa: ANN401 - as WSGI has it
        /,
    ) -> Any:  # noqa: ANN401 - as WSGI has it
        answered.append(status)

    body: Iterable[bytes] = receiver(_environ(event), start_response)
    for _ in body:
        pass
    return answered[0]


def _environ(event: Event) -> WSGIEnvironment:
    path = f"/hooks/zoom/{APP_ID}"
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json; charset=utf-8",
        "CONTENT_LENGTH": str(len(event.body)),
        "HTTP_HOST": "dashboard.example.com",
        "HTTP_USER_AGENT": "Zoom Marketplace/1.0a",
        "HTTP_CLIENTID": "bEnChMaRkClIeNtId0001",
        "HTTP_X_ZM_REQUEST_TIMESTAMP": event.timestamp,
        "HTTP_X_ZM_SIGNATURE": event.signature,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(event.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
