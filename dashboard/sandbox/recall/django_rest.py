"""Bodies, filters and pages as Django REST handles them in the real Recall."""

import base64
import binascii
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlencode, urlsplit

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from dashboard.sandbox.recall.records import LogEntry
from dashboard.sandbox.recall.requests import (
    FieldsError,
    RefusalError,
    current_workspace,
    current_world,
    raw_body,
)

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_FORWARD, _BACKWARD = "f", "r"
_formats = FormatChecker(formats=["uuid"])
_Place = tuple[str, int]  # the instant it is ordered by, and its `seq`


@_formats.checks("uri")
def _is_url(value: object) -> bool:
    """Whether the value is a URL with a scheme and a host."""
    try:
        parts = urlsplit(str(value))
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


@cache
def _components() -> dict[str, Any]:
    """Return the schemas, with OpenAPI 3.0's `nullable` as JSON Schema."""
    text = Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)["components"]["schemas"]
    return {name: _without_nullable(schema) for name, schema in found.items()}


def _without_nullable(node: Any) -> Any:  # noqa: ANN401 - any piece of a JSON document
    if isinstance(node, list):
        return [_without_nullable(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_nullable(value) for key, value in node.items()}
    if plain.pop("nullable", False) is True and "type" in plain:
        plain["type"] = [plain["type"], "null"]
    return plain


def checked_body(name: str) -> dict[str, Any]:
    """Return the request's body after checking it against a schema of `openapi.json`.

    Raises:
        FieldsError: A field is missing, unknown or wrong.
        RefusalError: The body is not JSON, or of an unsupported type.
    """
    body = _body()
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
        for path, message in _messages(error):
            _add(fields, path, message)
    if fields:
        raise FieldsError(fields)
    return body


def _body() -> dict[str, Any]:
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


def _messages(error: ValidationError) -> list[tuple[list[str], str]]:
    """Return path and message of an error; several if fields are missing."""
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


def _add(fields: dict[str, Any], path: list[str], message: str) -> None:
    *outer, last = path or ["non_field_errors"]
    place = fields
    for name in outer:
        place = place.setdefault(name, {})
    messages = place.setdefault(last, [])
    if message not in messages:
        messages.append(message)


def text_filter(name: str) -> str | None:
    """Return a query parameter; None if absent or empty."""
    return request.args.get(name) or None


def uuid_filter(name: str) -> str | None:
    """Return a UUID parameter in lower case.

    Raises:
        FieldsError: It is not a UUID.
    """
    value = text_filter(name)
    try:
        return value and str(uuid.UUID(value))
    except ValueError:
        raise FieldsError({name: ["Enter a valid UUID."]}) from None


def number_filter(name: str) -> int | None:
    """Return a whole-number parameter.

    Raises:
        FieldsError: It is not a number.
    """
    value = text_filter(name)
    try:
        return None if value is None else int(value)
    except ValueError:
        raise FieldsError({name: ["Enter a number."]}) from None


def choice_filter(name: str, among: type[StrEnum]) -> str | None:
    """Return a parameter that is one of an enumeration.

    Raises:
        FieldsError: It is another value.
    """
    value = text_filter(name)
    if value is None or value in set(among):
        return value
    message = f"Select a valid choice. {value} is not one of the available choices."
    raise FieldsError({name: [message]})


def is_within(name: str, instant: datetime | None) -> bool:
    """Whether an instant lies between `<name>_after` and `<name>_before`, inclusive.

    Raises:
        FieldsError: A bound is not an ISO 8601 date-time.
    """
    after, before = _instant(f"{name}_after"), _instant(f"{name}_before")
    if instant is None:
        return after is None and before is None
    return (after is None or instant >= after) and (before is None or instant <= before)


def _instant(name: str) -> datetime | None:
    value = text_filter(name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise FieldsError({name: ["Enter a valid date/time."]}) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


class _Listed(Protocol):
    seq: int

    def as_json(self) -> dict[str, Any]: ...


def page(items: Iterable[_Listed], *, ordering: str) -> dict[str, Any]:
    """Return the page of `items` that the query's cursor asks for.

    Source: docs/contracts/recall.md 1.4.

    Args:
        items: All items that match the filters.
        ordering: The attribute they are ordered by, newest first unless switched.
            `?ordering=` with this value begins with the oldest; any other value is
            ignored, as Django REST does.

    Raises:
        RefusalError: 404, the cursor is invalid.
    """
    switches = current_world().switches
    is_asked = request.args.get("ordering") == ordering
    ascending = is_asked or switches.list_order == "oldest"
    placed = sorted(
        ((_place(one, ordering), one) for one in items),
        key=lambda pair: pair[0],
        reverse=not ascending,
    )
    places = [place for place, _ in placed]
    size = switches.page_size
    begin, end = _bounds(places, size, ascending=ascending)
    return {
        "next": _url(_FORWARD, places[end - 1]) if end < len(places) else None,
        "previous": _url(_BACKWARD, places[begin]) if 0 < begin < len(places) else None,
        "results": [one.as_json() for _, one in placed[begin:end]],
    }


def _place(item: _Listed, ordering: str) -> _Place:
    instant: datetime = getattr(item, ordering)
    return instant.isoformat(timespec="microseconds"), item.seq


def _bounds(places: list[_Place], size: int, *, ascending: bool) -> tuple[int, int]:
    """Return begin and end of the page: after the cursor, or before it."""
    cursor = request.args.get("cursor")
    if not cursor:
        return 0, min(size, len(places))
    direction, mark = _parse_cursor(cursor)
    if direction == _FORWARD:
        passed = [one <= mark if ascending else one >= mark for one in places]
        begin = sum(passed)
        return begin, min(begin + size, len(places))
    ahead = [one < mark if ascending else one > mark for one in places]
    end = sum(ahead)
    return max(0, end - size), end


def _url(direction: str, place: _Place) -> str:
    """Return the absolute URL of a page, with the query's filters."""
    text = f"{direction}|{place[0]}|{place[1]}"
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    query = {**request.args.to_dict(), "cursor": cursor}
    return f"{request.base_url}?{urlencode(query)}"


def _parse_cursor(cursor: str) -> tuple[str, _Place]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
        direction, at, seq = text.split("|")
        return direction, (at, int(seq))
    except (binascii.Error, ValueError):
        raise RefusalError(404, {"detail": "Invalid cursor"}) from None


def log_page(entries: list[LogEntry], *, about: str) -> ResponseReturnValue:
    """Return a page of log entries, filtered by subject and time."""
    subject = uuid_filter(about)
    with current_world().lock:
        found = [
            one
            for one in entries
            if one.workspace is current_workspace()
            and subject in (None, one.subject)
            and is_within("created_at", one.created_at)
        ]
        return jsonify(page(found, ordering="created_at"))
