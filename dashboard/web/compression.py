"""Pages travel compressed: a full log is 57 KB of HTML and 6 KB on the wire.

Compressing pages that hold a CSRF token lets an attacker guess it (BREACH) only when a
victim's browser can be made to ask for them many times from another site, with the
session: SameSite=Lax keeps the cookie out of such requests.
"""

import gzip

from flask import Flask, Response, request

_LEVEL = 5
_WORTH_IT_BYTES = 1000
_TYPES = ("text/html", "application/json")


def install(app: Flask) -> None:
    """Compress what the browser takes compressed; before other `after_request`s.

    Flask calls those in the reverse order, so this one sees the final answer.
    """
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    if response.mimetype not in _TYPES or response.direct_passthrough:
        return response
    response.vary.add("Accept-Encoding")
    if (
        response.is_streamed  # live pages and exports go out as they come
        or "Content-Encoding" in response.headers
        or not request.accept_encodings["gzip"]
        or (response.content_length or 0) < _WORTH_IT_BYTES
    ):
        return response
    response.set_data(gzip.compress(response.get_data(), _LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    etag, is_weak = response.get_etag()
    if etag is not None and not is_weak:
        response.set_etag(etag, weak=True)  # the same page in other bytes
    return response
