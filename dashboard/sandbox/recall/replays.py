"""Idempotency keys: key, caller and path are the identity.

Source: docs/contracts/recall.md 1.8.
"""

from datetime import timedelta

from flask import Response, g, request

from dashboard.sandbox.recall.here import RefusalError, world
from dashboard.sandbox.recall.records import StoredAnswer, Workspace

_KEPT_FOR = timedelta(hours=1)
_METHODS = ("POST", "PUT", "PATCH")


def admit(workspace: Workspace) -> Response | None:
    """Return the stored answer of a repeat, or note that this request runs.

    Raises:
        RefusalError: 409, the first is still running.
    """
    key = request.headers.get("Idempotency-Key")
    if not key or request.method not in _METHODS:
        return None
    its_world, identity = world(), (key, workspace.api_key, request.path)
    with its_world.lock:
        if identity not in its_world.answers:
            its_world.answers[identity] = None
            g.idempotent = identity
            return None
        stored = its_world.answers[identity]
        if stored is None:
            detail = "A request with this Idempotency-Key is being processed."
            raise RefusalError(409, {"code": "conflict", "detail": detail})
        if its_world.clock.now() - stored.at > _KEPT_FOR:
            its_world.answers[identity] = None
            g.idempotent = identity
            return None
    return Response(stored.body, status=stored.status, content_type=stored.content_type)


def keep(response: Response) -> Response:
    """Store the answer of the request that runs under a key; return it unchanged."""
    identity = g.pop("idempotent", None)
    if identity is not None:
        its_world = world()
        stored = StoredAnswer(
            at=its_world.clock.now(),
            status=response.status_code,
            content_type=response.content_type,
            body=response.get_data(),
        )
        with its_world.lock:
            its_world.answers[identity] = stored
    return response


def abandon(_: BaseException | None) -> None:
    """Free the key of a request that ended without an answer."""
    identity = g.pop("idempotent", None)
    if identity is not None:
        its_world = world()
        with its_world.lock:
            its_world.answers.pop(identity, None)
