"""The OpenAPI 3.1 document of the API, made from its operations."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from dashboard.services.api_tokens.tokens import PREFIX, SCOPE_WORDS
from dashboard.services.events import kinds
from dashboard.web.api import problems
from dashboard.web.api.operations import IDEMPOTENCY_KEY, REPLAYED, spec

VERSION = "1.0.0"

Part = dict[str, Any]

_ABOUT = (
    "What the dashboard knows and can do, for your own software.\n\n"
    "Send a token as `Authorization: Bearer <token>`; an admin creates it on the page "
    "API tokens or with `dashboard api-token add`. Lists have `next_cursor`: pass it "
    "as `cursor` until it is null. Errors are `application/problem+json` with a `code` "
    "for programs. Every POST takes an `Idempotency-Key`. GET answers have an `ETag`; "
    "with `If-None-Match` an unchanged one is 304."
)
_TEXT: Part = {"schema": {"type": "string"}}
_RATE: Part = {
    "RateLimit-Policy": {"description": "Requests in so many seconds.", **_TEXT},
    "RateLimit": {"description": "What is left, and when more is.", **_TEXT},
}
_RETRY: Part = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_WAITS = frozenset({"429", "503"})


def document(public_url: str) -> Part:
    """Return the document; needs an application context.

    Args:
        public_url: Where the API is reached.
    """
    made = deepcopy(spec.spec)
    for path, item in made["paths"].items():
        for method, one in item.items():
            _complete(path, method, one)
    schemes = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": f"{PREFIX}…",
            "description": "Scopes: "
            + " ".join(f"`{scope}`: {words}" for scope, words in SCOPE_WORDS.items()),
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zoom and Recall.ai dashboard",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": public_url}],
        "tags": made["tags"],
        "paths": dict(sorted(made["paths"].items())),
        "webhooks": {kind: _event(data) for kind, data in kinds.KINDS.items()},
        "components": {
            "schemas": dict(sorted(made["components"]["schemas"].items())),
            "securitySchemes": schemes,
        },
    }


def operations(made: Mapping[str, Any]) -> Iterator[tuple[str, str, Part]]:
    """Yield path, method and description of each operation of a document."""
    for path, item in made["paths"].items():
        for method, one in item.items():
            yield path, method.upper(), one


def _event(kind: type[kinds.Data]) -> Part:
    """Describe an event as it is sent to an endpoint (Standard Webhooks)."""
    schema = kinds.schema(kind)
    del schema["$schema"]
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "post": {
            "summary": kind.kind,
            "description": kind.about,
            "tags": ["Events"],
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "required": True, **_TEXT}
                for name in headers
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema}},
            },
            "responses": {
                "2XX": {"description": "Taken. Anything else is tried again later."}
            },
        }
    }


def _complete(path: str, method: str, one: Part) -> None:
    """Add what is so of every operation of a kind."""
    del path
    for parameter in one["parameters"]:
        if not parameter.get("description"):
            parameter.pop("description", None)
        schema = parameter["schema"]
        if parameter["in"] == "path" and schema.get("format") == "int32":
            schema.update(format="int64", minimum=0)
    for status, answer in one["responses"].items():
        _complete_answer(status, answer)
    good = [answer for status, answer in one["responses"].items() if status[0] == "2"]
    if method == "get":
        one["parameters"].append(
            {"name": "If-None-Match", "in": "header", "required": False, **_TEXT}
        )
        for answer in good:
            answer["headers"]["ETag"] = {"description": "Of this answer.", **_TEXT}
        one["responses"]["304"] = {
            "description": "Not modified",
            "headers": {"ETag": _TEXT, **_RATE},
        }
    if method == "post":
        one["parameters"].append(
            {
                "name": IDEMPOTENCY_KEY,
                "in": "header",
                "required": False,
                "description": "Carried out once for it; a repeat within 24 hours gets "
                "the same answer.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        )
        for answer in good:
            answer["headers"][REPLAYED] = {
                "description": "true, when this is the answer to the first request.",
                **_TEXT,
            }


def _complete_answer(status: str, answer: Part) -> None:
    answer["headers"] = {} if status == "401" else dict(_RATE)
    if status in _WAITS:
        answer["headers"].update(_RETRY)
    content = answer.get("content")
    if content and status >= "400":
        answer["content"] = {problems.MEDIA_TYPE: content["application/json"]}
