"""What a verdict is, how a rule makes one, and how people and instants are named."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from dashboard.formatting import grouped
from dashboard.models.connection import Connection
from dashboard.services.explain.facts import Facts

T = TypeVar("T")


class Who(StrEnum):
    """Who must act, in the words that pages and the docs use."""

    YOU = "you"
    USER = "the user"
    ADMIN = "an admin"
    NOBODY = "nobody"


class Target(StrEnum):
    """Where the next step is done; the page knows its address and its words."""

    NONE = ""
    CONNECTION = "connection"
    CONNECT_LINK = "connect_link"
    ZOOM_APP = "zoom_app"
    WORKSPACES = "workspaces"
    WEBHOOK = "webhook"


class Tone(StrEnum):
    """The status tones of every page."""

    GOOD = "good"
    WAITING = "waiting"
    TROUBLE = "trouble"
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One sentence on what is the matter, and who does what about it.

    Attributes:
        id: Of its row in docs/explain.md.
        step: What to do next; one or two sentences.
    """

    id: str
    sentence: str
    who: Who
    step: str
    target: Target
    tone: Tone


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row of the table: it decides if no row before it did."""

    id: str
    when: Callable[[Facts], object]
    says: Callable[[Facts], str]
    who: Who
    step: str
    target: Target = Target.NONE
    tone: Tone = Tone.TROUBLE

    def verdict(self, facts: Facts) -> Verdict:
        """Return what it says of these facts; `when` holds."""
        return Verdict(
            id=self.id,
            sentence=self.says(facts),
            who=self.who,
            step=self.step,
            target=self.target,
            tone=self.tone,
        )


def known(value: T | None) -> T:
    """Return what a rule's condition made sure of."""
    if value is None:
        raise LookupError("a rule says what its condition does not hold")
    return value


def moment(at: datetime | None, facts: Facts) -> str:
    """Name an instant within a sentence: "10:02 UTC", with its day unless today."""
    if at is None:
        return "a time not known"
    at, now = at.astimezone(UTC), facts.now.astimezone(UTC)
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M} UTC"


def checked(facts: Facts) -> str:
    """Name when the connection was last looked at, within a sentence."""
    return moment(known(facts.connection).token_checked_at, facts)


def person(row: Connection) -> str:
    """Name whose connection it is: "Ana Nowak", or the account of an account's."""
    if row.display_name or row.email:
        return row.display_name or row.email
    if row.zoom_user_id is None:
        return f"Zoom account {row.zoom_account_id or 'not seen yet'}"
    return f"Zoom user {row.zoom_user_id}"


def who(facts: Facts) -> str:
    """Name who counts: a member of an account, or the connected user."""
    member = facts.member
    if member is not None:
        return member.display_name or member.email or f"Zoom user {member.zoom_user_id}"
    return "The user" if facts.connection is None else person(facts.connection)


def subject(facts: Facts) -> str:
    """Name the meeting within a sentence: "meeting 912 3456 7890"."""
    return f"meeting {grouped(facts.asked.number)}"


def app_name(facts: Facts) -> str:
    """Name the zoom app: "Notetaker (production)"."""
    app = facts.app
    return "its zoom app" if app is None else f"{app.name} ({app.environment})"


ZOOM, RECALL, HERE = "Zoom", "Recall", "Dashboard"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One piece of evidence.

    Attributes:
        at: When it happened or was seen; None when no time is known.
        source: Who told: "Zoom", "Recall" or "Dashboard".
        words: One or two sentences; hold no secret.
        target: What it can be read in, with its id; none for most of Recall's.
    """

    at: datetime | None
    source: str
    words: str
    target: Target = Target.NONE
    target_id: str = ""


def at_connection(
    row: Connection, at: datetime | None, source: str, words: str
) -> Line:
    """Return a line that can be read on the page of a connection."""
    return Line(
        at=at,
        source=source,
        words=words,
        target=Target.CONNECTION,
        target_id=str(row.id),
    )
