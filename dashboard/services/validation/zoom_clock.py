"""Judges the way from Zoom to the dashboard by what was seen of it. Pure.

Only Zoom's own challenge shows that Zoom has the URL: nothing else makes this green.
The cases stand in docs/validation.md, in this order.
"""

from datetime import datetime

from dashboard.formatting import hours_words
from dashboard.models.check import Check, Finding, Source
from dashboard.models.zoom_app import Routing
from dashboard.services.validation.limits import (
    FAILURES_ALLOWED,
    REPEATED_EVERY,
    is_within,
    missed,
)
from dashboard.services.validation.states import (
    MAILS,
    SWITCH_ON,
    Evidence,
    State,
    ValidationStatus,
    late,
    timed,
)

_CHANGED = (
    "The secret token was changed since Zoom last called. Press Validate in Zoom to "
    "prove the new one."
)
_BROKEN = {Finding.FAILED, Finding.SECRET_MISMATCH}


def zoom_status(seen: Evidence, now: datetime) -> ValidationStatus:
    """Judge the way from Zoom to the dashboard."""
    if seen.routing is Routing.DIRECT:
        return ValidationStatus(
            state=State.NEVER_SEEN,
            title="Not used",
            sentence="Zoom posts to Recall directly; nothing is expected here.",
        )
    trouble = _request_failed(seen, now) or _self_test_failed(seen)
    if trouble is not None:
        return trouble
    good = seen.good_challenge
    if good is None:
        return _not_called(seen, now)
    if seen.secret_set_at > max(good.at, seen.event_at or good.at):
        return ValidationStatus(
            state=State.WAITING,
            sentence=_CHANGED,
            since=good.at,
            source=good.source,
        )
    if is_within(good, now):
        return ValidationStatus(
            state=State.VALID,
            sentence=timed(good),
            since=good.at,
            source=good.source,
            next_due_at=good.at + REPEATED_EVERY,
        )
    return _overdue(good, seen.event_at, now)


def _request_failed(seen: Evidence, now: datetime) -> ValidationStatus | None:
    """Judge Zoom's newest challenge when it failed and no event healed it since."""
    bad = seen.challenge
    if bad is None or bad.finding is Finding.GOOD:
        return None
    if seen.event_at is not None and seen.event_at > bad.at:
        return None
    failures = min(seen.failures, FAILURES_ALLOWED)
    state, sentence, note = State.FAILING, bad.detail, MAILS
    if failures == FAILURES_ALLOWED:
        sentence = (
            f"Zoom's last {failures} challenges in a row failed, so it has stopped "
            f"sending and disabled the event subscription. {SWITCH_ON}"
        )
        note = f"The last one: {bad.detail}"
    elif bad.finding is Finding.SECRET_MISMATCH:
        state = State.SECRET_MISMATCH
        if seen.secret_set_at > bad.at:
            state, sentence = State.WAITING, _CHANGED
    return ValidationStatus(
        state=state,
        sentence=sentence,
        note=note,
        since=bad.at,
        source=bad.source,
        failures=failures,
        missed=min(failures + missed(bad.at, now), FAILURES_ALLOWED),
    )


def _self_test_failed(seen: Evidence) -> ValidationStatus | None:
    """Judge our own challenge when it failed and nothing of Zoom came through since."""
    self_test, good = seen.self_test, seen.good_challenge
    if self_test is None or self_test.finding not in _BROKEN:
        return None
    heard = [seen.event_at, None if good is None else good.at]
    if any(at is not None and at > self_test.at for at in heard):
        return None
    return ValidationStatus(
        state=State.FAILING,
        title="Not reachable",
        sentence=self_test.detail,
        note=MAILS,
        since=self_test.at,
        source=self_test.source,
    )


def _not_called(seen: Evidence, now: datetime) -> ValidationStatus:
    """Say what is missing while no challenge was answered."""
    if seen.event_at is not None:
        return ValidationStatus(
            state=State.WAITING,
            sentence="Genuine events arrive, but no challenge was seen yet. Press "
            "Validate in Zoom.",
            since=seen.event_at,
            source=Source.ZOOM_EVENT,
        )
    self_test = seen.self_test
    if self_test is None or not _works(self_test, seen.secret_set_at, now):
        return ValidationStatus(
            state=State.NEVER_SEEN,
            sentence="Zoom has not called yet. Paste the webhook URL in Zoom and press "
            "Validate there.",
        )
    return ValidationStatus(
        state=State.WAITING,
        sentence="The address works from outside. Paste the webhook URL in Zoom and "
        "press Validate there.",
        since=self_test.at,
        source=self_test.source,
    )


def _works(self_test: Check, secret_set_at: datetime, now: datetime) -> bool:
    return (
        self_test.finding is Finding.GOOD
        and self_test.at >= secret_set_at
        and is_within(self_test, now)
    )


def _overdue(good: Check, event_at: datetime | None, now: datetime) -> ValidationStatus:
    """Say how late Zoom's next challenge is, and what Zoom makes of it."""
    due_at, rounds = good.at + REPEATED_EVERY, missed(good.at, now)
    what = f"Zoom's check was due {hours_words(now - due_at)} ago and was not seen here"
    sentence = late(what, rounds)
    if event_at is not None and event_at > due_at:
        rounds = min(rounds, FAILURES_ALLOWED - 1)  # Zoom sends, so it is enabled
        sentence = f"{what}, though events still arrive. Press Validate in Zoom."
    return ValidationStatus(
        state=State.OVERDUE,
        sentence=sentence,
        note=MAILS,
        since=good.at,
        source=good.source,
        next_due_at=due_at,
        missed=rounds,
    )
