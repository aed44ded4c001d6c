"""Taking one person's names and numbers out of sentences that stay. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus
from uuid import UUID

COVER = "(erased)"
_SHORTEST_TEXT = 4
_SHORTEST_NUMBER = 6


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whose data is to go; of an account_level app everybody of the account.

    Attributes:
        connection_id: None once the connection is deleted.
        user_ids: Zoom's; empty of an account that was never listed.
        account_id: Of an account_level app alone: a user's account has others in it.
        numbers: Personal meeting ids and meeting numbers.
    """

    zoom_app_id: UUID
    connection_id: UUID | None
    user_ids: frozenset[str]
    account_id: str | None
    emails: frozenset[str]
    names: frozenset[str]
    numbers: frozenset[int]

    def texts(self, *, but: Iterable[str] = ()) -> Sequence[str]:
        """Return ids, e-mails and full names, longest first.

        What is too short, and a name of one word, tells nobody from anything else.

        Args:
            but: E-mails to leave where they stand, in lower case.
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
        """Return the numbers as they are written."""
        return sorted(
            (text for n in self.numbers if len(text := str(n)) >= _SHORTEST_NUMBER),
            key=len,
            reverse=True,
        )


def of_webhook(erased_at: datetime) -> str:
    """Say why a webhook shows nothing any more, and cannot be sent again."""
    return (
        f"Erased on {erased_at:%Y-%m-%d}: the user it was about removed the app or was "
        "disconnected, so what Zoom told of them was deleted."
    )


class Covering:
    """Puts "(erased)" for whatever names a person; in a query string, what may stand.

    Args:
        person: Whom.
        but: E-mails to leave, in lower case: those of staff.
    """

    def __init__(self, person: Person, *, but: Iterable[str] = ()) -> None:
        texts, numerals = person.texts(but=but), person.numerals()
        self.needles: Sequence[str] = [*texts, *numerals]
        written = {form for text in texts for form in (text, quote_plus(text))}
        ordered = sorted(written, key=len, reverse=True)
        self._texts = _any_of(ordered, edge=r"\w")
        self._numerals = _any_of(numerals, edge=r"[0-9]")

    def cover(self, text: str, *, words: str = COVER, number: str = COVER) -> str:
        """Return the text without them; the same when it names nobody."""
        for pattern, instead in ((self._texts, words), (self._numerals, number)):
            if pattern is not None:
                text = pattern.sub(instead, text)
        return text


def _any_of(words: Sequence[str], *, edge: str) -> re.Pattern[str] | None:
    """Return what finds them as whole words; "Ana" is not in "Banana"."""
    if not words:
        return None
    either = "|".join(re.escape(word) for word in words)
    return re.compile(f"(?<!{edge})(?:{either})(?!{edge})", re.IGNORECASE)
