"""What a vendor's error body says, whichever of its many forms it has.

Source: docs/contracts/recall.md 1.7, docs/contracts/zoom.md 3.3 and 4.3; checked
2026-11-23.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from pydantic_core import from_json

from dashboard.clients.http.scrubbing import scrub

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CODES = ("code", "error", "errorCode")
_SENTENCES = ("detail", "message", "reason", "errorMessage", "error_description")
_CONFLICTING = ("conflicting_zoom_user_id", "conflicting_zoom_account_id")
_WRAPPERS = {"non_field_errors", "errors", "detail", "__all__", *_SENTENCES}
"""Names that say nothing about which value is wrong."""

_MOST_REASONS = 10
_DEEPEST = 6
_LONGEST_READ = 4096
_ENDS = {".", "!", "?", ";", ":"}
_LOOKED_AT = 1024
_BLANKS = b"\xef\xbb\xbf\xff\xfe \t\r\n"
_TAG = re.compile(rb"<(?:!doctype|html|head|body|title|script|h1)[\s>]")
_ONE_WORD = re.compile(rb"[\w.!:-]{1,40}")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error body, understood as far as it goes.

    Attributes:
        code: The vendor's error word or number, as text.
        detail: The vendor's own words, scrubbed and capped; None if it said nothing.
        conflicting_id: Zoom user or account id that Recall names in a conflict.
        is_page: Whether it was a web page, as firewalls and edges answer.
    """

    code: str | None = None
    detail: str | None = None
    conflicting_id: str | None = None
    is_page: bool = False


def read_refusal(
    body: bytes, secrets: Sequence[SecretStr], *, content_type: str = ""
) -> Refusal:
    """Return what an error body says; an unknown form says nothing, never raises.

    Args:
        body: Raw bytes of the answer.
        secrets: What was sent and must not come back in words.
        content_type: As declared; "" when it is not known.
    """
    try:
        said = from_json(body)
    except ValueError:
        return Refusal(is_page=is_page(body, content_type))
    if not isinstance(said, dict):
        return Refusal(detail=_joined(_reasons(said), secrets))
    return Refusal(
        code=_code(said, secrets),
        detail=_detail(said, secrets),
        conflicting_id=_word(_first(said, _CONFLICTING), secrets),
    )


def is_page(body: bytes, content_type: str = "") -> bool:
    """Whether a body is a page for people rather than an answer of an API.

    An API's own answer may be empty, JSON or a single word under any content type:
    frameworks declare `text/html` unless told otherwise.

    Args:
        body: As received, or its beginning.
        content_type: As declared; "" when it is not known.
    """
    start = body[:_LOOKED_AT].translate(None, b"\0").lstrip(_BLANKS).lower()
    if not start or start.startswith((b"{", b"[", b'"')):
        return False
    if start.startswith(b"<") or _TAG.search(start):
        return True
    return "ml" in content_type.lower() and not _ONE_WORD.fullmatch(start.rstrip())


def _code(said: dict[str, object], secrets: Sequence[SecretStr]) -> str | None:
    """Return the error word, which may stand inside `detail` or `error`."""
    own = _word(_first(said, _CODES), secrets)
    nested = (said.get(name) for name in ("error", "detail", "errors"))
    inner = (
        _word(_first(each, _CODES), secrets)
        for each in nested
        if isinstance(each, dict)
    )
    return own or next(filter(None, inner), None)


def _detail(said: dict[str, object], secrets: Sequence[SecretStr]) -> str | None:
    sentence = _first(said, _SENTENCES)
    parts = [] if sentence is None else _reasons(sentence)
    parts += _reasons(said.get("errors"))
    if not parts:
        known = {*_CODES, *_CONFLICTING}
        parts = _reasons(
            {
                name: value
                for name, value in said.items()
                if name not in known or isinstance(value, dict)
            }
        )
    return _joined(parts, secrets)


def _joined(parts: Sequence[str], secrets: Sequence[SecretStr]) -> str | None:
    # Cut before secrets are looked for, since a body may have megabytes; far more is
    # read than is shown.
    text = " ".join(
        each if each.rstrip()[-1:] in _ENDS or number == len(parts) else f"{each};"
        for number, each in enumerate(parts, 1)
    )
    return scrub(text[:_LONGEST_READ], secrets) or None


def _reasons(value: object, name: str = "", *, depth: int = 0) -> list[str]:
    """Return the reasons in a value of any shape, each with the name of what it is of.

    Django REST framework nests a serializer's errors as its values are nested
    (`authorization_code.redirect_uri: Enter a valid URL.`); Zoom lists field and
    message. At most ten, and none from deeper than six levels.
    """
    match value:
        case str() if value.strip():
            return [f"{name}: {value}" if name else value]
        case int() if name and not isinstance(value, bool):
            return [f"{name}: {value}"]
        case {"field": str(field), "message": str(message)}:
            return [f"{field}: {message}"]
        case list() | dict() if depth < _DEEPEST:
            found = _together(value, name)
            for own, each in _inner(value):
                path = ".".join(filter(None, (name, own)))
                found += _reasons(each, path, depth=depth + 1)
                if len(found) >= _MOST_REASONS:
                    break
            return found[:_MOST_REASONS]
        case _:
            return []


def _together(value: list[object] | dict[str, object], name: str) -> list[str]:
    """Return the texts of a list as one reason."""
    if not isinstance(value, list):
        return []
    texts = [each for each in value[:_MOST_REASONS] if isinstance(each, str)]
    return _reasons(" ".join(texts), name)


def _inner(value: list[object] | dict[str, object]) -> Iterator[tuple[str, object]]:
    """Yield what is inside a list or a dict, with the names that say something."""
    if isinstance(value, list):
        yield from (("", each) for each in value if not isinstance(each, str))
        return
    for name, each in value.items():
        yield ("" if name in _WRAPPERS else name), each


def _first(said: dict[str, object], names: Sequence[str]) -> object:
    return next((said[name] for name in names if said.get(name)), None)


def _word(value: object, secrets: Sequence[SecretStr]) -> str | None:
    """Return a code or an id as text, unless a secret hides in it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    if _WORD.fullmatch(text) is None or scrub(text, secrets) != text:
        return None
    return text
