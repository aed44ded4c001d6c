"""Judges Recall's clock by what was seen of it. Pure.

With routing `relay` Recall must answer what we send it: its answers to a challenge
prove that. With `direct` Zoom calls Recall itself: only what Recall's API says of
that proves it, and our own challenge proves the secret token alone.
The cases stand in docs/validation.md, in this order.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from dashboard.formatting import hours_words
from dashboard.models.check import Check, Finding, Source
from dashboard.models.zoom_app import Routing
from dashboard.services.validation.limits import (
    LIMITS,
    REPEATED_EVERY,
    SKEW,
    is_within,
    missed,
)
from dashboard.services.validation.states import (
    MAILS,
    Evidence,
    State,
    ValidationStatus,
    late,
    timed,
)

_PROVES = {Finding.GOOD, Finding.SECRET_MISMATCH, Finding.FAILED}
_ANSWERS = _PROVES | {Finding.GONE}
_TELLS = {Finding.GOOD, Finding.NOT_SEEN, Finding.GONE}
_UNTRIED = "Not tried with the secret token stored now. Press Probe now."
_PASTE = "Paste it in Zoom and press Validate there."


def recall_status(seen: Evidence, now: datetime) -> ValidationStatus:
    """Judge the way to Recall: from the dashboard, or from Zoom with direct routing."""
    if not seen.is_in_recall:
        return ValidationStatus(
            state=State.NEVER_SEEN, sentence="The app is not in Recall yet."
        )
    api = _of(seen.recall_api, _TELLS)
    gone = _gone(_of(seen.recall, _ANSWERS), api)
    if gone is not None:
        return gone
    proof = _of(seen.recall, _PROVES)
    if proof is not None and seen.secret_set_at > proof.at:
        proof = None
    if seen.routing is Routing.DIRECT:
        return _from_zoom(seen, proof, api, now)
    return _from_here(proof, api, now)


def echoes_apart(checks: Sequence[Check], *, is_cut: bool = False) -> Check | None:
    """Return the newest thing Recall's API said of a validation by Zoom itself.

    Recall may note a challenge of our own as one: docs/contracts/recall.md 3.8 does
    not say (checked 2026-11-23). So an instant that appears after a challenge that we
    put, and is about when we put it, is our own echo. One that appears without any is
    Zoom's.

    Args:
        checks: Of Recall's API and Recall's answers to challenges, in order of id.
        is_cut: Whether there were more before: then what Recall's API said first is
            not known to be Zoom's.
    """
    told = [check.told_at for check in checks if check.source is Source.RECALL_API]
    last = next(filter(None, told), None) if is_cut else None
    put: list[Check] = []
    is_zooms, found = False, None
    for check in checks:
        if check.finding is not Finding.GOOD:
            continue
        if check.source is not Source.RECALL_API:
            put.append(check)
        elif check.told_at is not None:
            told_at = check.told_at
            if told_at != last:
                is_zooms = all(abs(told_at - each.at) > SKEW for each in put)
                # Recall may note the later ones with its next breath.
                put = [each for each in put if each.at > told_at + SKEW]
                last = told_at
            if is_zooms:
                found = check
    return found


def _of(check: Check | None, findings: Collection[Finding]) -> Check | None:
    return check if check is not None and check.finding in findings else None


def _gone(proof: Check | None, api: Check | None) -> ValidationStatus | None:
    """Judge an app that Recall does not have any more, unless it answered since."""
    known = [check for check in (proof, api) if check is not None]
    newest = max(known, key=lambda check: check.at, default=None)
    if newest is None or newest.finding is not Finding.GONE:
        return None
    return ValidationStatus(
        state=State.FAILING,
        title="Gone from Recall",
        sentence="The app is gone from Recall: create it again or adopt one.",
        note="Until then Recall takes none of its webhooks.",
        since=newest.at,
        source=newest.source,
    )


def _from_here(
    proof: Check | None, api: Check | None, now: datetime
) -> ValidationStatus:
    if proof is None:
        return ValidationStatus(state=State.WAITING, sentence=_UNTRIED)
    if proof.finding is not Finding.GOOD:
        return _bad(proof)
    state, sentence, by = State.VALID, timed(proof), proof
    if not is_within(proof, now):
        state = State.OVERDUE
        sentence = "Recall answered rightly, but long ago. Press Probe now."
    elif api is not None and api.at >= proof.at and _disagrees(api, now):
        state, by = State.RECALL_DISAGREES, api
        sentence = f"Recall answered our challenge rightly, but {api.detail}"
    return ValidationStatus(
        state=state,
        sentence=sentence,
        since=by.at,
        source=by.source,
        next_due_at=proof.at + REPEATED_EVERY,
    )


def _disagrees(api: Check, now: datetime) -> bool:
    """Whether Recall's API knows of no validation, or of none for long."""
    told, told_at = LIMITS[api.source].told, api.told_at
    is_old = bool(told and told_at and now - told_at > told)
    return is_old or api.finding is Finding.NOT_SEEN


def _from_zoom(
    seen: Evidence, proof: Check | None, api: Check | None, now: datetime
) -> ValidationStatus:
    told = _of(seen.zoom_at_recall, {Finding.GOOD})
    if told and api and api.finding is Finding.NOT_SEEN and api.at >= told.at:
        told = None  # taken back: Recall's app is another one by now
    told_at = None if told is None else told.told_at
    if proof is not None and proof.finding is not Finding.GOOD:
        if told_at is None or told_at <= proof.at:
            return _bad(proof)
        if proof.finding is Finding.SECRET_MISMATCH:
            return ValidationStatus(
                state=State.RECALL_DISAGREES,
                sentence="Zoom validated Recall's URL after our challenge came back "
                "wrong: Recall was mended since, or the secret token stored here is "
                "not the one in Zoom. Press Probe now.",
                since=proof.at,
                source=proof.source,
            )
    if told is None or told_at is None:
        return _not_validated(proof, api)
    if seen.secret_set_at > told_at:
        return ValidationStatus(
            state=State.WAITING,
            sentence="The secret token was changed since Zoom last called Recall. "
            "Press Validate in Zoom to prove the new one.",
            since=told_at,
            source=told.source,
        )
    return _told(told, told_at, _heard_at(told, api), now)


def _not_validated(proof: Check | None, api: Check | None) -> ValidationStatus:
    """Say what is missing while Zoom was not seen to call Recall."""
    by = api or proof
    if by is None:
        return ValidationStatus(state=State.WAITING, sentence=_UNTRIED)
    right = "" if proof is None else "Recall holds the right secret token, but "
    state = State.NEVER_SEEN
    sentence = f"{right}Zoom never validated Recall's URL. {_PASTE}"
    if api is None:
        state = State.WAITING
        sentence = f"{right}its API was not asked yet whether Zoom validated its URL."
    return ValidationStatus(
        state=state,
        sentence=sentence,
        since=by.at,
        source=by.source,
    )


def _heard_at(told: Check, api: Check | None) -> datetime:
    """Return when Recall's API last said so, or of something later still."""
    if api is None or api.told_at is None or told.told_at is None:
        return told.at
    return api.at if api.told_at >= told.told_at else told.at


def _told(
    told: Check, told_at: datetime, heard_at: datetime, now: datetime
) -> ValidationStatus:
    """Judge Zoom's validation at Recall by its age, and by that of Recall's word."""
    limit, rounds = LIMITS[told.source], missed(told_at, now)
    due_at = told_at + REPEATED_EVERY
    state, sentence = State.VALID, told.detail
    if limit.told is None or now - told_at > limit.told:
        state = State.OVERDUE
        sentence = late(
            f"Zoom's check was due {hours_words(now - due_at)} ago and Recall did not "
            "see it",
            rounds,
        )
    elif now - heard_at > limit.seen:
        state = State.OVERDUE
        sentence = (
            f"Recall's API was last heard {hours_words(now - heard_at)} ago; what it "
            "said then is too old to go by."
        )
    return ValidationStatus(
        state=state,
        sentence=sentence,
        note=MAILS if rounds else "",
        since=told_at,
        source=told.source,
        next_due_at=due_at,
        missed=rounds,
    )


def _bad(proof: Check) -> ValidationStatus:
    is_mismatch = proof.finding is Finding.SECRET_MISMATCH
    return ValidationStatus(
        state=State.SECRET_MISMATCH if is_mismatch else State.FAILING,
        sentence=proof.detail,
        since=proof.at,
        source=proof.source,
    )
