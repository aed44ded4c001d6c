"""Request bodies against `openapi.json`, refused in the words of Django REST."""

import json
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from flask import request
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from dashboard.sandbox.recall.here import FieldsError, RefusalError, raw_body

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_formats = FormatChecker(formats=["uuid"])


@_formats.checks("uri")
def _is_url(value: object) -> bool:
    """Whether a URL names a scheme and a host; a body may hold anything."""
    try:
        parts = urlsplit(str(value))
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


@cache
def _components() -> dict[str, Any]:
    """Read the schemas, OpenAPI 3.0's `nullable` turned into JSON Schema."""
    text = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["components"]["schemas"]
    return {name: _plain(schema) for name, schema in found.items()}


def _plain(node: Any) -> Any:  # noqa: ANN401 - any piece of a JSON document
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value) for key, value in node.items()}
    if plain.pop("nullable", False) is True and "type" in plain:
        plain["type"] = [plain["type"], "null"]
    return plain


def checked_body(name: str) -> dict[str, Any]:
    """Return the request's body if it fits the schema `name` of `openapi.json`.

    Raises:
        FieldsError: A field is missing, unknown or wrong.
        RefusalError: The body is no JSON, or of a type the API does not take.
    """
    body = _read()
    schemas = _components()
    fields: dict[str, Any] = {
        key: ["This field is not allowed."]
        for key in body
        if key not in schemas[name]["properties"]
    }
    whole = {
        "$ref": f"#/components/schemas/{name}",
        "components": {"schemas": schemas},
    }
    validator = Draft202012Validator(whole, format_checker=_formats)
    for error in validator.iter_errors(body):
        for path, message in _told(error):
            _put(fields, path, message)
    if fields:
        raise FieldsError(fields)
    return body


def _read() -> dict[str, Any]:
    if request.mimetype in _FORMS:
        return _nested(request.form.to_dict())
    raw = raw_body()
    if not raw:
        return {}
    if request.mimetype != "application/json":
        kind = f'Unsupported media type "{request.mimetype}" in request.'
        raise RefusalError(415, {"detail": kind})
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise RefusalError(400, {"detail": f"JSON parse error - {error}"}) from None
    if not isinstance(body, dict):
        got = type(body).__name__
        text = f"Invalid data. Expected a dictionary, but got {got}."
        raise FieldsError({"non_field_errors": [text]})
    return body


def _nested(form: dict[str, str]) -> dict[str, Any]:
    """Read `a.b=c` as `{"a": {"b": "c"}}`, the way Django REST does."""
    body: dict[str, Any] = {}
    for name, value in form.items():
        outer, dot, inner = name.partition(".")
        if dot:
            body.setdefault(outer, {})[inner] = value
        else:
            body[outer] = value
    return body


def _told(error: ValidationError) -> list[tuple[list[str], str]]:
    """Return path and message of one finding, several if fields are missing."""
    path = [str(part) for part in error.absolute_path]
    match error.validator:
        case "required":
            required = cast("list[str]", error.validator_value)
            given = cast("dict[str, Any]", error.instance)
            missing = [one for one in required if one not in given]
            return [([*path, one], "This field is required.") for one in missing]
        case "enum":
            text = f'"{error.instance}" is not a valid choice.'
        case "minLength":
            text = "This field may not be blank."
        case "maxLength":
            limit = error.validator_value
            text = f"Ensure this field has no more than {limit} characters."
        case "format" if error.validator_value == "uuid":
            text = "Must be a valid UUID."
        case "format":
            text = "Enter a valid URL."
        case _ if error.instance is None:
            text = "This field may not be null."
        case "type" if error.validator_value == "object":
            text = "Invalid data. Expected a dictionary."
        case _:
            text = "Not a valid string."
    return [(path, text)]


def _put(fields: dict[str, Any], path: list[str], message: str) -> None:
    *outer, last = path or ["non_field_errors"]
    place = fields
    for name in outer:
        place = place.setdefault(name, {})
    messages = place.setdefault(last, [])
    if message not in messages:
        messages.append(message)
