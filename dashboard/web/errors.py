"""One table from what services raise to what people see, as page or fragment."""

from contextlib import suppress
from http import HTTPStatus

from flask import (
    Flask,
    Response,
    current_app,
    json,
    make_response,
    render_template,
    request,
)
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
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
from dashboard.services.audit import tallies
from dashboard.web import htmx
from dashboard.web.api import problems
from dashboard.web.context import actor, now, runtime
from dashboard.web.signin import person

_STATUS = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    ConflictError: HTTPStatus.CONFLICT,
    InvalidInputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    # No 502: proxies put their own page in its place.
    UpstreamError: HTTPStatus.FAILED_DEPENDENCY,
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
_RETRY_AFTER_S = "30"

_log = get_logger(__name__)


def show_on(form: Form, error: DashboardError, *, field: str) -> None:
    """Show an error at the form's field it names, or else at `field`."""
    named = error.field if isinstance(error, InvalidInputError) else None
    form[named if named and named in form else field].errors = [str(error)]


def install(app: Flask) -> None:
    """Register one handler for our errors, the database's, HTTP's, and the rest."""
    app.register_error_handler(DashboardError, _ours)
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(500, _broken)


def _ours(error: DashboardError) -> Response:
    if isinstance(error, ForbiddenError):
        _record("request.refused")
    status = next(
        (code for kind, code in _STATUS.items() if isinstance(error, kind)), 500
    )
    return _show(status, str(error))


def _database(error: SQLAlchemyError) -> Response:
    """Answer an error of a view's own statement, which no context manager saw."""
    found = runtime().database.unavailable(error)
    if found is None:
        return make_response(current_app.handle_exception(error))
    return _ours(found)


def _csrf(_error: CSRFError) -> Response:
    _record("form.rejected")
    return _show(HTTPStatus.BAD_REQUEST, _FORM_EXPIRED)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    is_redirect = isinstance(error, RequestRedirect)
    if is_redirect or error.response is not None or status < HTTPStatus.BAD_REQUEST:
        return make_response(error.get_response())
    if problems.is_asked(request.path):
        return problems.of(error)
    if status == HTTPStatus.FORBIDDEN:
        _record("request.refused")
    shown = _show(status, _SENTENCES.get(status, "The request can't be answered."))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            shown.headers[name] = value
    return shown


def _record(act: str) -> None:
    """Record what was refused to whom: a stranger's path only as the route's rule."""
    rule = request.url_rule
    is_secret = rule is not None and "secret" in rule.arguments
    try:
        is_known = person() is not None and not is_secret
        path = request.path if is_known else str(rule or "")
        subject = f"{request.method} {path}"
        tallies.count(runtime().database, actor(), act, subject=subject, now=now())
    except (StorageError, SQLAlchemyError):  # it is refused all the same
        _log.warning("audit.not_recorded", act=act)


def _broken(_error: Exception) -> Response:
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, _UNEXPECTED)


def _show(status: int, message: str) -> Response:
    """Answer for whoever is signed in; without the database, for anybody."""
    if problems.is_asked(request.path):
        return _problem(status, message)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and not htmx.wants_fragment():
        template = _TEMPLATES.get(status, "errors/other.html")
        with suppress(StorageError, SQLAlchemyError):  # who is signed in is unknown
            return make_response(render_template(template, message=message), status)
    return _plain(status, message)


def _plain(status: int, message: str) -> Response:
    """Answer without the database, a session, or anybody signed in."""
    if problems.is_asked(request.path):
        return _problem(status, message)
    made = make_response(*_body(status, message))
    made.status_code = status
    made.vary.add("HX-Request")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        made.headers["Retry-After"] = _RETRY_AFTER_S
    return made


def _problem(status: int, message: str) -> Response:
    """Answer a call of the API that no view of it got."""
    return problems.answer(status, message, code=f"http_{status}")


def _body(status: int, message: str) -> tuple[str, dict[str, str]]:
    """Return the error in the form that was asked for, and its headers."""
    wanted = request.args.get("format")
    if wanted == "json":
        return json.dumps({"error": message}), {"Content-Type": "application/json"}
    if wanted == "csv":
        return f"{message}\n", {"Content-Type": "text/plain; charset=utf-8"}
    template = "errors/unavailable.html"
    if htmx.wants_fragment():
        template = "errors/_alert.html"
    elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
        template = "errors/plain.html"
    elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
        template = "errors/500.html"
    # Flask's `render_template` would ask who is signed in.
    found = current_app.jinja_env.get_template(template)
    request_id = get_contextvars().get("request_id")
    html = found.render(
        message=message, request_id=request_id, is_form=request.method == "POST"
    )
    return html, {"Content-Type": "text/html; charset=utf-8"}
