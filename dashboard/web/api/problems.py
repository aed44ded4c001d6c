"""Errors of the API as `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Blueprint, Response, current_app
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException

from dashboard.errors import (
    ConflictError,
    DashboardError,
    ForbiddenError,
    GrantLostError,
    InvalidInputError,
    NotFoundError,
    StorageError,
    UpstreamError,
    VaultError,
)
from dashboard.web.context import runtime

PREFIX = "/api/"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "30"

_STATUS = {
    NotFoundError: (HTTPStatus.NOT_FOUND, "not_found"),
    ForbiddenError: (HTTPStatus.FORBIDDEN, "forbidden"),
    GrantLostError: (HTTPStatus.CONFLICT, "reconnect_needed"),
    ConflictError: (HTTPStatus.CONFLICT, "conflict"),
    InvalidInputError: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    # No 502: proxies put their own page in its place.
    UpstreamError: (HTTPStatus.FAILED_DEPENDENCY, "upstream"),
    StorageError: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
    VaultError: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}
_SENTENCES = {
    400: "The body is not JSON. Nothing was changed.",
    404: "There is nothing at this address.",
    405: "This address doesn't accept that method. Nothing was changed.",
    413: "The body is too large. Nothing was changed.",
    415: "Send the body as application/json. Nothing was changed.",
}
_NAMES = {"user_ref": "reference", "days": "expires_days"}
_BROKEN = "Something went wrong. Nothing more is known; the log has the request ID."

_log = get_logger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An error (RFC 9457). `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []
    request_id: str


class ProblemError(Exception):
    """Ends a request of the API with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        code: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.errors = errors
        self.headers = headers or {}


def install(bp: Blueprint) -> None:
    """Have the views of a blueprint answer every error so."""
    for kind in (ProblemError, DashboardError, SQLAlchemyError, HTTPException):
        bp.register_error_handler(kind, of)
    bp.register_error_handler(Exception, of)


def of(error: Exception) -> Response:
    """Return the answer for an error, whatever it is."""
    match error:
        case ProblemError():
            return answer(
                error.status,
                str(error),
                code=error.code,
                errors=error.errors,
                headers=error.headers,
            )
        case DashboardError():
            return _of_ours(error)
        case SQLAlchemyError():
            found = runtime().database.unavailable(error)
            return _broken(error) if found is None else _of_ours(found)
        case HTTPException():
            return _of_http(error)
        case _:
            return _broken(error)


def of_input(error: Exception) -> ProblemError:
    """Return the problem of a query or body that pydantic refused."""
    found = []
    if isinstance(error, ValidationError):
        for one in error.errors(include_url=False, include_input=False):
            field = ".".join(str(part) for part in one["loc"])[:100]
            found.append(FieldProblem(field=field, message=one["msg"][:300]))
    named = ", ".join(dict.fromkeys(one.field for one in found if one.field))
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Not valid: {named or 'the request'}. Nothing was changed.",
        code="invalid",
        errors=found,
    )


def answer(
    status: int,
    detail: str,
    *,
    code: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as a response."""
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=list(errors),
        request_id=str(get_contextvars().get("request_id") or ""),
    )
    response = Response(problem.model_dump_json(), status, content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER_S
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def _of_ours(error: DashboardError) -> Response:
    status, code = next(
        (found for kind, found in _STATUS.items() if isinstance(error, kind)),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "internal"),
    )
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _broken(error)
    detail = error.message() if isinstance(error, UpstreamError) else str(error)
    errors = []
    if isinstance(error, InvalidInputError) and error.field:
        field = _NAMES.get(error.field, error.field)
        errors = [FieldProblem(field=field, message=str(error))]
    headers = {}
    if isinstance(error, UpstreamError) and error.retry_after_s:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return answer(status, detail, code=code, errors=errors, headers=headers)


def _of_http(error: HTTPException) -> Response:
    if error.response is not None and error.code is None:
        return current_app.make_response(error.get_response())
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return current_app.make_response(error.get_response())
    phrase = HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    kept = {
        name: value
        for name, value in error.get_headers()
        if name in ("Allow", "Retry-After")
    }
    detail = _SENTENCES.get(status, "The request can't be answered.")
    return answer(status, detail, code=code, headers=kept)


def _broken(error: Exception) -> Response:
    _log.error("api.exception", exc_info=error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, _BROKEN, code="internal")


def is_asked(path: str) -> bool:
    """Whether an address is the API's, also where there is nothing."""
    return path.startswith(PREFIX)
