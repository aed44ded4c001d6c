"""What a verified body says. Lenient: nothing in it stops it being forwarded."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

URL_VALIDATION = "endpoint.url_validation"
"""Zoom's validation request (docs/contracts/zoom.md 5.5)."""

BECAME = {
    "user.deactivated": "deactivated",
    "user.deleted": "deleted",
    "user.disassociated": "disassociated",
    "user.activated": "activated",
}
"""What each event says that a user became."""

READ_HERE = frozenset({"user.updated", "app_deauthorized", *BECAME})
"""Events that the dashboard itself acts on, besides handing them to Recall."""

_EVENT_CHARS = 80
_ID_CHARS = 64
_BIGGEST = 2**63 - 1
_DIGITS = 19
_OF_MEETINGS = ("meeting.", "recording.", "webinar.")
# Beside `id`, in the order of how surely it is the meeting's or its host's.
_NUMBERS = ("meeting_id", "meeting_number", "webinar_id", "webinar_number")
_HOSTS = ("host_id", "meeting_host_id", "webinar_host_id", "host_user_id")
# A number with a fraction or an exponent, or a minus zero; or a text that looks so.
_FRACTION = re.compile(rb"[:,[]\s*-?(?:[0-9]+[.eE]|0(?<=-0))")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """The fields the dashboard works with; each is empty when unusable.

    Attributes:
        is_readable: Whether the body is a JSON object in UTF-8, as all of Zoom's are.
            Of one in a broken encoding the fields are read as far as they can be.
        event: Zoom's event name, at most 80 characters.
        event_ts: Milliseconds since the epoch as Zoom wrote it.
        zoom_user_id: Of the user it is about: host, profile or deauthorizing user.
        meeting_id: Meeting number; Zoom writes it as a number or as a string
            (docs/contracts/zoom.md 6).
        plain_token: What a validation request asks to be signed.
        canonical: The JSON with sorted keys, where that is the same for the same
            content only; None when the bytes themselves must tell.
    """

    is_readable: bool = False
    event: str = ""
    event_ts: int | None = None
    zoom_user_id: str | None = None
    zoom_account_id: str | None = None
    meeting_id: int | None = None
    plain_token: str | None = None
    canonical: bytes | None = None


class _AmbiguousError(ValueError):
    """JSON whose parsed form is the same for different texts."""


def parse(body: bytes) -> Event:
    """Read a body whose signature is valid; never raises."""
    found, canonical = _read(body)
    is_readable = isinstance(found, dict)
    if found is None:
        found = load(body)
    if not isinstance(found, dict):
        return Event()
    payload = _object(found.get("payload"))
    about = _object(payload.get("object"))
    event = _text(found.get("event"), _EVENT_CHARS) or ""
    return Event(
        is_readable=is_readable,
        event=event,
        event_ts=_whole(found.get("event_ts", payload.get("event_ts"))),
        zoom_user_id=_user(event, payload, about),
        zoom_account_id=_first_text(payload, about, "account_id"),
        meeting_id=_meeting(event, payload, about),
        plain_token=_plain_token(payload) if event == URL_VALIDATION else None,
        canonical=canonical,
    )


def load(body: bytes) -> object:
    """Return the JSON in whatever encoding it is readable; None when it is none.

    Half a character becomes U+FFFD, so that an event is not lost for a broken topic.
    """
    try:
        return json.loads(body, parse_int=_bounded_int)
    except (ValueError, RecursionError):
        return _lenient(body)


def dedupe_key(app_id: UUID, body: bytes, parsed: Event) -> bytes:
    """Return 32 bytes that are the same for the same event of the same zoom app.

    Zoom's retries, and the same event with its keys in another order, have one key;
    two events that differ in anything have two. Headers do not count: the delivery id
    is unique to each try (docs/contracts/zoom.md 5.6).

    It begins with the event's own time, which is part of the content, so that new keys
    lie side by side in their index: at random places each would cost a page of its own.
    """
    if parsed.canonical is None:
        digest = hashlib.sha256(app_id.bytes + b"bytes:" + body).digest()
    else:
        digest = hashlib.sha256(app_id.bytes + b"json:" + parsed.canonical).digest()
    return (parsed.event_ts or 0).to_bytes(8, "big") + digest[:24]


def _read(body: bytes) -> tuple[object, bytes | None]:
    """Return the parsed JSON and its canonical form, if it has one.

    A body that is as long as its canonical form differs from it in the order of keys
    alone, but for numbers that are no whole ones. That is how Zoom writes most events
    (docs/contracts/zoom.md 5.3), and found out without a look at each value.
    """
    try:
        found = orjson.loads(body)
        canonical = orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    except (ValueError, TypeError):
        return _read_slowly(body)
    if len(canonical) == len(body) and not _FRACTION.search(body):
        return found, canonical
    return _read_slowly(body)


def _read_slowly(body: bytes) -> tuple[object, bytes | None]:
    try:
        found = _DECODER.decode(body.decode())
        return found, orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    except (ValueError, TypeError, RecursionError):
        return _lenient(body, errors="strict"), None


def _lenient(body: bytes, errors: str = "replace") -> object:
    try:
        return json.loads(body.decode(errors=errors), parse_int=_bounded_int)
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _AmbiguousError("a key is there twice")
    return found


def _refuse(text: str) -> object:
    # 1e400 and 1e500 are both infinite, 0.1 and 0.10000000000000001 are one float.
    raise _AmbiguousError(text)


def _plain_int(text: str) -> int:
    if text == "-0" or len(text) > _DIGITS + 1:
        raise _AmbiguousError(text)
    return int(text)


def _bounded_int(text: str) -> int | None:
    return int(text) if len(text) <= _DIGITS + 1 else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, limit: int) -> str | None:
    """Return a text that any database takes: no NUL, no lone surrogate, not long."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode(errors="replace").decode().replace("\0", "?")[:limit]


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value) if len(value) <= _DIGITS else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= _BIGGEST else None


def _meeting(event: str, payload: dict[str, Any], about: dict[str, Any]) -> int | None:
    """Return the meeting's number; Zoom writes it in several places (zoom.md 6)."""
    if event.startswith(_OF_MEETINGS) and (number := _whole(about.get("id"))):
        return number
    for place in (about, payload):
        for name in _NUMBERS:
            if (number := _whole(place.get(name))) is not None:
                return number
    return None


def _user(event: str, payload: dict[str, Any], about: dict[str, Any]) -> str | None:
    if event.startswith("user."):
        return _first_text(about, about, "id", "user_id")
    # `operator_id` is who did it, who may act for the host (docs/contracts/zoom.md 6).
    return _first_text(about, payload, *_HOSTS) or _first_text(
        payload, about, "user_id"
    )


def _first_text(
    first: dict[str, Any], second: dict[str, Any], *names: str
) -> str | None:
    """Return the first usable ID under one of the names, in either place."""
    for place in (first, second):
        for name in names:
            if (found := _text(place.get(name), _ID_CHARS)) is not None:
                return found
    return None


def _plain_token(payload: dict[str, Any]) -> str | None:
    token = payload.get("plainToken")
    if not isinstance(token, str) or not token:
        return None
    try:
        token.encode()
    except UnicodeEncodeError:
        return None
    return token


# Made once: making it costs as much as reading an event.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_refuse,
    parse_constant=_refuse,
    parse_int=_plain_int,
)
