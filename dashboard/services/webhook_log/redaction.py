"""What may be shown of a webhook: passwords, PINs, links, emails and phones are hidden.

Errs on the side of hiding. The stored bytes are never touched.

A body comes from outside, has up to 1 MiB, and pages are made in the process that
answers Zoom. So no expression here takes longer than in proportion to its text, and of
a body no more than `SHOWN_CHARS` are written.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

HIDDEN = "[hidden]"
HIDDEN_EMAIL = "[email hidden]"
HIDDEN_PHONE = "[phone hidden]"
SHOWN_CHARS = 64 * 1024
"""Of a body, indentation included."""

_NOT_JSON = "This body is not JSON, so all of it is hidden."
_TOO_MANY_PARTS = "This body has more lists and objects than are shown: all is hidden."
_DEEPEST = 40
_MOST_PARTS = 100_000
_LONGEST_KEY = 1000
_LONGEST_INTEGER = 300
_LONGEST_EMAIL = 320  # 64 + 1 + 255 characters (RFC 5321, 4.5.3.1)
_LONGEST_HOST = 253

# Names as in Zoom's payloads, without underscores and capitals (docs/contracts/zoom.md
# 6, checked 2026-11-23), by parts: `h323_password`, `host_key`, `contact_email`.
_SECRET_PARTS = (
    "password",
    "passcode",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "hostkey",
    "token",
    "email",
    "phone",
    "alternativehosts",
    "leaderpin",
    "sessionpin",
    "conferencecode",
)
# By whole words: `leader_pin`, `participantPIN`, `caller_did`.
_SECRET_WORDS = frozenset(
    {
        *("pin", "pins", "zak", "tk", "pass", "otp", "tel", "mobile", "mobiles"),
        *("cell", "fax", "did", "dids", "ani", "dnis", "msisdn", "sms", "sip", "dial"),
    }
)
_OPEN_NAMES = frozenset({"plaintoken"})  # Zoom's challenge, answered in the open
# A code or a number, unless it is of something that may be known: `conference_code` and
# `dial_in_numbers` are hidden, `country_code` and `meeting_number` are not.
_CODES = frozenset(
    {"code", "codes", "number", "numbers", "extension", "extensions", "ext"}
)
_OPEN_CODES = frozenset(
    {
        *("meeting", "webinar", "country", "error", "status", "result", "response"),
        *("reason", "language", "currency", "page", "version", "sequence", "of"),
        *("file", "total", "max", "min"),
    }
)
# Of a call: a number in them is a phone's, or an extension's.
_ENDS_OF_A_CALL = frozenset(
    {
        *("from", "to", "caller", "callee", "consumer", "dialer", "dialed", "callback"),
        *("forwarded", "transferred", "participant", "recipient", "recipients"),
        *("sender", "owner", "agent", "line"),
    }
)
_LINK_ENDS = ("url", "uri", "link")
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_NOT_A_NAME = re.compile(r"[^a-z0-9]")
# From "://" on, also when it is escaped: what stands before it is no secret of a link.
_LINK = re.compile(
    r"(?::(?:\\?/){2}|%(?:25){0,4}3a%(?:25){0,4}2f%(?:25){0,4}2f)([^\s/?#\\%]*)\S*",
    re.IGNORECASE,
)
_BARE_LINK = re.compile(
    r"(?:zoom\.(?:us|com)|zoom\.com\.cn|zoomgov\.com|zoom-x\.de)(?::[0-9]{1,5})?(?=/)\S*",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"((?=[phkcmsп密パ암alztPHKCMSПALZT])(?:pwd|passw(?:or)?d|passcode|passphrase"
    r"|passwort|kenncode|host[ _-]?key|contraseña|mot de passe|senha|пароль|パスコード"
    r"|パスワード|密[码碼]|암호"
    r"|(?:conference|access|leader|participant|moderator|security|session)[ _-]?code"
    r"|(?<![^\W_])(?:pass|pin|zak|tk))"
    r"[\\\"']{0,8}(?:\s*(?:[=:\uff1a]|%(?:25){0,4}3[ad])\s*|\s+is\s+)[\\\"']{0,8})\S+",
    re.IGNORECASE,
)
_PARTED = r"\s,;<>()\[\]\""
# Begins where a run begins, or it would look for the "@" from each of its characters.
_EMAIL = re.compile(
    rf"(?<![^{_PARTED}])[^{_PARTED}]+(?:[@\uff20]|%(?:25)*40)[^{_PARTED}]+"
)
# With a "+", after "tel:", or grouped as phones are and meeting numbers are not; what
# follows the commas of a one-tap number is a passcode.
_PHONE = re.compile(
    r"(?:[+\uff0b]|tel:|\b00) ?\(?[0-9][0-9().,;*#/p -]{4,80}[0-9]#?"
    r"|\([0-9]{2,5}\) ?[0-9]{2,5}[ .-][0-9]{2,5}"
    r"|(?<![0-9.-])(?:1[.-])?[0-9]{3}([.-])[0-9]{3}\1[0-9]{4}(?![0-9-])",
    re.IGNORECASE,
)
_LIKE_A_PHONE = re.compile(r"[0-9+()./*#;, -]{3,64}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DELIMITED = re.compile(rf"[{_PARTED}]")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A body that support may read.

    Attributes:
        text: Indented JSON without what is sensitive; "" when it is not JSON.
        is_cut: Whether there is more than the text shows; it is JSON even so.
        why_hidden: A sentence when there is no text; "" otherwise.
    """

    text: str = ""
    is_cut: bool = False
    why_hidden: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether there is a text."""
        return not self.why_hidden


def body(raw: bytes) -> Shown:
    """Return what may be shown of a request body. What is not JSON is hidden whole."""
    return _shown(raw, is_redacted=True)


def indented(raw: bytes) -> Shown:
    """Return the same for people who may see everything: nothing is hidden."""
    return _shown(raw, is_redacted=False)


def headers(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers with credentials hidden; order and repeats are kept."""
    return [
        (name, HIDDEN if name.lower() in _SECRET_HEADERS else text(value))
        for name, value in pairs
    ]


def text(value: str) -> str:
    """Hide links after their host, named secrets, emails and phones in a text.

    Of a longer text than a page shows only the beginning is returned.
    """
    value = _cut(value, SHOWN_CHARS)
    value = _LINK.sub(_host_only, value)
    value = _BARE_LINK.sub(_host_alone, value)
    value = _NAMED.sub(rf"\1{HIDDEN}", value)
    value = _EMAIL.sub(HIDDEN_EMAIL, value)
    return _PHONE.sub(HIDDEN_PHONE, value)


def _shown(raw: bytes, *, is_redacted: bool) -> Shown:
    if raw.count(b"[") + raw.count(b"{") > _MOST_PARTS:
        return Shown(why_hidden=_TOO_MANY_PARTS)
    try:
        value = _read(raw.decode())
    except (ValueError, RecursionError):
        return Shown(why_hidden=_NOT_JSON)
    writer = _Writer(is_redacted=is_redacted)
    writer.write(value)
    return Shown(text="".join(writer.parts), is_cut=writer.has_left_out)


def _read(written: str) -> object:
    try:
        return json.loads(written)
    except ValueError:  # an integer of more digits than Python reads
        return json.loads(written, parse_int=_integer)


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


class _Writer:
    """Writes JSON as `json.dumps(indent=2)` does, until `SHOWN_CHARS` are written.

    What is open then is closed, so the result is JSON whatever was left out.
    """

    def __init__(self, *, is_redacted: bool) -> None:
        self.parts: list[str] = []
        self.has_left_out = False
        self._left = SHOWN_CHARS
        self._is_redacted = is_redacted

    def write(
        self, value: object, name: str = "", *, is_secret: bool = False, depth: int = 0
    ) -> None:
        """Write a value that stands under a name, "" for none."""
        match value:
            case dict() | list() if value and depth == _DEEPEST:
                self.has_left_out = True
                self._put(json.dumps("…", ensure_ascii=False))
            case dict() if value:
                self._put("{")
                for number, (key, item) in enumerate(value.items()):
                    if not self._begin(depth + 1, is_first=number == 0):
                        break
                    self._string(self._key(key))
                    self._put(": ")
                    hides = is_secret or (self._is_redacted and _is_secret(key))
                    self.write(item, key, is_secret=hides, depth=depth + 1)
                self._end(depth, "}")
            case list() if value:
                self._put("[")
                for number, item in enumerate(value):
                    if not self._begin(depth + 1, is_first=number == 0):
                        break
                    self.write(item, name, is_secret=is_secret, depth=depth + 1)
                self._end(depth, "]")
            case str():
                self._string(self._text(value, name, is_secret=is_secret))
            case int() | float() if not isinstance(value, bool) and (
                is_secret or (self._is_redacted and _is_phone(name, str(value)))
            ):
                self._string(HIDDEN)
            case _:
                self._put(json.dumps(value))

    def _begin(self, depth: int, *, is_first: bool) -> bool:
        """Begin a line; whether there is room for it."""
        if self._left <= 0:
            self.has_left_out = True
            return False
        self._put(f"{'' if is_first else ','}\n{'  ' * depth}")
        return True

    def _end(self, depth: int, mark: str) -> None:
        self._put(f"\n{'  ' * depth}{mark}")

    def _key(self, key: str) -> str:
        short = self._cut(key, _LONGEST_KEY)
        return text(short) if self._is_redacted else short

    def _text(self, value: str, name: str, *, is_secret: bool) -> str:
        if is_secret and value:
            return HIDDEN
        short = self._cut(value, max(self._left, 0))
        return _hide_in(short, name) if self._is_redacted else short

    def _cut(self, value: str, most: int) -> str:
        short = _cut(value, most)
        self.has_left_out |= short is not value
        return short

    def _string(self, value: str) -> None:
        # Half a character, which JSON can spell, is no text for a page.
        written = json.dumps(value, ensure_ascii=False)
        self._put(written.encode(errors="backslashreplace").decode())

    def _put(self, part: str) -> None:
        self.parts.append(part)
        self._left -= len(part)


def _cut(value: str, most: int) -> str:
    """Return the beginning, ended where no email or link is cut in two."""
    if len(value) <= most:
        return value
    end = max(most - _LONGEST_EMAIL, 0)
    for mark in _DELIMITED.finditer(value, end, most):
        end = mark.end()
    return f"{value[:end]}…"


def _hide_in(value: str, name: str) -> str:
    if _plain(name).endswith(_LINK_ENDS) and "://" not in value:
        return HIDDEN if value else value
    return HIDDEN if _is_phone(name, value) else text(value)


def _is_secret(name: str) -> bool:
    plain = _plain(name)
    if plain in _OPEN_NAMES:
        return False
    if any(part in plain for part in _SECRET_PARTS):
        return True
    words = _words(name)
    if words & _SECRET_WORDS:
        return True
    return bool(words & _CODES) and not words & _OPEN_CODES


def _is_phone(name: str, value: str) -> bool:
    """Whether it is the number of one end of a call."""
    return bool(
        _words(name) & _ENDS_OF_A_CALL
        and _LIKE_A_PHONE.fullmatch(value)
        and not _DATE.match(value)
    )


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name[:_LONGEST_KEY])}


def _plain(name: str) -> str:
    return _NOT_A_NAME.sub("", name.lower())


def _host_only(match: re.Match[str]) -> str:
    host = match[1].rpartition("@")[2]
    return f"://{host if len(host) <= _LONGEST_HOST else HIDDEN}/{HIDDEN}"


def _host_alone(match: re.Match[str]) -> str:
    return f"{match[0].partition('/')[0]}/{HIDDEN}"
