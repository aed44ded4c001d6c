"""Makes a view of the API out of a function, and describes it for the document.

spectree checks query and body against the function's annotations, and its answer
against the declared one; docs/decisions has why. Around it: the token, its rate, the
`Idempotency-Key` and the tags.
"""

import re
from collections.abc import Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, request
from pydantic import BaseModel
from spectree import Response as Answers
from spectree import SpecTree
from werkzeug.http import generate_etag

from dashboard.services.api_tokens import replays
from dashboard.services.api_tokens.replays import Answer, Claimed, Refused
from dashboard.services.api_tokens.tokens import Scope
from dashboard.web import access
from dashboard.web.api import bearer, problems
from dashboard.web.api.bearer import DEFAULT, Policy, RateCounts
from dashboard.web.api.problems import FieldProblem, Problem, ProblemError
from dashboard.web.context import now, runtime

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
ALWAYS = (401, 403, 422, 429, 503)
"""What any operation may answer besides its own."""

_COUNTS = "dashboard.api.rates"
_REPLAY = "api_replay_id"
_AGE = re.compile(rb'"age_s":[0-9]+')
_WITH_BODY = frozenset({"POST", "PATCH"})

F = TypeVar("F", bound=Callable[..., Any])


def _refuse(
    _request: object,
    _response: object,
    error: Exception | None,
    _instance: object,
    _adapter: object,
) -> None:
    if error is not None:
        raise problems.of_input(error)


spec = SpecTree(
    "flask",
    mode="strict",
    before=_refuse,
    naming_strategy=lambda model: str(model.__name__),
    nested_naming_strategy=lambda _parent, child: child,
    validation_error_model=Problem,
)


def blueprint(name: str, url_prefix: str) -> Blueprint:
    """Return a blueprint for operations."""
    bp = Blueprint(name, __name__, url_prefix=url_prefix)
    problems.install(bp)
    bp.after_request(bearer.add_rate)
    return bp


def install(app: Flask) -> None:
    """Give the app the counts of this process."""
    app.extensions[_COUNTS] = RateCounts()


def operation(  # noqa: PLR0913 - what a reader of the API must know of it
    bp: Blueprint,
    rule: str,
    scope: Scope,
    *,
    method: str = "GET",
    answers: type[BaseModel] | None,
    status: int = HTTPStatus.OK,
    may: Sequence[int] = (),
    policy: Policy = DEFAULT,
    tag: str,
    is_tagged: bool = True,
) -> Callable[[F], F]:
    """Declare an operation.

    Args:
        bp: Of the API.
        rule: Below `/api/v1`.
        scope: What the token needs.
        method: HTTP's.
        answers: The shape of a good answer; None for one without a body.
        status: Of a good answer.
        may: Which errors it answers besides `ALWAYS`.
        policy: How often it may be called.
        tag: The heading in the document.
        is_tagged: Whether it has an `ETag`.
    """
    has_body = method in _WITH_BODY
    errors = sorted({*ALWAYS, *may, *((400, 409, 413, 415) if has_body else ())})
    if "<" in rule and HTTPStatus.NOT_FOUND not in errors:
        errors.append(HTTPStatus.NOT_FOUND)
    documented = {f"HTTP_{int(status)}": answers}
    documented |= {f"HTTP_{int(code)}": Problem for code in errors}

    def declare(view: F) -> F:
        checked = spec.validate(
            resp=Answers(**documented),
            security=[{"token": [scope.value]}],
            tags=[tag],
            operation_id=view.__name__,
        )(view)
        takes_body = "json" in view.__annotations__

        @wraps(checked)
        def answered(**parts: object) -> Response:
            try:
                _require_plain_query()
                if takes_body:
                    _require_object()
                if method == "POST":
                    return _once(lambda: _made(checked(**parts)))
                response = _made(checked(**parts))
            except Exception as error:  # noqa: BLE001 - every error is answered so
                return problems.of(error)
            if method == "GET":
                _tag(response, is_tagged=is_tagged)
            return response

        access.by_token(lambda: _admit(scope, policy))(answered)
        bp.add_url_rule(rule, view.__name__, answered, methods=[method])
        return view

    return declare


def _admit(scope: Scope, policy: Policy) -> None:
    bearer.admit(scope, policy, current_app.extensions[_COUNTS])


def replay_id() -> str:
    """Return what names this request however often it is repeated; "" without a key."""
    return str(g.get(_REPLAY, ""))


def _made(returned: object) -> Response:
    response = current_app.make_response(returned)  # type: ignore[arg-type]  # as spectree leaves it
    if response.status_code == HTTPStatus.NO_CONTENT:
        response.headers.pop("Content-Type", None)
    return response


def _once(carry_out: Callable[[], Response]) -> Response:
    """Carry a request out once for its key, or answer as it was answered then."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    caller = bearer.caller()
    if key is None or caller is None:
        return carry_out()
    if not replays.is_key(key):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{IDEMPOTENCY_KEY} has 1 to {replays.LONGEST_KEY} visible characters.",
            code="invalid",
            errors=[FieldProblem(field=IDEMPOTENCY_KEY, message="Not valid.")],
        )
    runs = runtime()
    found = replays.claim(
        runs.database,
        runs.vault,
        token_id=caller.id,
        key=key,
        request_hash=replays.fingerprint(
            request.method, request.path, request.get_data()
        ),
        now=now(),
    )
    if isinstance(found, Answer):
        response = Response(found.body, found.status, content_type=found.content_type)
        response.headers[REPLAYED] = "true"
        return response
    if isinstance(found, Refused):
        raise _refused(found)
    return _stored(found, carry_out)


def _stored(claimed: Claimed, carry_out: Callable[[], Response]) -> Response:
    runs = runtime()
    setattr(g, _REPLAY, claimed.id)
    is_stored = False
    try:
        response = carry_out()
        if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            answer = Answer(
                status=response.status_code,
                content_type=response.content_type or "",
                body=response.get_data(),
            )
            replays.store(runs.database, runs.vault, claimed, answer)
            is_stored = True
        return response
    finally:
        if not is_stored:
            replays.give_back(runs.database, claimed)


def _refused(found: Refused) -> ProblemError:
    if found.is_other:
        return ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"This {IDEMPOTENCY_KEY} was used for another request. Use a new one.",
            code="idempotency_key_reused",
        )
    return ProblemError(
        HTTPStatus.CONFLICT,
        "The first request with this key is still being carried out. Repeat it soon.",
        code="in_progress",
        headers={"Retry-After": "2"},
    )


def _require_plain_query() -> None:
    """Refuse a name that comes twice: only one of its values would count."""
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{twice[0][:100]} is given more than once.",
            code="invalid",
            errors=[FieldProblem(field=twice[0][:100], message="Give it once.")],
        )


def _require_object() -> None:
    """Refuse a body that is no JSON object, before a field of it is looked at."""
    if not isinstance(request.get_json(), dict):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The body must be a JSON object. Nothing was changed.",
            code="invalid",
        )


def _tag(response: Response, *, is_tagged: bool) -> None:
    """Tag an answer: the same while only how long ago something was has changed."""
    if response.status_code != HTTPStatus.OK or not is_tagged:
        response.headers.setdefault("Cache-Control", "no-store")
        return
    response.set_etag(generate_etag(_AGE.sub(b"", response.get_data())), weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
