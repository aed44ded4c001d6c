"""What a vendor's error body says, whichever of its many forms it has.

Source: docs/contracts/recall.md 1.7, docs/contracts/zoom.md 3.3 and 4.3; checked
2026-11-23.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from pydantic_core import from_json

from dashboard.clients.http.scrubbing import scrub

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CODES = ("code", "error", "errorCode")
_SENTENCES = ("detail", "message", "reason", "errorMessage", "error_description")
_CONFLICTING = ("conflicting_zoom_user_id", "conflicting_zoom_account_id")
_NO_FIELD = "non_field_errors"
_MOST_FIELDS = 10


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


def read_refusal(body: bytes, secrets: Sequence[SecretStr]) -> Refusal:
    """Return what an error body says; an unknown form says nothing, never raises.

    Args:
        body: Raw bytes of the answer.
        secrets: What was sent and must not come back in words.
    """
    try:
        said = from_json(body)
    except ValueError:
        return Refusal(is_page=looks_like_a_page(body))
    if isinstance(said, list):
        said = {_NO_FIELD: said}
    if not isinstance(said, dict):
        return Refusal()
    return Refusal(
        code=_word(_first(said, _CODES), secrets),
        detail=_detail(said, secrets),
        conflicting_id=_word(_first(said, _CONFLICTING), secrets),
    )


def looks_like_a_page(body: bytes) -> bool:
    """Whether a body is HTML, whatever its content type claims."""
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith(b"<")


def _detail(said: dict[str, object], secrets: Sequence[SecretStr]) -> str | None:
    parts = [] if (own := _first(said, _SENTENCES)) is None else [_text(own)]
    nested = said.get("errors")
    if isinstance(nested, dict):
        parts += _fields(nested)
    elif isinstance(nested, list):
        parts += [_text(each) for each in nested[:_MOST_FIELDS]]
    if not parts:
        known = {*_CODES, *_CONFLICTING}
        parts = _fields({key: said[key] for key in said if key not in known})
    return scrub(" ".join(filter(None, parts)), secrets) or None


def _fields(said: dict[str, object]) -> list[str]:
    """Return one text for each field, such as `client_id: This is required`."""
    texts = []
    for name, value in list(said.items())[:_MOST_FIELDS]:
        text = _text(value)
        if text and name != _NO_FIELD:
            text = f"{name}: {text}"
        texts.append(text)
    return texts


def _text(value: object) -> str:
    """Return the words in a value: a text, a list of texts, or Zoom's field errors."""
    match value:
        case str():
            return value
        case list():
            return " ".join(_text(each) for each in value if isinstance(each, str))
        case {"field": str(field), "message": str(message)}:
            return f"{field}: {message}"
        case _:
            return ""


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
