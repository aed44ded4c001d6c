"""Judges evidence about validation: Zoom to us, us to Recall, and both at once. Pure.

Nothing is valid that was not seen so, and evidence of a former secret token or older
than Zoom's rhythm proves nothing (product.md, Live validation).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dashboard.models.check import Check, Finding
from dashboard.models.zoom_app import Routing

# Zoom challenges both URLs every 72 hours, not to the minute, and stops after six
# failures in a row (contracts/zoom.md 5.5, checked 2026-11-23).
REPEATED_EVERY = timedelta(hours=72)
GRACE = timedelta(hours=24)
FAILURES_ALLOWED = 6


class State(StrEnum):
    """The states of product.md, Live validation."""

    NEVER_SEEN = "never_seen"
    WAITING = "waiting"
    VALID = "valid"
    SECRET_MISMATCH = "secret_mismatch"  # noqa: S105 - a word, no password
    RECALL_DISAGREES = "recall_disagrees"
    OVERDUE = "overdue"
    FAILING = "failing"

    @property
    def word(self) -> str:
        """The state in words: "Secret mismatch"."""
        return self.value.replace("_", " ").capitalize()

    @property
    def tone(self) -> str:
        """The status tone: "good", "waiting", "trouble" or "off"."""
        return _TONES[self]


_TONES = {
    State.NEVER_SEEN: "off",
    State.WAITING: "waiting",
    State.VALID: "good",
    State.SECRET_MISMATCH: "trouble",
    State.RECALL_DISAGREES: "waiting",
    State.OVERDUE: "waiting",
    State.FAILING: "trouble",
}


_URGENCY = (
    State.SECRET_MISMATCH,
    State.FAILING,
    State.NEVER_SEEN,
    State.WAITING,
    State.OVERDUE,
    State.RECALL_DISAGREES,
    State.VALID,
)


_BAD = {Finding.SECRET_MISMATCH: State.SECRET_MISMATCH}


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
        recall: Recall's newest answer to a challenge, forwarded or our own.
        recall_api: What Recall's API said last of `webhook_last_validation`.
    """

    routing: Routing
    is_in_recall: bool
    secret_set_at: datetime
    challenge: Check | None = None
    good_challenge: Check | None = None
    failures: int = 0
    event_at: datetime | None = None
    recall: Check | None = None
    recall_api: Check | None = None


@dataclass(frozen=True, kw_only=True)
class ValidationStatus:
    """One line of truth.

    Attributes:
        sentence: What was seen, or what to do next.
        since: When the thing was seen that the state stands on.
        next_due_at: When Zoom is expected to repeat its challenge.
        failures: Failed challenges in a row, of `FAILURES_ALLOWED`.
    """

    state: State
    sentence: str
    since: datetime | None = None
    next_due_at: datetime | None = None
    failures: int = 0

    def share_left(self, now: datetime) -> int:
        """Return how much of the time until the next check is left, in percent.

        In trouble all of it, so that the bar is full in the colour of trouble.
        """
        if self.state.tone == "trouble":
            return 100
        if self.since is None or self.next_due_at is None:
            return 0
        share = (self.next_due_at - now) / (self.next_due_at - self.since)
        return max(0, min(100, round(share * 100)))


def ours(seen: Evidence, now: datetime) -> ValidationStatus:
    """Judge the way from Zoom to the dashboard. Pure."""
    if seen.routing is Routing.DIRECT:
        return ValidationStatus(
            state=State.NEVER_SEEN,
            sentence="Zoom posts to Recall directly; nothing is expected here.",
        )
    trouble = _trouble(seen)
    if trouble is not None:
        return trouble
    good = seen.good_challenge
    if good is None:
        return _no_challenge_yet(seen)
    proved_at = good.at if seen.event_at is None else max(good.at, seen.event_at)
    if seen.secret_set_at > proved_at:
        return ValidationStatus(
            state=State.WAITING,
            sentence="The secret token was changed since Zoom last called. Press "
            "Validate in Zoom to prove the new one.",
        )
    due_at = good.at + REPEATED_EVERY
    if now > due_at + GRACE:
        return ValidationStatus(
            state=State.OVERDUE,
            sentence="Zoom repeats its challenge every 72 hours, and none came. See in "
            "Zoom whether the event subscription is still enabled, and press Validate.",
            since=good.at,
            next_due_at=due_at,
        )
    return ValidationStatus(
        state=State.VALID, sentence=timed(good), since=good.at, next_due_at=due_at
    )


def recalls(seen: Evidence, now: datetime) -> ValidationStatus:
    """Judge the way from the dashboard to Recall. Pure."""
    if not seen.is_in_recall:
        return ValidationStatus(
            state=State.NEVER_SEEN, sentence="The app is not in Recall yet."
        )
    proof = seen.recall
    if proof is None or seen.secret_set_at > proof.at:
        return _recall_untried(seen, now)
    if proof.finding is not Finding.GOOD:
        return ValidationStatus(
            state=_BAD.get(proof.finding, State.FAILING),
            sentence=proof.detail,
            since=proof.at,
        )
    due_at = proof.at + REPEATED_EVERY
    if now > due_at + GRACE:
        return ValidationStatus(
            state=State.OVERDUE,
            sentence="Recall answered rightly, but long ago. Press Probe now.",
            since=proof.at,
            next_due_at=due_at,
        )
    api = seen.recall_api
    if api is not None and api.at >= proof.at and api.finding is Finding.NOT_SEEN:
        return ValidationStatus(
            state=State.RECALL_DISAGREES,
            sentence=f"Recall answered our challenge rightly, but {api.detail}",
            since=api.at,
        )
    return ValidationStatus(
        state=State.VALID, sentence=timed(proof), since=proof.at, next_due_at=due_at
    )


def status(seen: Evidence, now: datetime) -> ValidationStatus:
    """Judge both ways at once: the one that is further from valid. Pure."""
    both = [ours(seen, now), recalls(seen, now)]
    if seen.routing is Routing.DIRECT:
        both = both[1:]
    return min(both, key=lambda one: _URGENCY.index(one.state))


def timed(check: Check) -> str:
    """Return what a check says, with how long the answer took."""
    if check.took_ms is None:
        return check.detail
    return f"{check.detail.rstrip('.')} in {max(round(check.took_ms), 1)} ms."


def _trouble(seen: Evidence) -> ValidationStatus | None:
    """Return what the newest challenge found wrong, unless an event healed it since."""
    bad = seen.challenge
    if bad is None or bad.finding is Finding.GOOD:
        return None
    if seen.event_at is not None and seen.event_at > bad.at:
        return None
    return ValidationStatus(
        state=_BAD.get(bad.finding, State.FAILING),
        sentence=bad.detail,
        since=bad.at,
        failures=min(seen.failures, FAILURES_ALLOWED),
    )


def _no_challenge_yet(seen: Evidence) -> ValidationStatus:
    if seen.event_at is None:
        return ValidationStatus(
            state=State.NEVER_SEEN,
            sentence="Zoom has not called yet. Paste the webhook URL in Zoom and press "
            "Validate there.",
        )
    return ValidationStatus(
        state=State.WAITING,
        sentence="Genuine events arrive, but no challenge was seen yet. Press Validate "
        "in Zoom.",
        since=seen.event_at,
    )


def _recall_untried(seen: Evidence, now: datetime) -> ValidationStatus:
    api = seen.recall_api
    if api is None or seen.secret_set_at > api.at or api.finding is not Finding.GOOD:
        return ValidationStatus(
            state=State.WAITING,
            sentence="Not tried with the secret token stored now. Press Probe now.",
        )
    due_at = api.at + REPEATED_EVERY
    state = State.OVERDUE if now > due_at + GRACE else State.VALID
    return ValidationStatus(
        state=state, sentence=api.detail, since=api.at, next_due_at=due_at
    )
