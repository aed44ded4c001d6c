"""Gives each request an id that is in the log, in the answer and on the error page."""

import secrets

import structlog
from flask import Flask, Response, request

_log = structlog.get_logger()


def install(app: Flask) -> None:
    """Bind the id before the view; log answers of 500 and up after it."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=secrets.token_hex(6))


def _end(response: Response) -> Response:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:
        response.headers["X-Request-Id"] = request_id
    if response.status_code >= 500:  # noqa: PLR2004 - an HTTP class
        _log.error(
            "request.failed",
            method=request.method,
            path=_path(),
            status=response.status_code,
        )
    return response


def _path() -> str:
    """Return the path without its query, which may hold a code; a link's as its rule.

    The address of a link made for one person is its secret.
    """
    rule = request.url_rule
    if rule is not None and "secret" in rule.arguments:
        return str(rule.rule)
    return request.path
