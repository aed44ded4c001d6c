"""One table from what services raise to what people see, as page or fragment."""

from http import HTTPStatus

from flask import Flask, Response, make_response, render_template
from flask_wtf.csrf import CSRFError
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException
from wtforms import Form

from dashboard.errors import (
    ConflictError,
    DashboardError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StorageError,
    UpstreamError,
)
from dashboard.web import htmx

_STATUS = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    ConflictError: HTTPStatus.CONFLICT,
    InvalidInputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UpstreamError: HTTPStatus.BAD_GATEWAY,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_TEMPLATES = {403: "errors/403.html", 404: "errors/404.html"}
_FORM_EXPIRED = (
    "This form has expired. Reload the page and try again; nothing was changed."
)
_SENTENCES = {
    400: "The request was not valid. Nothing was changed.",
    403: "Your role doesn't allow this. Ask an admin to do it or to change your role.",
    404: "There is no page at this address.",
    405: "This address doesn't accept that kind of request. Nothing was changed.",
    413: "The upload is too large. Nothing was saved.",
    415: "This content type isn't supported. Nothing was saved.",
}
_UNEXPECTED = "Something went wrong. Please try again."


def show_on(form: Form, error: DashboardError, *, field: str) -> None:
    """Show an error at the form's field it names, or else at `field`."""
    named = error.field if isinstance(error, InvalidInputError) else None
    form[named if named and named in form else field].errors = [str(error)]


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
    return _show(HTTPStatus.BAD_REQUEST, _FORM_EXPIRED)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < HTTPStatus.BAD_REQUEST:
        return make_response(error.get_response())
    shown = _show(status, _SENTENCES.get(status, "The request can't be answered."))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            shown.headers[name] = value
    return shown


def _broken(_error: Exception) -> Response:
    request_id = get_contextvars().get("request_id")
    if htmx.wants_fragment():
        return htmx.fragment("errors/_alert.html", status=500, message=_UNEXPECTED)
    return make_response(render_template("errors/500.html", request_id=request_id), 500)


def _show(status: int, message: str) -> Response:
    if htmx.wants_fragment():
        return htmx.fragment("errors/_alert.html", status=status, message=message)
    template = _TEMPLATES.get(status, "errors/other.html")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # who is signed in may be unknown
        template = "errors/unavailable.html"
    return make_response(render_template(template, message=message), status)
