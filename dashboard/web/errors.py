"""One table from what services raise to what people see, as page or fragment."""

from flask import Flask, Response, make_response, render_template
from flask_wtf.csrf import CSRFError
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException

from dashboard.errors import (
    ConflictError,
    DashboardError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SchemaError,
    StorageError,
    UpstreamError,
)
from dashboard.web import htmx

_STATUS: dict[type[DashboardError], int] = {
    NotFoundError: 404,
    ForbiddenError: 403,
    ConflictError: 409,
    InvalidInputError: 422,
    UpstreamError: 502,
    StorageError: 503,
    SchemaError: 503,
}
_TEMPLATES = {403: "errors/403.html", 404: "errors/404.html"}
_FORGED = (
    "This form is too old or was sent from another page, so nothing was done. "
    "Go back, reload the page and send it again."
)
_WORDS = {
    400: "The request could not be understood, so nothing was done.",
    403: "Your role may not do this. Ask an admin to do it, or to change your role.",
    404: "There is nothing at this address.",
    405: "This address does not take that kind of request; nothing was done.",
    413: "That is too much to send at once; nothing was stored.",
    415: "This kind of content is not taken here; nothing was stored.",
}


def install(app: Flask) -> None:
    """Register one handler for our errors, one for HTTP's, one for the rest."""
    app.register_error_handler(DashboardError, _ours)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(500, _broken)


def _ours(error: DashboardError) -> Response:
    status = next(
        (code for kind, code in _STATUS.items() if isinstance(error, kind)), 500
    )
    return _show(status, str(error))


def _csrf(_error: CSRFError) -> Response:
    return _show(400, _FORGED)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:  # noqa: PLR2004 - an HTTP class
        return make_response(error.get_response())
    shown = _show(status, _WORDS.get(status, "The request cannot be answered."))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            shown.headers[name] = value
    return shown


def _broken(_error: Exception) -> Response:
    request_id = get_contextvars().get("request_id")
    if htmx.wants_fragment():
        words = "Something broke on our side; nothing you did was lost on purpose."
        return htmx.fragment("errors/_alert.html", status=500, message=words)
    return make_response(render_template("errors/500.html", request_id=request_id), 500)


def _show(status: int, message: str) -> Response:
    if htmx.wants_fragment():
        return htmx.fragment("errors/_alert.html", status=status, message=message)
    template = _TEMPLATES.get(status, "errors/other.html")
    if status >= 500:  # noqa: PLR2004 - who is signed in may not be known then
        template = "errors/unavailable.html"
    return make_response(render_template(template, message=message), status)
