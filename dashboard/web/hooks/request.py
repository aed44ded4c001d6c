"""Reads the headers and the bounded body of a webhook; decodes nothing."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from wsgiref.types import InputStream, WSGIEnvironment

from werkzeug.exceptions import HTTPException

from dashboard.services.receiver.requests import WebhookRequest

MAX_BODY_BYTES = 1024 * 1024
"""Zoom documents no limit (docs/contracts/zoom.md 5.1); its events have a few KB."""

DISCARDED_BYTES = 16 * 1024 * 1024
"""How much of a body that is not wanted is read, so that its sender gets the answer."""

DISCARDED_WITHIN_S = 5.0

_LENGTH = re.compile("[0-9]{1,18}")
_CHUNK_BYTES = 64 * 1024
# `proxy` is no header but the environment's HTTP_PROXY, which some servers mix in.
_DROPPED = {"cookie", "proxy"}
_REMOVED = {"authorization", "proxy-authorization"}


class UnreadableError(Exception):
    """The sender went away, or its `Content-Length` is no number."""


def read(
    environ: WSGIEnvironment, *, received_at: datetime, began: float
) -> WebhookRequest:
    """Read a request's headers and at most the allowed bytes of its body.

    Args:
        environ: Of the WSGI server.
        received_at: Aware.
        began: `time.perf_counter()` before anything was read.

    Raises:
        UnreadableError: The sender went away, or the body has no known end.
    """
    declared = declared_bytes(environ.get("CONTENT_LENGTH") or "")
    body = b""
    if declared is None or declared <= MAX_BODY_BYTES:
        body = _body(environ, declared)
    if max(len(body), declared or 0) > MAX_BODY_BYTES:
        _discard(environ, declared)
    return make(
        list(_headers(environ)),
        body=body,
        declared=declared,
        address=environ.get("REMOTE_ADDR") or "",
        received_at=received_at,
        began=began,
    )


def make(  # noqa: PLR0913 - one request's facts, all named
    headers: Sequence[tuple[str, str]],
    *,
    body: bytes,
    declared: int | None,
    address: str,
    received_at: datetime,
    began: float,
) -> WebhookRequest:
    """Return a request whose body was read, up to one byte more than allowed.

    Args:
        headers: (name, value) in the server's order, names lower case. One that came
            twice may be there twice: both are kept, the last one counts.
        body: What was read; nothing when more was declared than is allowed.
        declared: `Content-Length`; None when absent.
        address: Of the sender, as named by the trusted proxies.
        received_at: Aware.
        began: `time.perf_counter()` before anything was read.
    """
    is_too_large = max(len(body), declared or 0) > MAX_BODY_BYTES
    found = dict(headers)
    return WebhookRequest(
        body=b"" if is_too_large else body,
        body_bytes=max(len(body), declared or 0) if is_too_large else len(body),
        declared_bytes=declared,
        headers=tuple(
            (name, "(removed)" if name in _REMOVED else value)
            for name, value in headers
            if name not in _DROPPED
        ),
        timestamp=found.get("x-zm-request-timestamp"),
        signature=found.get("x-zm-signature"),
        user_agent=found.get("user-agent", ""),
        address=address,
        is_too_large=is_too_large,
        received_at=received_at,
        began=began,
    )


def declared_bytes(length: str) -> int | None:
    """Return what `Content-Length` says; None when it is absent or empty.

    Raises:
        UnreadableError: It is no number.
    """
    if not length:
        return None
    if not _LENGTH.fullmatch(length):
        raise UnreadableError
    return int(length)


def _body(environ: WSGIEnvironment, declared: int | None) -> bytes:
    """Read what was declared, or to the end when the server knows it."""
    wanted = declared
    if wanted is None:
        wanted = MAX_BODY_BYTES + 1 if environ.get("wsgi.input_terminated") else 0
    stream: InputStream = environ["wsgi.input"]
    parts: list[bytes] = []
    while wanted > 0:
        part = _part(stream, min(wanted, _CHUNK_BYTES))
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def _discard(environ: WSGIEnvironment, declared: int | None) -> None:
    """Read on, up to a limit, so that the sender gets the answer and no broken pipe."""
    if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
        return
    left = min(declared or DISCARDED_BYTES, DISCARDED_BYTES)
    until = time.monotonic() + DISCARDED_WITHIN_S
    with suppress(UnreadableError):
        while left > 0 and time.monotonic() < until:
            part = _part(environ["wsgi.input"], min(left, _CHUNK_BYTES))
            if not part:
                return
            left -= len(part)


def _part(stream: InputStream, size: int) -> bytes:
    try:
        return stream.read(size)
    except (OSError, ValueError, HTTPException):
        # A reset, a time-out, broken chunks, or Werkzeug's word for any of them.
        raise UnreadableError from None


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").lower(), value
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            yield key.replace("_", "-").lower(), value
