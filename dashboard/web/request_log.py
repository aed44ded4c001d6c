"""Gives each request an id that is in the log, in the answer and on the error page."""

import secrets
from http import HTTPStatus
from types import TracebackType

import structlog
from flask import Flask, Response, has_request_context, request

_LONGEST_PATH = 200

_log = structlog.get_logger()


class LoggedFlask(Flask):
    """Flask that logs an unexpected error as all else is logged, on one line."""

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log an error that no handler expects, with its trace."""
        _log.error(
            "request.exception",
            method=request.method if has_request_context() else "",
            path=_path() if has_request_context() else "",
            exc_info=exc_info,
        )


def install(app: Flask) -> None:
    """Bind the id before everything else; log answers of 500 and up after the view.

    Call it before whatever else may answer early.
    """
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=secrets.token_hex(6))


def _end(response: Response) -> Response:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id is not None:
        response.headers["X-Request-Id"] = request_id
    status = response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        is_outage = status == HTTPStatus.SERVICE_UNAVAILABLE
        log = _log.warning if is_outage else _log.error
        log("request.failed", method=request.method, path=_path(), status=status)
    return response


def _forget(_error: BaseException | None) -> None:
    # The thread's next lines may be of another door, which has no such id.
    structlog.contextvars.clear_contextvars()


def _path() -> str:
    """Return the path without its query, which may hold a code; a link's as its rule.

    The address of a link made for one person is its secret.
    """
    rule = request.url_rule
    if rule is not None and "secret" in rule.arguments:
        return str(rule.rule)
    return request.path[:_LONGEST_PATH]
