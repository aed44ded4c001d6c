"""What somebody pasted into Explain, read leniently. Pure; keeps no password.

Shapes of Zoom's ids, numbers and links: docs/contracts/zoom.md 4 and 6; checked
2026-11-25.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from dashboard.db.columns import LARGEST_ID
from dashboard.formatting import grouped
from dashboard.pasted import trim

LONGEST = 10_000
"""Characters looked at: an invitation with all its telephone numbers has less."""


class Kind(StrEnum):
    """What it was taken for."""

    NOTHING = "nothing"
    NO_NUMBER = "no_number"  # a link or an id that holds no meeting number
    EMAIL = "email"
    NUMBER = "number"  # of a meeting, or a PMI
    WORD = "word"  # an id of Zoom's, or your own
    UUID = "uuid"  # of a credential, an app or a connection
    WEBHOOK = "webhook"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to explain; of what was pasted nothing else is kept.

    Attributes:
        kind: Of what decides: the first line that was recognised.
        shown: The same in words that may be shown and stored: no password.
        number: Meeting number or PMI.
        word: A Zoom user or account id, or your own id of a user.
        uuid: Recall's or our own.
        webhook_id: Our own.
        email: May also come with a number: whose meeting somebody takes it for.
    """

    kind: Kind = Kind.NOTHING
    shown: str = ""
    number: int | None = None
    word: str = ""
    uuid: UUID | None = None
    webhook_id: int | None = None
    email: str = ""


_ZOOM_HOSTS = ("zoom.us", "zoom.com", "zoom.com.cn", "zoomgov.com")
_URL = re.compile(r"(?:https?|zoommtg|zoomus)://[^\s<>\"']+", re.IGNORECASE)
_BARE_URL = re.compile(
    r"(?<![\w@.-])(?:[\w-]{1,63}\.){0,3}zoom(?:gov)?\.(?:us|com)/[^\s<>\"']+",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"[^\s<>()\[\]\"',;:@]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,180}[a-z0-9])?",
    re.IGNORECASE,
)
_UUID = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f-])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9](?:[ .-]*[0-9]){8,10}")
# As Zoom groups them, in the middle of a sentence; telephone numbers begin with "+".
_GROUPED = re.compile(
    r"(?<![\w+.-])(?<!\+[0-9] )[0-9]{3}[ -][0-9]{3,4}[ -][0-9]{3,4}(?![\w-])"
)
_BARE = re.compile(r"(?<![\w+.-])[0-9]{10,11}(?![\w-])")
_NO_MEETING = re.compile(r"pass|code|dial|phone|\btel", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:meeting|webinar|pmi|\bid|number)\b[^0-9+]{0,30}([0-9](?:[ -]?[0-9]){8,10})"
    r"(?![0-9])",
    re.IGNORECASE,
)
_WEBHOOK = re.compile(r"[0-9]{15,19}")
_WORD = re.compile(r"[\w.~-]{3,200}")
_MEETING_UUID = re.compile(r"[A-Za-z0-9+/]{20,}={1,2}")
_IN_PATH = re.compile(r"(?:^|/)([0-9]{9,11})(?:/|$)")
_VANITY = "this link"


def read(text: str) -> Asked:
    """Return what the text asks about; `Kind.NOTHING` when nothing is recognised.

    Several lines are read in turn. An e-mail that stands beside a meeting number, in
    either order, is kept with it.
    """
    lines = _clean(text).splitlines()
    is_alone = sum(bool(line.strip()) for line in lines) == 1
    found = [asked for line in lines for asked in _read_line(line, is_alone=is_alone)]
    numbers = (one for one in found if one.kind is Kind.NUMBER)
    emails = (one for one in found if one.kind is Kind.EMAIL)
    number, email = next(numbers, None), next(emails, None)
    if number is not None and email is not None:
        return Asked(
            kind=Kind.NUMBER,
            shown=f"{number.shown} {email.shown}",
            number=number.number,
            email=email.email,
        )
    firm = (one for one in found if one.kind is not Kind.NO_NUMBER)
    return next(firm, None) or next(iter(found), Asked())


def _clean(text: str) -> str:
    """Make it plain: ASCII digits and spaces, no half characters, nothing invisible."""
    whole = text[:LONGEST].encode(errors="ignore").decode().replace("\0", "")
    plain = unicodedata.normalize("NFKC", whole)
    return "".join("-" if unicodedata.category(c) == "Pd" else c for c in plain)


def _read_line(line: str, *, is_alone: bool) -> list[Asked]:
    """Return all that one line tells, the surest first."""
    found = [
        asked
        for url in [*_URL.findall(line), *_BARE_URL.findall(_URL.sub(" ", line))]
        if (asked := _read_link(url)) is not None
    ]
    rest = trim(_BARE_URL.sub(" ", _URL.sub(" ", line)))
    found += [
        Asked(kind=Kind.UUID, shown=uuid.lower(), uuid=UUID(uuid))
        for uuid in _UUID.findall(rest)
    ]
    rest = _UUID.sub(" ", rest)
    found += [_email(email) for email in _EMAIL.findall(rest)]
    rest = trim(_EMAIL.sub(" ", rest))
    found += _read_numbers(rest)
    if not found and rest and _MEETING_UUID.fullmatch(rest):
        found.append(Asked(kind=Kind.NO_NUMBER, shown=rest))
    if not found and _is_word(rest, is_alone=is_alone):
        found.append(Asked(kind=Kind.WORD, shown=rest, word=rest))
    return found


def _read_numbers(text: str) -> list[Asked]:
    if _NUMBER.fullmatch(text):
        return [_number(text)]
    if _WEBHOOK.fullmatch(text) and int(text) <= LARGEST_ID:
        return [Asked(kind=Kind.WEBHOOK, shown=text, webhook_id=int(text))]
    named = _NAMED.search(text)
    if named is not None:
        return [_number(named[1])]
    if _NO_MEETING.search(text):
        return []
    found = _GROUPED.search(text) or _BARE.search(text)
    return [] if found is None else [_number(found[0])]


def _is_word(text: str, *, is_alone: bool) -> bool:
    """Whether it may be an id: Zoom's are long and no number; yours stands alone.

    A digit alone makes no id of a line among several: "17:00" or a passcode.
    """
    if not _WORD.fullmatch(text) or not any(c.isalnum() for c in text):
        return False
    is_zooms = len(text) in range(20, 25) and not text.isdigit()
    return is_alone or is_zooms


def _read_link(url: str) -> Asked | None:
    """Read a link of Zoom's or of our own pages; what follows `?` may be a password."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = (parts.hostname or "").lower()
        query = parse_qs(parts.query)
    except ValueError:
        return None
    if not any(host == one or host.endswith(f".{one}") for one in _ZOOM_HOSTS):
        return _read_own(parts.path)
    for text in (*query.get("confno", []), parts.path):
        number = _IN_PATH.search(text)
        if number is not None:
            return _number(number[1])
    return Asked(kind=Kind.NO_NUMBER, shown=_VANITY)


def _read_own(path: str) -> Asked | None:
    """Read the address of a webhook or a connection, as copied from the browser."""
    if found := re.search(r"/webhooks/([0-9]{15,19})$", path.rstrip("/")):
        if int(found[1]) <= LARGEST_ID:
            return Asked(kind=Kind.WEBHOOK, shown=found[1], webhook_id=int(found[1]))
        return None
    if found := _UUID.search(path):
        return Asked(kind=Kind.UUID, shown=found[0].lower(), uuid=UUID(found[0]))
    return None


def _number(text: str) -> Asked:
    digits = re.sub(r"[^0-9]", "", text)
    return Asked(kind=Kind.NUMBER, shown=grouped(digits), number=int(digits))


def _email(text: str) -> Asked:
    local = text.partition("@")[0]
    if _NUMBER.fullmatch(local):
        return _number(local)  # a meeting's address for SIP and H.323
    return Asked(kind=Kind.EMAIL, shown=text, email=text)
