"""A list of people to invite, pasted or uploaded as CSV, and the list of their links.

Links are made only if every line is correct.

Columns `email`, `user_ref` and `tags`, in any order under a line that names them, or in
that order without one. Tags have blanks between them. Comma, semicolon or tab part the
columns. Or addresses as a mail program writes them: `Name <address>; Name <address>`.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dashboard.errors import InvalidInputError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import urls
from dashboard.services.invitations import references
from dashboard.services.invitations.invitations import Made, Wanted
from dashboard.services.staff.accounts import normal_email

COLUMNS = ("email", "user_ref", "tags", "link", "expires_at")
MOST = 2000
MOST_ERRORS = 20

# Without blanks and marks.
_EMAIL = {
    *("email", "emails", "mail", "emailaddress", "emailaddresses", "useremail"),
    *("primaryemail", "workemail", "emailadresse", "emailrequired", "mailaddress"),
    *("emailaddressrequired", "userprincipalname", "upn"),
}
_REF = {"userref", "userid", "id", "ref", "reference"}
_TAGS = {"tags", "tag", "labels"}
_NO_LETTER = re.compile(r"[^a-z0-9]")
_SEPARATOR = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_BRACKETED = re.compile(r"<([^<>]{1,320})>")
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NEVER_CLOSED = (
    "A quotation mark is opened from here on and never closed. Close it or remove it."
)


@dataclass(frozen=True, kw_only=True)
class LineError:
    """What is wrong with one line, counted from 1 as an editor does."""

    line: int
    sentence: str

    def __str__(self) -> str:
        """Name the line."""
        return f"Line {self.line}: {self.sentence}"


@dataclass(frozen=True, kw_only=True)
class ParsedList:
    """What a list says; `wanted` is good only if there are no errors."""

    wanted: Sequence[Wanted] = field(default_factory=list)
    errors: Sequence[LineError] = field(default_factory=list)


def one(email: str, user_ref: str, tags: str = "", return_url: str = "") -> Wanted:
    """Return the person to invite, from typed fields; `make` checks the way back.

    Raises:
        InvalidInputError: Both are empty, or one cannot be taken; it names the field.
    """
    user_ref = references.read_reference(user_ref)
    if not email.strip() and not user_ref:
        raise InvalidInputError("Enter an email or your user ID.", field="email")
    return Wanted(
        email=normal_email(email) if email.strip() else "",
        user_ref=user_ref,
        tags=references.read_tags(tags),
        return_url=return_url,
    )


def decode(raw: bytes, *, errors: str = "replace") -> str:
    """Return the text of a file: UTF-8 or UTF-16, as Excel saves "Unicode text".

    Raises:
        UnicodeDecodeError: It is neither, and `errors` is "strict".
    """
    named = next((name for bom, name in _BOMS.items() if raw.startswith(bom)), None)
    if named is None:
        # Without a mark: of two bytes of Latin letters one is zero.
        even, odd = raw[:200:2].count(0), raw[1:200:2].count(0)
        wide = "utf-16-le" if odd > even else "utf-16-be"
        named = wide if max(even, odd) > len(raw[:200]) // 4 else "utf-8"
    return raw.decode(named, errors=errors)


def parse(text: str) -> ParsedList:
    """Read a list; nothing is guessed at. Pure.

    Reading ends where the list has too many people, however long it is.
    """
    wanted: list[Wanted] = []
    errors: list[LineError] = []
    seen: dict[tuple[str, str], int] = {}
    try:
        lines = list(islice(_lines(text), MOST + 1))
    except csv.Error:  # a field that goes on for ever
        return ParsedList(errors=[LineError(line=1, sentence=_NEVER_CLOSED)])
    if len(lines) > MOST:
        said = f"A list can have at most {MOST:,} people. Split it."
        return ParsedList(errors=[LineError(line=lines[-1][0], sentence=said)])
    for line, *cells in lines:
        try:
            person = one(*cells)
        except InvalidInputError as error:
            errors.append(LineError(line=line, sentence=str(error)))
            continue
        for known in (("email", person.email), ("user_ref", person.user_ref)):
            if known in seen and known[1]:
                said = f"{known[1]} is already on line {seen[known]}."
                errors.append(LineError(line=line, sentence=said))
            seen.setdefault(known, line)
        wanted.append(person)
    if not wanted and not errors:
        errors.append(LineError(line=1, sentence="The list is empty."))
    return ParsedList(wanted=wanted, errors=errors)


def link_rows(
    made: Sequence[Made], app: ZoomApp, *, hosted_url: str
) -> Sequence[dict[str, str]]:
    """Return links just made as the rows of a table: the only time they are known.

    Keys are COLUMNS; instants are ISO 8601 in UTC.
    """
    return [
        {
            "email": one.invitation.email,
            "user_ref": one.invitation.user_ref,
            "tags": one.invitation.tags,
            "link": urls.invitation_url(hosted_url, app.slug, one.secret),
            "expires_at": f"{one.invitation.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        for one in made
    ]


def _lines(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield line number, email, user ID and tags of each line that is not empty."""
    lines = text.lstrip("\ufeff").splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    if named := _SEPARATOR.fullmatch(first):  # Excel's own line
        delimiter = named[1]
        lines[lines.index(first)] = ""
    elif _BRACKETED.search(first) or _is_one_line_of_addresses(lines, first):
        yield from _addresses(lines)
        return
    reader = csv.reader(lines, delimiter=delimiter)
    at_email, at_ref, at_tags, is_first = 0, 1, 2, True
    for cells in reader:
        row = [cell.strip() for cell in cells]
        if not any(row):
            continue
        names = [_NO_LETTER.sub("", cell.lower()) for cell in row]
        if is_first and (_EMAIL | _REF).intersection(names):
            at_email = _place(names, _EMAIL)
            at_ref = _place(names, _REF)
            at_tags = _place(names, _TAGS)
        else:
            places = (at_email, at_ref, at_tags)
            email, ref, tags = (_cell(row, at) for at in places)
            yield reader.line_num, email, ref, tags
        is_first = False


def _is_one_line_of_addresses(lines: Sequence[str], first: str) -> bool:
    """Whether it is what a mail program copies from its "To" line."""
    cells = [cell for cell in first.split(";") if cell.strip()]
    is_alone = sum(bool(line.strip()) for line in lines) == 1
    return is_alone and len(cells) > 1 and all("@" in cell for cell in cells)


def _addresses(lines: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    """Yield the addresses of `Name <address>; Name <address>`; names are left out.

    A name may hold a comma. What is no address and no name of one is yielded too, to
    be refused.
    """
    for number, line in enumerate(lines, 1):
        before = ""
        for part in re.split(r"[;,]", line):
            bracketed = _BRACKETED.findall(part)
            if bracketed:
                yield from ((number, address, "", "") for address in bracketed)
                before = ""
            elif "@" in part:
                yield number, part.strip().strip("<>\"'"), "", ""
            elif part.strip():
                before = part.strip()
        if before:
            yield number, before, "", ""


def _place(names: list[str], known: set[str]) -> int:
    return next((at for at, name in enumerate(names) if name in known), -1)


def _cell(row: list[str], at: int) -> str:
    return row[at] if 0 <= at < len(row) else ""
