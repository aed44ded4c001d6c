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

import structlog

from dashboard.clock import Clock
from dashboard.errors import StorageError
from dashboard.services.receiver import requests
from dashboard.services.receiver.requests import Reply
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.web.hooks import request as incoming
from dashboard.web.hooks.request import UnreadableError

PREFIX = "/hooks/"
"""Everything below belongs to the receiver, unknown paths too."""

ADDRESS = re.compile(
    "/hooks/zoom/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/?"
)
"""The zoom app's id is its one group."""

RETRY_AFTER_S = "30"
PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    503: "Service Unavailable",
}
_log = structlog.get_logger(__name__)


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
    """

    def __init__(self, app: WSGIApplication, runtime: ReceiverRuntime) -> None:
        self._app = app
        self._runtime = runtime

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer, or hand over what is not a webhook."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return self._app(environ, start_response)
        found = ADDRESS.fullmatch(path)
        if found is None:
            return _plain(start_response, 404)
        if environ["REQUEST_METHOD"] != "POST":
            answer = _plain(start_response, 405, ("Allow", "POST"))
            return [] if environ["REQUEST_METHOD"] == "HEAD" else answer
        try:
            return self._receive(UUID(found[1]), environ, start_response)
        except UnreadableError:
            return _plain(start_response, 400)
        except StorageError as error:
            log_not_stored(error, found[1])
            return _plain(start_response, 503, ("Retry-After", RETRY_AFTER_S))

    def _receive(
        self, app_id: UUID, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        began = time.perf_counter()
        writer = self._runtime.writer
        app = writer.keyring.find(app_id)
        if app is None:
            return _plain(start_response, 404)
        received_at = self._runtime.clock.now()
        request = incoming.read(environ, received_at=received_at, began=began)
        reply = requests.receive(writer, app, request)
        if reply.refused is None:
            return _answer(start_response, reply.body)
        log_refusal(reply)
        return _plain(start_response, reply.status)


def log_not_stored(error: StorageError, zoom_app_id: str) -> None:
    """Log why a webhook was not stored, unless the outage is logged already."""
    if not error.is_logged:
        _log.error("webhook.not_stored", zoom_app_id=zoom_app_id, reason=error.reason)


def log_refusal(reply: Reply) -> None:
    """Log why a request was refused, when it is one of the sample."""
    refused = reply.refused
    if refused is not None and reply.is_logged:
        _log.warning(
            "webhook.refused",
            zoom_app_id=str(refused.zoom_app_id),
            cause=refused.cause.value,
            reason=refused.detail,
            address=refused.address,
        )


def _answer(start_response: StartResponse, body: bytes) -> list[bytes]:
    headers = [("Content-Length", str(len(body)))]
    if body:
        headers.append(("Content-Type", "application/json"))
    start_response("200 OK", headers)
    return [body]


def _plain(
    start_response: StartResponse, status: int, *extra: tuple[str, str]
) -> list[bytes]:
    """Answer the status and nothing else: a refused sender learns no more."""
    body = f"{PHRASES[status]}\n".encode()
    start_response(
        f"{status} {PHRASES[status]}",
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *extra,
        ],
    )
    return [body]
