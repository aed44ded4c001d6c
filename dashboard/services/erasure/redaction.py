"""Remove one person's names, emails and numbers from sentences that stay."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from urllib.parse import quote_plus
from uuid import UUID

from sqlalchemy import Column, Table
from sqlmodel import Session, SQLModel, and_, col, func, or_, select, update

from dashboard.models.audit import AuditEntry
from dashboard.models.check import Check
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import ConnectAttempt
from dashboard.models.invitation import Invitation
from dashboard.models.resend import Resend, ResendState
from dashboard.services.audit.sealing import redact
from dashboard.services.audit.signing import Signer
from dashboard.vault import Vault

ERASED = "(erased)"
_SHORTEST_TEXT = 4
_SHORTEST_NUMBER = 6


@dataclass(frozen=True, kw_only=True)
class Person:
    """The person to delete; of an account_level app everyone in the account.

    Attributes:
        connection_id: None once the connection is deleted.
        user_ids: Zoom's; empty for an account whose members were never listed.
        account_id: Only of an account_level app: a user's account has other users.
        numbers: Personal meeting IDs and meeting numbers.
    """

    zoom_app_id: UUID
    connection_id: UUID | None
    user_ids: frozenset[str]
    account_id: str | None
    emails: frozenset[str]
    names: frozenset[str]
    numbers: frozenset[int]

    def texts(self, *, but: Iterable[str] = ()) -> Sequence[str]:
        """Return IDs, emails and full names, longest first.

        Short texts and one-word names identify no one.

        Args:
            but: Emails to keep, in lower case.
        """
        left = set(but)
        full = {name for name in self.names if " " in name.strip()}
        found = {*self.user_ids, *self.emails, *full, self.account_id or ""}
        return sorted(
            (
                text
                for text in found
                if len(text) >= _SHORTEST_TEXT and text.lower() not in left
            ),
            key=len,
            reverse=True,
        )

    def numerals(self) -> Sequence[str]:
        """Return the numbers as text."""
        return sorted(
            (text for n in self.numbers if len(text := str(n)) >= _SHORTEST_NUMBER),
            key=len,
            reverse=True,
        )


def of_webhook(erased_at: datetime) -> str:
    """Say why a webhook has no content and can't be sent again."""
    return (
        f"Deleted on {erased_at:%Y-%m-%d}: the user removed the app or was "
        "disconnected, so the content of their webhooks was deleted."
    )


class Redactor:
    """Replaces whatever names a person by "(erased)", or by other given words.

    Args:
        person: The person.
        but: Emails to keep, in lower case: those of staff.
    """

    def __init__(self, person: Person, *, but: Iterable[str] = ()) -> None:
        texts, numerals = person.texts(but=but), person.numerals()
        self.needles: Sequence[str] = [*texts, *numerals]
        written = {form for text in texts for form in (text, quote_plus(text))}
        self._texts = _folded(sorted(written, key=len, reverse=True))
        self._numerals = _folded(numerals)

    def redact(self, text: str, *, words: str = ERASED, number: str = ERASED) -> str:
        """Return the text without the person; unchanged when it doesn't name them."""
        text = _replaced(text, self._texts, words, edge=r"\w")
        return _replaced(text, self._numerals, number, edge=r"[0-9]")


def _folded(words: Sequence[str]) -> Sequence[tuple[str, str]]:
    return [(word.casefold(), word) for word in words]


def _replaced(
    text: str, words: Sequence[tuple[str, str]], instead: str, *, edge: str
) -> str:
    """Replace whole words: "Ana" is not in "Banana".

    An account has thousands of words, and an expression of all of them would try each
    at every character: only those that are somewhere in the text are looked for.
    """
    folded = text.casefold()
    found = [word for plain, word in words if plain in folded]
    if not found:
        return text
    either = "|".join(map(re.escape, found))
    pattern = re.compile(f"(?<!{edge})(?:{either})(?!{edge})", re.IGNORECASE)
    return pattern.sub(instead, text)


_NEEDLES_AT_ONCE = 50


@dataclass(frozen=True)
class _Place:
    """A column whose text may name a person."""

    model: type[SQLModel]
    column: str

    @property
    def table(self) -> Table:
        return SQLModel.metadata.tables[str(self.model.__tablename__)]

    @property
    def columns(self) -> tuple[Column[Any], Column[Any]]:
        """The key of the row, and the column."""
        return self.table.c.id, self.table.c[self.column]

    @property
    def longest(self) -> int | None:
        return getattr(self.table.c[self.column].type, "length", None)

    @property
    def is_of_app(self) -> bool:
        return "zoom_app_id" in self.table.c


class Change(NamedTuple):
    """A sentence: its place, its text and the redacted text."""

    place: _Place
    key: object
    text: str
    covered: str


_SENTENCES = (
    _Place(AuditEntry, "subject"),
    _Place(AuditEntry, "changes"),
    _Place(Check, "detail"),
    _Place(ConnectAttempt, "detail"),
    _Place(OpenCircuit, "reason"),
    _Place(Invitation, "tried_as"),
    _Place(Resend, "query"),
)


def sentence_changes(
    session: Session, person: Person, redactor: Redactor
) -> Sequence[Change]:
    """Return the sentences that name the person, with their redacted texts.

    Scans whole columns, so it uses a reading session.
    """
    return [
        change
        for place in _SENTENCES
        for at in range(0, len(redactor.needles), _NEEDLES_AT_ONCE)
        for change in _changes_of(
            session, place, person, redactor, at=slice(at, at + _NEEDLES_AT_ONCE)
        )
    ]


def _changes_of(
    session: Session, place: _Place, person: Person, redactor: Redactor, *, at: slice
) -> Iterator[Change]:
    key, column = place.columns
    # Both: SQLite lowers ASCII only.
    names_them = or_(
        *(
            condition
            for needle in redactor.needles[at]
            for condition in (
                column.contains(needle, autoescape=True),
                func.lower(column).contains(needle.lower(), autoescape=True),
            )
        )
    )
    query = select(key, column).where(names_them)
    if place.is_of_app:
        query = query.where(place.table.c.zoom_app_id == person.zoom_app_id)
    for row_key, text in session.exec(query):
        if place.model is Resend:
            covered = redactor.redact(text, words="erased", number="0")
        else:
            covered = redactor.redact(text)
        if covered != text:
            yield Change(place, row_key, text, covered[: place.longest])


def apply_changes(
    session: Session, changes: Sequence[Change], vault: Vault, *, now: datetime
) -> None:
    """Write the redacted texts where the old ones still stand; the caller commits."""
    _redact_audit_log(session, changes, vault, now=now)
    for change in changes:
        if change.place.model is AuditEntry:
            continue
        key, column = change.place.columns
        is_it = and_(key == change.key, column == change.text)
        if change.place.model is Resend:
            # A resend that is still listing finds its webhooks by its query.
            is_it = and_(is_it, col(Resend.state) != ResendState.GATHERING)
        session.exec(
            update(change.place.model)
            .where(is_it)
            .values({change.place.column: change.covered})
            .execution_options(synchronize_session=False)
        )


def _redact_audit_log(
    session: Session, changes: Sequence[Change], vault: Vault, *, now: datetime
) -> None:
    texts: dict[int, dict[str, str]] = {}
    for change in changes:
        if change.place.model is AuditEntry:
            found = texts.setdefault(cast("int", change.key), {})
            found[change.place.column] = change.covered
    if texts:
        signer = Signer.ready(session, vault, now=now)
        for entry_id, covered in texts.items():
            redact(session, signer, entry_id, covered)


def still_gathering(session: Session, redactor: Redactor) -> int:
    """Count the resends that still list by a query naming the person."""
    queries = select(Resend.query).where(col(Resend.state) == ResendState.GATHERING)
    return sum(redactor.redact(query) != query for query in session.exec(queries))
