"""Refuses a `Host` that is no host, before Flask builds addresses with it.

Only its form is checked. Probes call by address, and a proxy may call by another name
than the public one.
"""

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LONGEST = 253
_LARGEST_PORT = 65_535
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?:(?P<name>{_LABEL}(?:\.{_LABEL})*\.?)|\[[0-9a-f:.]{{2,45}}\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
_BODY = b"The Host header of this request is not a host name.\n"
_HEADERS = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(_BODY))),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
]


class HostMiddleware:
    """WSGI middleware in front of Flask, behind what reads `X-Forwarded-Host`."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Pass the request on, or answer 400."""
        host = environ.get("HTTP_HOST")
        if host is None or is_host(host):  # HTTP/1.0 needs none
            return self._app(environ, start_response)
        start_response("400 Bad Request", list(_HEADERS))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [_BODY]


def is_host(text: str) -> bool:
    """Whether the text is a name or an IP address, with or without a port."""
    found = _HOST.fullmatch(text) if len(text) <= _LONGEST + len(":65535.") else None
    if found is None or len(found["name"] or "") > _LONGEST:
        return False
    return found["port"] is None or 0 < int(found["port"]) <= _LARGEST_PORT
