"""What may be shown of a webhook: passwords, links, e-mails and phones are left out.

Errs on the side of hiding. The stored bytes are never touched.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

HIDDEN = "[hidden]"
HIDDEN_EMAIL = "[email hidden]"

# Names as in Zoom's payloads, without underscores and capitals (docs/contracts/zoom.md
# 6, checked 2026-11-23), by parts: `h323_password`, `host_key`, `contact_email`.
_SECRET_PARTS = (
    "password",
    "passcode",
    "passwd",
    "pwd",
    "secret",
    "hostkey",
    "token",
    "email",
    "phone",
    "alternativehosts",
)
_SECRET_NAMES = frozenset({"pin", "hostpin", "zak", "tk"})
_OPEN_NAMES = frozenset({"plaintoken"})  # Zoom's challenge, answered in the open
_LINK_ENDS = ("url", "uri", "link")
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})

_LINK = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|\b(?=[\w.-]+\.(?:zoom\.us|zoomgov\.com)/))"
    r"([^\s/?#]*)[^\s]*",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(pwd|passw(?:or)?d|passcode|pin|zak|tk|host[ _-]?key)\b"
    r"(\s*[=:]\s*|\s+is\s+)\S+",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[^\s,;<>()\[\]\"]+(?:@|%40)[^\s,;<>()\[\]\"]+")
_NOT_A_NAME = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A body that support may read.

    Attributes:
        text: Indented JSON without what is sensitive; "" when it is not JSON.
        is_readable: Whether the body is JSON, so that there is a text.
    """

    text: str
    is_readable: bool


def body(raw: bytes) -> Shown:
    """Return what may be shown of a request body. What is not JSON is hidden whole."""
    try:
        value = json.loads(raw.decode())
        text = json.dumps(_hide(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return Shown(text="", is_readable=False)
    return Shown(text=text, is_readable=True)


def headers(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers with credentials hidden; order and repeats are kept."""
    return [
        (name, HIDDEN if name.lower() in _SECRET_HEADERS else text(value))
        for name, value in pairs
    ]


def text(value: str) -> str:
    """Hide links after their host, named passwords and e-mails in a line of text."""
    value = _LINK.sub(_host_only, value)
    value = _NAMED.sub(rf"\1\2{HIDDEN}", value)
    return _EMAIL.sub(HIDDEN_EMAIL, value)


def _hide(value: object, name: str = "", *, is_secret: bool = False) -> object:
    match value:
        case dict():
            return {
                text(key): _hide(item, key, is_secret=is_secret or _is_secret(key))
                for key, item in value.items()
            }
        case list():
            return [_hide(item, name, is_secret=is_secret) for item in value]
        case str() if value:
            return HIDDEN if is_secret else _hide_in(value, name)
        case int() | float() if is_secret and not isinstance(value, bool):
            return HIDDEN
        case _:
            return value


def _hide_in(value: str, name: str) -> str:
    if _plain(name).endswith(_LINK_ENDS) and "://" not in value:
        return HIDDEN
    return text(value)


def _is_secret(name: str) -> bool:
    plain = _plain(name)
    if plain in _OPEN_NAMES:
        return False
    return plain in _SECRET_NAMES or any(part in plain for part in _SECRET_PARTS)


def _plain(name: str) -> str:
    return _NOT_A_NAME.sub("", name.lower())


def _host_only(match: re.Match[str]) -> str:
    host = match[1].rpartition("@")[2]
    return f"https://{host}/{HIDDEN}"
