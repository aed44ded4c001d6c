"""Zoom's door for any WSGI server, in front of Flask: no session, redirect or page.

`dashboard serve` and `dashboard web` answer at the same door in an event loop: see
`web.hooks.rsgi`.
"""

import re
import time
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from dashboard.clock import Clock
from dashboard.errors import StorageError
from dashboard.services.receiver import requests
from dashboard.services.receiver.requests import PHRASES, Reply
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.web.headers import Lines
from dashboard.web.hooks import request as incoming
from dashboard.web.hooks.request import UnreadableError

PREFIX = "/hooks/"
"""Everything below belongs to the receiver, unknown paths too."""

ADDRESS = re.compile(
    "/hooks/zoom/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/?"
)
"""The zoom app's id is its one group."""

Answer = tuple[int, bytes, Lines]
"""Status, body, and headers beside those of every answer."""

_TEXT = ("content-type", "text/plain; charset=utf-8")
_EXTRA: dict[int, Lines] = {
    405: [("allow", "POST")],
    503: [("retry-after", "30")],
}


class ReceiverRuntime(Protocol):
    """What the receiver needs of the runtime."""

    @property
    def clock(self) -> Clock:
        """The current time."""
        ...

    @property
    def writer(self) -> WebhookWriter:
        """Stores webhooks."""
        ...


class WebhookMiddleware:
    """WSGI middleware for `POST /hooks/zoom/<zoom app id>`, with or without slash.

    Answers 200 when the webhook is on disk, 503 when it could not be stored, and
    short plain text without details to everything else. Never raises.

    Args:
        app: Answers everything outside `/hooks/`.
        runtime: What it works with.
        always: Headers of every answer.
    """

    def __init__(
        self, app: WSGIApplication, runtime: ReceiverRuntime, *, always: Lines = ()
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._always = always

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer, or hand over what is not a webhook."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._app(environ, start_response)
        status, body, extra = self._reply(path, environ)
        lines = [*self._always, ("content-length", str(len(body))), *extra]
        start_response(f"{status} {PHRASES[status]}", lines)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _reply(self, path: str, environ: WSGIEnvironment) -> Answer:
        found = ADDRESS.fullmatch(path)
        if found is None:
            return plain(404)
        if environ["REQUEST_METHOD"] != "POST":
            return plain(405)
        try:
            return self._receive(UUID(found[1]), environ)
        except UnreadableError:
            return plain(400)
        except StorageError as error:
            log_not_stored(self._runtime.writer, error, found[1])
            return plain(503)

    def _receive(self, app_id: UUID, environ: WSGIEnvironment) -> Answer:
        began = time.perf_counter()
        writer = self._runtime.writer
        app = writer.keyring.find(app_id)
        if app is None:
            return plain(404)
        received_at = self._runtime.clock.now()
        request = incoming.read(environ, received_at=received_at, began=began)
        return answer(requests.receive(writer, app, request))


def answer(reply: Reply) -> Answer:
    """Return what is sent."""
    if reply.refused is not None:
        return plain(reply.status)
    kind = [("content-type", "application/json")] if reply.body else []
    return 200, reply.body, kind


def plain(status: int) -> Answer:
    """Return the status and nothing else: a refused sender learns no more."""
    return status, f"{PHRASES[status]}\n".encode(), [_TEXT, *_EXTRA.get(status, ())]


def log_not_stored(
    writer: WebhookWriter, error: StorageError, zoom_app_id: str
) -> None:
    """Log why webhooks are answered 503, unless the outage is logged already."""
    if not error.is_logged:
        writer.not_stored.record(zoom_app_id=zoom_app_id, reason=error.reason)
