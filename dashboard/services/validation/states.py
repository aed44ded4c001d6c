"""Validation states, the evidence they are judged by, and how long evidence counts.

The rules are in `validation.rules`, and as a table in docs/validation.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from dashboard.clock import SKEW
from dashboard.models.check import Check, Finding, Source
from dashboard.models.zoom_app import Routing

# Zoom challenges both URLs every 72 hours, not to the minute, waits 3 s for the answer,
# mails the app's owner after the second and the fourth failure in a row, and after the
# sixth stops sending and disables the event subscription (docs/contracts/zoom.md 5.5,
# checked 2026-11-23).
REPEATED_EVERY = timedelta(hours=72)
GRACE = timedelta(hours=24)
FAILURES_ALLOWED = 6
ANSWERED_WITHIN_S = 3.0

SAME_ROUND = timedelta(minutes=10)
"""Failures so close together are one: Zoom's rounds are days apart, and only people
who press Validate again, or strangers, are quicker."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How old evidence may be and still make something green.

    Attributes:
        seen: Since it was seen (`Check.at`).
        told: Since the instant that it speaks of (`Check.told_at`), when it is one that
            only counts for what it tells.
    """

    seen: timedelta
    told: timedelta | None = None


_ROUND = REPEATED_EVERY + GRACE
LIMITS: Mapping[Source, Limit] = MappingProxyType(
    {
        Source.ZOOM_CHALLENGE: Limit(seen=_ROUND),
        # Says which secret Zoom uses; that Zoom has the URL only a challenge says.
        Source.ZOOM_EVENT: Limit(seen=_ROUND),
        # Never enough for green, and good for a hint as long as Zoom's own.
        Source.OUTSIDE_PROBE: Limit(seen=_ROUND),
        Source.RECALL_CHALLENGE: Limit(seen=_ROUND),
        Source.RECALL_PROBE: Limit(seen=_ROUND),
        # What Recall said a day ago may have been taken back since: the app removed.
        Source.RECALL_API: Limit(seen=GRACE, told=_ROUND),
        # Words that prove nothing, however new.
        Source.RECALL_LOG: Limit(seen=timedelta(0)),
    }
)


def is_within(check: Check, now: datetime) -> bool:
    """Whether it was seen lately enough to make something green. Pure.

    What only counts for what it tells has a second limit, `Limit.told`.
    """
    return -SKEW <= now - check.at <= LIMITS[check.source].seen


def missed(since: datetime, now: datetime) -> int:
    """Return how many of Zoom's rounds passed since then, at most all it allows.

    None while the first of them may still come.
    """
    if now - since <= _ROUND:
        return 0
    return min((now - since) // REPEATED_EVERY, FAILURES_ALLOWED)


SWITCH_ON = "Re-enable the event subscription in Zoom, press Validate, then Save."
MAILS = (
    "Zoom emails only the app's owner, after 2 and 4 failures in a row. After 6 it "
    "stops sending and disables the subscription."
)


MAY_DIFFER = "Recall may have a different secret token"
"""In a `Check.detail`: a refusal that has other causes too."""


class State(StrEnum):
    """The states of product.md, Live validation."""

    NEVER_SEEN = "never_seen"
    WAITING = "waiting"
    VALID = "valid"
    SECRET_MISMATCH = "secret_mismatch"  # noqa: S105 - a word, no password
    RECALL_DISAGREES = "recall_disagrees"
    OVERDUE = "overdue"
    FAILING = "failing"
    NOT_PROVEN = "not_proven"

    @property
    def word(self) -> str:
        """The state in words: "Secret mismatch"."""
        return _WORDS.get(self) or self.value.replace("_", " ").capitalize()

    @property
    def tone(self) -> str:
        """The status tone: "good", "waiting", "trouble" or "off"."""
        return _TONES[self]


_WORDS = {State.NEVER_SEEN: "Never validated"}
_TONES = {
    State.SECRET_MISMATCH: "trouble",
    State.FAILING: "trouble",
    State.NEVER_SEEN: "off",
    State.WAITING: "waiting",
    State.NOT_PROVEN: "waiting",
    State.OVERDUE: "waiting",
    State.RECALL_DISAGREES: "waiting",
    State.VALID: "good",
}
_URGENCY = list(_TONES)


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """What was seen since the proof and contradicts it.

    Attributes:
        since: When it was first seen.
        last_at: When it was last seen.
        words: What it is, after "Not proven since …: ".
    """

    since: datetime
    last_at: datetime
    words: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a status is judged by.

    Attributes:
        routing: Whether Zoom posts to us or to Recall.
        is_in_recall: Whether the app has its Recall app id.
        secret_set_at: When the secret token now stored was entered.
        challenge: Zoom's newest challenge, whatever became of it.
        good_challenge: The newest one that was answered rightly.
        failures: Challenges since then that were not.
        event_at: The newest genuine event, challenges apart.
        self_test: What came last of our own challenge to our own public URL.
        recall: Recall's newest answer to a challenge, forwarded or our own.
        recall_api: What Recall's API said last of the app; that it could not be asked
            says nothing, so the answer before that stands.
        began: Since when what was seen last has been so, by id of its check.
        refused: Requests in Zoom's form that were rejected, none accepted since.
        silence: Events have stopped, though users are connected.
        paused: Delivery to Recall is paused: Recall rejects it, or is down.
        zoom_at_recall: The newest thing Recall's API said of a validation that was not
            our own probe's; only looked for with routing direct.
        restored_at: When the database was last replaced by an older copy: what was seen
            before proves nothing of the time between.
    """

    routing: Routing
    is_in_recall: bool
    secret_set_at: datetime
    challenge: Check | None = None
    good_challenge: Check | None = None
    failures: int = 0
    event_at: datetime | None = None
    self_test: Check | None = None
    recall: Check | None = None
    recall_api: Check | None = None
    zoom_at_recall: Check | None = None
    began: Mapping[int, datetime] = field(default_factory=dict)
    refused: Contradiction | None = None
    silence: Contradiction | None = None
    paused: Contradiction | None = None
    restored_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ValidationStatus:
    """The status of one way: Zoom → dashboard or dashboard → Recall.

    Attributes:
        sentence: What was seen, or what to do next.
        note: What follows from it; may be empty.
        since: When the thing was seen that the state stands on.
        source: By which means it was.
        next_due_at: When Zoom is expected to repeat its challenge.
        valid_until: Until when what is valid is held to be so.
        failures: Failed challenges in a row as seen, at most `FAILURES_ALLOWED`.
        missed: Failures in a row that Zoom has probably counted, at most as many: each
            of its rounds that nothing was seen of is probably one.
        title: The word, where the state's own does not say it all.
    """

    state: State
    sentence: str
    note: str = ""
    since: datetime | None = None
    source: Source | None = None
    next_due_at: datetime | None = None
    valid_until: datetime | None = None
    failures: int = 0
    missed: int = 0
    title: str = ""

    @property
    def is_switched_off(self) -> bool:
        """Whether as many challenges failed in a row as Zoom allows."""
        return self.tone == "trouble" and self.failures >= FAILURES_ALLOWED

    @property
    def tone(self) -> str:
        """The status tone of its state."""
        return self.state.tone

    @property
    def word(self) -> str:
        """The state in words, with the count: "Failing, 2 of 6", "Switched off"."""
        if self.is_switched_off:
            return "Switched off"
        word = self.title or self.state.word
        if self.tone == "trouble" and self.failures:
            return f"{word}, {self.failures} of {FAILURES_ALLOWED}"
        return word

    @property
    def count(self) -> str:
        """The failures in words: "probably 1 of 6 failed checks"."""
        if self.missed <= self.failures:
            return f"{self.failures} of {FAILURES_ALLOWED} failed checks"
        if not self.failures:
            return f"probably {self.missed} of {FAILURES_ALLOWED} failed checks"
        return (
            f"{self.failures} of {FAILURES_ALLOWED} failed checks seen, "
            f"probably {self.missed}"
        )

    def share_left(self, now: datetime) -> int:
        """Return how much of the 72 hours until the next check is left, in percent.

        In trouble all of it, so that the bar is full in the colour of trouble.
        """
        if self.tone == "trouble":
            return 100
        if self.next_due_at is None:
            return 0
        share = (self.next_due_at - now) / REPEATED_EVERY
        return max(0, min(100, round(share * 100)))


def worse(one: ValidationStatus, other: ValidationStatus) -> ValidationStatus:
    """Return the status that needs a person more; the first when both do alike."""
    return min(one, other, key=_urgency)


def late(what: str, rounds: int) -> str:
    """Say what so many of Zoom's rounds of which nothing was seen amount to."""
    counted = "1 failure" if rounds == 1 else f"{rounds} failures"
    if rounds < FAILURES_ALLOWED:
        return (
            f"{what}. Zoom may have counted about {counted}. In Zoom, check that the "
            "event subscription is still enabled, then press Validate."
        )
    return (
        f"{what}. Zoom has probably counted {counted} and disabled the event "
        f"subscription. {SWITCH_ON}"
    )


def timed(check: Check) -> str:
    """Return what a check says, with the time a correct answer took."""
    if check.took_ms is None or check.finding is not Finding.GOOD:
        return check.detail
    head, _, rest = check.detail.partition(". ")
    said = f"{head.rstrip('.')} ({max(round(check.took_ms), 1)} ms)."
    return f"{said} {rest}" if rest else said


def _urgency(status: ValidationStatus) -> tuple[bool, int]:
    return not status.is_switched_off, _URGENCY.index(status.state)
