"""What is yours about a user: your ID, your tags, and the way back. Pure.

They come with a link, stay on the connection, and are shown again wherever it is.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from dashboard.db.columns import is_storable
from dashboard.errors import InvalidInputError
from dashboard.models.connection import ConnectAttempt, Connection

LONGEST_REFERENCE = 200
LONGEST_URL = 500
MOST_TAGS = 10
MOST_ORIGINS = 50

_TAG = re.compile(r"[a-z0-9._:-]{1,40}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HOST = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\]")
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORTS = {"https": 443, "http": 80}
_OURS = frozenset({"status", "connection"})


@dataclass(frozen=True, kw_only=True)
class References:
    """What a link carries of yours, already checked.

    Attributes:
        reference: Your own id of the user; "" when there is none.
        tags: Sorted, space separated.
        return_url: Of an allowed origin; "" for no way back.
    """

    reference: str = ""
    tags: str = ""
    return_url: str = ""


def checked(
    reference: str,
    tags: str | Iterable[str],
    return_url: str,
    *,
    origins: Sequence[str],
) -> References:
    """Return what was given, in its stored form.

    Args:
        reference: As typed.
        tags: As typed: several, or a text with blanks or commas between them.
        return_url: As typed; "" for none.
        origins: To which the way back may lead.

    Raises:
        InvalidInputError: One of them cannot be taken; it names the field.
    """
    return References(
        reference=read_reference(reference),
        tags=read_tags(tags),
        return_url=read_return_url(return_url, origins=origins),
    )


def lenient(
    reference: str,
    tags: str | Iterable[str],
    return_url: str,
    *,
    origins: Sequence[str],
) -> References:
    """Return what of the address of a plain link can be taken; the rest is left out.

    Its user did not write it, so they are shown no error.
    """

    def taken(read: Callable[[], str]) -> str:
        try:
            return read()
        except InvalidInputError:
            return ""

    return References(
        reference=taken(lambda: read_reference(reference)),
        tags=taken(lambda: read_tags(tags)),
        return_url=taken(lambda: read_return_url(return_url, origins=origins)),
    )


def read_reference(text: str) -> str:
    """Return your ID of a user without the blanks around it.

    Raises:
        InvalidInputError: It is too long, or holds what is not stored.
    """
    text = text.strip()
    is_odd = not is_storable(text) or _CONTROL.search(text)
    if len(text) > LONGEST_REFERENCE or is_odd:
        raise InvalidInputError(
            f"Your user ID can have at most {LONGEST_REFERENCE} characters.",
            field="user_ref",
        )
    return text


def read_tags(tags: str | Iterable[str]) -> str:
    """Return tags in lower case, sorted, each once, with a space between them.

    Raises:
        InvalidInputError: There are too many, or one is not spelled as tags are.
    """
    parts = re.split(r"[\s,]+", tags) if isinstance(tags, str) else tags
    found = sorted({part.strip().lower() for part in parts} - {""})
    if len(found) > MOST_TAGS:
        raise InvalidInputError(
            f"A link can have at most {MOST_TAGS} tags.", field="tags"
        )
    if not all(_TAG.fullmatch(one) for one in found):
        raise InvalidInputError(
            "A tag has 1 to 40 letters, digits, dots, colons, hyphens or underscores.",
            field="tags",
        )
    return " ".join(found)


def read_return_url(text: str, *, origins: Sequence[str]) -> str:
    """Return the address of the way back; "" for none.

    Raises:
        InvalidInputError: It is no web address, or its origin is not on the list.
    """
    text = text.strip()
    if not text:
        return ""
    origin = origin_of(text)
    if origin is None or len(text) > LONGEST_URL:
        raise InvalidInputError(
            "The return address must be a full web address (https://…) of at most "
            f"{LONGEST_URL} characters.",
            field="return_url",
        )
    if origin not in origins:
        raise InvalidInputError(
            f"{origin} is not on the list of allowed return addresses of this zoom "
            "app. An admin can add it on the page Connect button.",
            field="return_url",
        )
    return text


def read_origins(text: str) -> list[str]:
    """Return the origins of a list, one a line, in their stored form.

    Raises:
        InvalidInputError: A line is no origin, or there are too many.
    """
    found: dict[str, None] = {}
    for line in text.split():
        origin = origin_of(line)
        path = urlsplit(line) if origin else None
        if path is None or path.path not in ("", "/") or path.query or path.fragment:
            raise InvalidInputError(
                f"{line[:100]} is not an origin. Write it like https://app.example.com:"
                " https, the host, a port if it has one, and no path.",
                field="origins",
            )
        found[str(origin)] = None
    if len(found) > MOST_ORIGINS:
        raise InvalidInputError(
            f"The list can have at most {MOST_ORIGINS} origins.", field="origins"
        )
    return list(found)


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of a web address; None if it is none.

    Plain http is one of this machine only.
    """
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>`{}')
    if not is_plain:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme, parts.netloc.rpartition("@")[2].lower()
    host = host.removesuffix(f":{port}") if port is not None else host
    if "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    if scheme != "https" and not (scheme == "http" and host in _LOCAL):
        return None
    is_usual = port is None or port == _PORTS[scheme]
    return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{port}"


def way_back(
    return_url: str, *, origins: Sequence[str], status: str, connection: str = ""
) -> str | None:
    """Return the address of the button back; None when it is not allowed any more.

    Args:
        return_url: As stored.
        origins: To which it may lead now.
        status: How the attempt ended, in one word.
        connection: Its connection's id; "" for none.
    """
    if not return_url or origin_of(return_url) not in origins:
        return None
    parts = urlsplit(return_url)
    kept = parse_qsl(parts.query, keep_blank_values=True)
    query = [(name, value) for name, value in kept if name not in _OURS]
    query.append(("status", status))
    if connection:
        query.append(("connection", connection))
    return parts._replace(query=urlencode(query)).geturl()


def keep(row: Connection, attempt: ConnectAttempt) -> None:
    """Have a connection keep what its link carried; the caller commits.

    What came with a link made for one user is not replaced by what a plain link says.
    """
    is_verified = attempt.invitation_id is not None
    if is_verified or not row.is_reference_verified:
        if attempt.reference:
            row.reference = attempt.reference
            row.is_reference_verified = is_verified
        row.tags = attempt.tags or row.tags
    row.return_url = attempt.return_url or row.return_url
