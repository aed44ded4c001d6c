"""Who calls the API: a bearer token, its scope, its limits and its rate.

A session never counts here: no cookie is read, so no other site can make a browser
call.
"""

import math
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast
from uuid import UUID

from flask import Response, g, request
from sqlalchemy.exc import SQLAlchemyError

from dashboard.errors import StorageError
from dashboard.services.api_tokens import tokens
from dashboard.services.api_tokens.tokens import Bearer, Scope
from dashboard.services.audit import Actor
from dashboard.web import limits
from dashboard.web.api.problems import ProblemError
from dashboard.web.context import act_as, runtime

WINDOW_S = 60
_KEY = "api_bearer"
_RATE = "api_rate"
_MOST_COUNTED = 10_000


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How many requests a token may make in a minute, of a process.

    Attributes:
        name: As the headers say it.
    """

    name: str
    most: int


DEFAULT = Policy(name="default", most=600)
ACCESS_TOKENS = Policy(name="access-tokens", most=120)


@dataclass(kw_only=True)
class RateCounts:
    """Counts of each token and policy in the running minute; thread-safe."""

    mutex: threading.Lock = field(default_factory=threading.Lock)
    counts: dict[tuple[UUID, str], tuple[float, int]] = field(default_factory=dict)

    def take(self, token_id: UUID, policy: Policy, *, now_s: float) -> tuple[int, int]:
        """Count one request; return what is left (-1: none) and when more is, in s."""
        key = (token_id, policy.name)
        with self.mutex:
            began, number = self.counts.get(key, (now_s, 0))
            if not began <= now_s < began + WINDOW_S:
                began, number = now_s, 0
            if len(self.counts) > _MOST_COUNTED:
                self.counts.clear()
            self.counts[key] = (began, min(number + 1, policy.most + 1))
            return policy.most - number - 1, math.ceil(began + WINDOW_S - now_s)


def admit(scope: Scope, policy: Policy, counts: RateCounts) -> None:
    """Let a request in, or end it with a problem."""
    found = _given()
    runs = runtime()
    now = runs.clock.now()
    with runs.database.reading() as session:
        bearer = tokens.find(session, found, now=now)
    if bearer is None:
        raise _unauthorized(
            "This token is unknown, expired or revoked.", error="invalid_token"
        )
    setattr(g, _KEY, bearer)
    name = f"API token {bearer.name} ({bearer.id})"
    act_as(Actor(name=name, address=request.remote_addr or ""))
    left, again_s = counts.take(bearer.id, policy, now_s=now.timestamp())
    setattr(g, _RATE, (policy, max(left, 0), again_s))
    if left < 0:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"More than {policy.most} requests in a minute. Wait {again_s} s.",
            code="rate_limited",
            headers={"Retry-After": str(again_s)},
        )
    if scope not in bearer.scopes:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            f"This token lacks the scope {scope}. An admin can create another one.",
            code="scope_missing",
            headers={
                "WWW-Authenticate": "Bearer "
                f'error="insufficient_scope", scope="{scope}"'
            },
        )
    with suppress(StorageError, SQLAlchemyError):  # it is let in all the same
        tokens.note_use(runs.database, runs.clock, bearer, request.remote_addr or "")
    if bearer.zoom_app_id is not None:
        limits.apply(frozenset({bearer.zoom_app_id}))


def caller() -> Bearer | None:
    """Return whose token this request has; None outside the API."""
    return cast("Bearer | None", g.get(_KEY))


def add_rate(response: Response) -> Response:
    """Say how much of the rate is left (draft-ietf-httpapi-ratelimit-headers-10)."""
    rate = g.get(_RATE)
    if rate is not None:
        policy, left, again_s = rate
        written: Mapping[str, str] = {
            "RateLimit-Policy": f'"{policy.name}";q={policy.most};w={WINDOW_S}',
            "RateLimit": f'"{policy.name}";r={left};t={again_s}',
        }
        response.headers.update(written)
    return response


def _given() -> str:
    header = request.headers.get("Authorization", "")
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise _unauthorized("Send a token as Authorization: Bearer <token>.")
    return token.strip()


def _unauthorized(detail: str, *, error: str = "") -> ProblemError:
    challenge = 'Bearer realm="dashboard"'
    if error:
        challenge += f', error="{error}"'
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        detail,
        code="unauthorized",
        headers={"WWW-Authenticate": challenge},
    )
