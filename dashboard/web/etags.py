"""Fragments are answered 304 while nothing changed but the time."""

import re

from flask import Flask, Response, g, request
from werkzeug.http import generate_etag

from dashboard.web import htmx

_AGO = re.compile(rb"(?<= data-ago>)[^<]*")


def install(app: Flask) -> None:
    """Tag each fragment; before what compresses, so after it in the factory."""
    app.after_request(_not_modified)


def tag_of(html: bytes, *, form_token: str = "") -> str:
    """Return the tag of a fragment: the same as long as the same would be seen.

    New in each answer, though the page is the same: the form token, and how long ago
    a thing was, which static/app.js keeps right by itself.
    """
    lasting = _AGO.sub(b"", html)
    if form_token:
        lasting = lasting.replace(form_token.encode(), b"")
    return generate_etag(lasting)


def _not_modified(response: Response) -> Response:
    if (
        request.method != "GET"
        or response.status_code != 200  # noqa: PLR2004 - the one that has a body
        or response.is_streamed
        or not htmx.wants_fragment()
    ):
        return response
    tag = tag_of(response.get_data(), form_token=g.get("csrf_token", ""))
    response.set_etag(tag, weak=True)
    response.make_conditional(request)
    return response
