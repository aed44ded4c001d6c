"""A list of people to invite, pasted or uploaded as CSV, and the list of their links.

Links are made only if every line is correct.

Columns `email` and `user_ref`, in any order under a line that names them, or in that
order without one. Comma, semicolon or tab part them.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dashboard.db.columns import is_storable
from dashboard.errors import InvalidInputError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import urls
from dashboard.services.invitations.invitations import Made, Wanted
from dashboard.services.staff.accounts import normal_email

COLUMNS = ("email", "user_ref", "link", "expires_at")
MOST = 2000
MOST_ERRORS = 20
LONGEST_REF = 200

_EMAIL = {"email", "e-mail", "mail"}
_REF = {"user_ref", "user ref", "user id", "user_id", "id", "ref"}
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


def one(email: str, user_ref: str) -> Wanted:
    """Return the person to invite, from two typed fields.

    Raises:
        InvalidInputError: Both are empty, or one cannot be taken; it names the field.
    """
    user_ref = user_ref.strip()
    if not email.strip() and not user_ref:
        raise InvalidInputError("Enter an email or your user ID.", field="email")
    if len(user_ref) > LONGEST_REF or not is_storable(user_ref):
        raise InvalidInputError(
            f"Your user ID can have at most {LONGEST_REF} characters.",
            field="user_ref",
        )
    return Wanted(email=normal_email(email) if email.strip() else "", user_ref=user_ref)


def parse(text: str) -> ParsedList:
    """Read a list; nothing is guessed at. Pure."""
    wanted: list[Wanted] = []
    errors: list[LineError] = []
    seen: dict[tuple[str, str], int] = {}
    try:
        lines = list(_lines(text))
    except csv.Error:  # a field that goes on for ever
        return ParsedList(errors=[LineError(line=1, sentence=_NEVER_CLOSED)])
    for line, email, user_ref in lines:
        try:
            person = one(email, user_ref)
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
    if len(wanted) > MOST:
        said = f"A list can have at most {MOST:,} people. Split it."
        errors.append(LineError(line=MOST + 1, sentence=said))
    return ParsedList(wanted=wanted, errors=errors)


def link_rows(
    made: Sequence[Made], app: ZoomApp, *, public_url: str
) -> Sequence[dict[str, str]]:
    """Return links just made as the rows of a table: the only time they are known.

    Keys are COLUMNS; instants are ISO 8601 in UTC.
    """
    return [
        {
            "email": one.invitation.email,
            "user_ref": one.invitation.user_ref,
            "link": urls.invitation_url(public_url, app.slug, one.secret),
            "expires_at": f"{one.invitation.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        }
        for one in made
    ]


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, email and user ID of each line that is not empty."""
    lines = text.removeprefix("\ufeff").splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=delimiter)
    at_email, at_ref, is_first = 0, 1, True
    for cells in reader:
        row = [cell.strip() for cell in cells]
        if not any(row):
            continue
        names = [cell.lower() for cell in row]
        if is_first and (_EMAIL | _REF).intersection(names):
            at_email = _place(names, _EMAIL)
            at_ref = _place(names, _REF)
        else:
            yield reader.line_num, _cell(row, at_email), _cell(row, at_ref)
        is_first = False


def _place(names: list[str], known: set[str]) -> int:
    return next((at for at, name in enumerate(names) if name in known), -1)


def _cell(row: list[str], at: int) -> str:
    return row[at] if 0 <= at < len(row) else ""
