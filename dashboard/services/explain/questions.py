"""What somebody pasted into Explain, read leniently. Pure; keeps no password.

An identifier is taken whole or not at all, and what was not understood is said.
Links are looked for inside other links as mail filters, chats and search pages wrap
them, to a bounded depth.

Shapes of Zoom's ids, numbers and links: docs/contracts/zoom.md 4 and 6; checked
2026-11-25. Email addresses: RFC 5321, domain names as IDNA has them.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

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
        unread: What looks like an email or a link and is none that is understood, in
            words without a password.
    """

    kind: Kind = Kind.NOTHING
    shown: str = ""
    number: int | None = None
    word: str = ""
    uuid: UUID | None = None
    webhook_id: int | None = None
    email: str = ""
    unread: tuple[str, ...] = ()


_ZOOM_HOSTS = ("zoom.us", "zoom.com", "zoom.com.cn", "zoomgov.com", "zoom-x.de")
_SIP_HOSTS = ("zoomcrc.com", "lync.zoom.us")
_LONGEST_EMAIL = 320
_DEEPEST = 4
_MOST_LINKS = 40
_MOST_UNREAD = 3
_TRAILING = ".,;:!?)]}'*_"

_PARTED = r"\s<>()\[\]\",;:"
_URL = re.compile(r"(?:https?|zoommtg|zoomus)://[^\s<>\"|]+", re.IGNORECASE)
_BARE_URL = re.compile(
    r"(?<![\w@.:/%-])(?:[\w-]{1,63}\.){0,3}"
    r"(?:zoom\.(?:us|com)|zoom\.com\.cn|zoomgov\.com|zoom-x\.de)/[^\s<>\"|]+",
    re.IGNORECASE,
)
_ENCODED = re.compile(r"%(?:25){0,3}(?:2f|3a|3d|40)", re.IGNORECASE)
_TOKEN = re.compile(r"\S+")
# From one mark that parts words to the next, so that nothing is read from its middle.
_ADDRESS = re.compile(
    rf"(?<![^{_PARTED}])(?:\"(?:[^\"\\]|\\.){{1,64}}\"|[^{_PARTED}@]+)@[^{_PARTED}]*"
)
_SIP_NUMBER = re.compile(r"([0-9]{9,11})(?:\..*)?")
_UUID = re.compile(
    r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])", re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9](?:[ .-]{0,3}[0-9]){8,10}")
# As Zoom groups them, in the middle of a sentence; telephone numbers begin with "+".
_GROUPED = re.compile(
    r"(?<![\w+.-])(?<!\+[0-9] )(?<!\+[0-9]{2} )(?<!\+[0-9]{3} )"
    r"[0-9]{3}[ -][0-9]{3,4}[ -][0-9]{3,4}(?![\w-])(?! [0-9])"
)
_BARE = re.compile(r"(?<![\w+.-])[0-9]{10,11}(?![\w-])")
_NO_MEETING = re.compile(r"pass|code|dial|phone|\btel", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:meeting|webinar|pmi|\bid|number)\b[^0-9+]{0,30}([0-9](?:[ -]?[0-9]){8,10})"
    r"(?![ -]?[0-9])(?!\w)",
    re.IGNORECASE,
)
_WEBHOOK = re.compile(r"[0-9]{15,19}")
_OWN_WEBHOOK = re.compile(r"/webhooks/([0-9]{15,19})(?:/[a-z]*)?")
_WORD = re.compile(r"[\w.~-]{3,200}")
_MEETING_UUID = re.compile(r"[A-Za-z0-9+/]{20,200}={1,2}")
_IN_PATH = re.compile(r"(?:^|/)([0-9](?:[ -]?[0-9]){8,10})(?=/|$)")
_OF_A_MEETING = re.compile(r"/(?:wc/)?(?:j|s|w|wc|join|start)/[0-9]{9,11}(?:/|$)")
_IN_QUERY = (
    *("confno", "meetingid", "meeting_id", "meetingnumber", "meeting_number", "mn"),
    *("webinarid", "webinar_id"),
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,4000}={0,2}")
_VANITY = "this link"


def read(text: str) -> Asked:
    """Return what the text asks about; `Kind.NOTHING` when nothing is recognised.

    Several lines are read in turn. An e-mail that stands beside a meeting number, in
    either order, is kept with it.
    """
    lines = _clean(text).splitlines()
    is_alone = sum(bool(line.strip()) for line in lines) == 1
    unread: list[str] = []
    found = [
        asked for line in lines for asked in _read_line(line, unread, is_alone=is_alone)
    ]
    said = tuple(dict.fromkeys(unread))[:_MOST_UNREAD]
    numbers = (one for one in found if one.kind is Kind.NUMBER)
    emails = (one for one in found if one.kind is Kind.EMAIL)
    number, email = next(numbers, None), next(emails, None)
    if number is not None and email is not None:
        return Asked(
            kind=Kind.NUMBER,
            shown=f"{number.shown} {email.shown}",
            number=number.number,
            email=email.email,
            unread=said,
        )
    firm = (one for one in found if one.kind is not Kind.NO_NUMBER)
    asked = next(firm, None) or next(iter(found), Asked())
    return replace(asked, unread=said)


def spellings(email: str) -> frozenset[str]:
    """Return how the same email may be stored: as typed, in lower case, by IDNA."""
    written = {email, email.lower()}
    parsed = _parsed(email)
    if parsed is not None:
        local = parsed.local_part
        domains = {parsed.domain, parsed.ascii_domain}
        written |= {f"{local}@{domain}" for domain in domains}
    return frozenset(written | {each.lower() for each in written})


def _clean(text: str) -> str:
    """Make it plain: ASCII digits and spaces, no half characters, nothing invisible."""
    whole = text[:LONGEST].encode(errors="ignore").decode().replace("\0", "")
    plain = unicodedata.normalize("NFKC", whole)[:LONGEST].replace("\u2019", "'")
    return "".join("-" if unicodedata.category(c) == "Pd" else c for c in plain)


def _read_line(line: str, unread: list[str], *, is_alone: bool) -> list[Asked]:
    """Return all that one line tells, the surest first; note what is not understood."""
    rest = _TOKEN.sub(_decoded, line)
    found: list[Asked] = []

    def link(match: re.Match[str]) -> str:
        asked = _read_link(match[0])
        found.extend([asked] if asked is not None else [])
        if asked is None:
            unread.append(f"a link to {_host(match[0]) or 'nowhere'}")
        return " "

    def uuid(match: re.Match[str]) -> str:
        shown = match[0].lower()
        found.append(Asked(kind=Kind.UUID, shown=shown, uuid=UUID(shown)))
        return " "

    def address(match: re.Match[str]) -> str:
        asked = _read_address(match[0])
        found.extend([asked] if asked is not None else [])
        if asked is None:
            unread.append(f"the address \u2026@{match[0].rpartition('@')[2][:80]}")
        return " "

    rest = _BARE_URL.sub(link, _URL.sub(link, rest))
    rest = _ADDRESS.sub(address, _UUID.sub(uuid, rest))
    if "@" in rest and (part := rest.rpartition("@")[2].split()):
        unread.append(f"the address \u2026@{part[0][:80]}")
        rest = rest.replace("@", " @ ")
    rest = trim(rest)
    found += _read_numbers(rest)
    if not found and rest and _MEETING_UUID.fullmatch(rest):
        found.append(Asked(kind=Kind.NO_NUMBER, shown=rest))
    if not found and not unread and _is_word(rest, is_alone=is_alone):
        found.append(Asked(kind=Kind.WORD, shown=rest, word=rest))
    return found


def _decoded(match: re.Match[str]) -> str:
    """Take percent-encoding off a token that is encoded as a whole, not in a query."""
    token = match[0]
    if "://" in token or not _ENCODED.search(token):
        return token
    return _unquoted(token)


def _unquoted(text: str) -> str:
    for _ in range(_DEEPEST):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text.replace("\0", "")


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
    """Read a link of Zoom's or of our own pages, also one inside other links.

    What follows `?` may be a password.
    """
    for link in islice(_links(url, _DEEPEST), _MOST_LINKS):
        asked = _read_plain_link(link)
        if asked is not None:
            return asked
    return None


def _links(url: str, depth: int) -> Iterator[str]:
    """Yield a link, then those that its query, path and fragment hold."""
    yield url
    if depth == 0:
        return
    try:
        parts = urlsplit(url)
        values = [value for _, value in parse_qsl(parts.query)]
    except ValueError:
        return
    dashed = parts.query.replace("-", "%").replace("_", "/")  # Proofpoint's, version 2
    texts = [*values, parts.path, parts.fragment, parts.query]
    texts += [unquote(value) for _, value in parse_qsl(unquote(dashed))]
    texts += [_of_base64(value) for value in values]
    for text in texts:
        plain = _unquoted(text)
        inner = _URL.search(plain, 1 if plain.startswith(url) else 0)
        if inner is not None and inner[0] != url:
            yield from _links(inner[0].replace("__;", " ").split()[0], depth - 1)
        elif bare := _BARE_URL.search(plain.lstrip("/")):
            yield from _links(f"https://{bare[0]}", depth - 1)


def _of_base64(text: str) -> str:
    if not _BASE64.fullmatch(text):
        return ""
    try:
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        return base64.b64decode(padded, altchars=b"-_").decode()
    except (binascii.Error, ValueError):
        return ""


def _read_plain_link(url: str) -> Asked | None:
    try:
        parts = urlsplit(url.rstrip(_TRAILING))
        host = (parts.hostname or "").rstrip(".").lower()
        query = parse_qsl(parts.query)
    except ValueError:
        return None
    path = _unquoted(parts.path)
    is_zooms = _is_of(host, _ZOOM_HOSTS)
    if not is_zooms and not ("zoom" in host and _OF_A_MEETING.match(path)):
        return _read_own(path)
    named = [value for name, value in query if name.lower() in _IN_QUERY]
    for text in (*named, path):
        number = _IN_PATH.search(text)
        if number is not None:
            return _number(number[1])
    if any(name.lower() in ("continue", "url", "redirect") for name, _ in query):
        return None  # a sign-in page on the way: what it leads to is read next
    return Asked(kind=Kind.NO_NUMBER, shown=_VANITY)


def _is_of(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in domains)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:80]
    except ValueError:
        return ""


def _read_own(path: str) -> Asked | None:
    """Read the address of a webhook or a connection, as copied from the browser."""
    if found := _OWN_WEBHOOK.fullmatch(path.rstrip("/")):
        if int(found[1]) <= LARGEST_ID:
            return Asked(kind=Kind.WEBHOOK, shown=found[1], webhook_id=int(found[1]))
        return None
    if found := _UUID.search(path):
        return Asked(kind=Kind.UUID, shown=found[0].lower(), uuid=UUID(found[0]))
    return None


def _number(text: str) -> Asked:
    digits = "".join(c for c in text if c in "0123456789")
    return Asked(kind=Kind.NUMBER, shown=grouped(digits), number=int(digits))


def _read_address(text: str) -> Asked | None:
    """Read an email, or a meeting's address for SIP and H.323: `number.passcode@host`.

    The passcode is left out whatever the host is.
    """
    local, _, host = text.partition("@")
    text = f"{local}@{host.partition('|')[0]}"  # as Slack writes: address|name
    plain = text.strip("'*_").rstrip(_TRAILING)
    local, _, host = plain.rpartition("@")
    if number := _SIP_NUMBER.fullmatch(local) or _NUMBER.fullmatch(local):
        return _number(number[1] if number.re is _SIP_NUMBER else local)
    if _is_of(host.lower(), _SIP_HOSTS):
        return Asked(kind=Kind.NO_NUMBER, shown="this SIP address")
    whole = next((each for each in (text, plain) if _parsed(each)), None)
    return None if whole is None else Asked(kind=Kind.EMAIL, shown=whole, email=whole)


def _parsed(email: str) -> ValidatedEmail | None:
    if len(email) > _LONGEST_EMAIL:
        return None
    try:
        return validate_email(
            email,
            check_deliverability=False,
            test_environment=True,
            allow_quoted_local=True,
        )
    except EmailNotValidError:
        return None
