"""The validation status of both ways, judged by the evidence. Pure.

Zoom → dashboard: only Zoom's own validation request shows that Zoom has the URL, so
nothing else makes it green. Dashboard → Recall: with routing `relay`, Recall's answer
to a validation request proves it. With `direct`, Zoom calls Recall itself, so only
Recall's API proves it, and our own test proves the secret token alone.
docs/validation.md lists the cases in this order.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from dashboard.clock import SKEW
from dashboard.formatting import hours_words
from dashboard.models.check import Check, Finding, Source
from dashboard.models.zoom_app import Routing
from dashboard.services.validation.states import (
    FAILURES_ALLOWED,
    LIMITS,
    MAILS,
    MAY_DIFFER,
    REPEATED_EVERY,
    SWITCH_ON,
    Contradiction,
    Evidence,
    State,
    ValidationStatus,
    is_within,
    late,
    missed,
    timed,
)

_CHANGED = (
    "The secret token has changed since Zoom's last request. Press Validate in Zoom to "
    "verify the new one."
)
_BROKEN = {Finding.FAILED, Finding.SECRET_MISMATCH}


def zoom_status(seen: Evidence, now: datetime) -> ValidationStatus:
    """Return the status of the way from Zoom to the dashboard."""
    return _since_it_began(_zoom_status(seen, now), seen)


def recall_status(seen: Evidence, now: datetime) -> ValidationStatus:
    """Return the status of the way to Recall, from the dashboard or from Zoom."""
    return _since_it_began(_recall_status(seen, now), seen)


def _since_it_began(status: ValidationStatus, seen: Evidence) -> ValidationStatus:
    """Have trouble begin with the first of the tests alike in a row, not the last."""
    if status.tone != "trouble":
        return status
    for check in (seen.challenge, seen.self_test, seen.recall, seen.recall_api):
        if check is None or (check.source, check.at) != (status.source, status.since):
            continue
        return replace(status, since=seen.began.get(check.id, check.at))
    return status


def _zoom_status(seen: Evidence, now: datetime) -> ValidationStatus:
    if seen.routing is Routing.DIRECT:
        return ValidationStatus(
            state=State.NEVER_SEEN,
            title="Not used",
            sentence="Zoom sends webhooks directly to Recall, so none are expected "
            "here.",
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
    if is_before_restore(seen, good.at, seen.event_at):
        return _before_restore(seen, good)
    is_young = is_within(good, now)
    return _proven(seen, good) if is_young else _overdue(good, seen.event_at, now)


def _proven(seen: Evidence, good: Check) -> ValidationStatus:
    contradiction = seen.refused or seen.silence
    if contradiction is not None:
        return _not_proven(contradiction, Source.ZOOM_EVENT)
    return ValidationStatus(
        state=State.VALID,
        sentence=timed(good),
        since=good.at,
        source=good.source,
        next_due_at=good.at + REPEATED_EVERY,
        valid_until=good.at + LIMITS[good.source].seen,
    )


def _not_proven(what: Contradiction, source: Source) -> ValidationStatus:
    """Say what ended the proof, and since when."""
    return ValidationStatus(
        state=State.NOT_PROVEN,
        sentence=f"Not proven since {what.since:%Y-%m-%d %H:%M} UTC: {what.words}",
        since=what.since,
        source=source,
    )


def is_before_restore(seen: Evidence, *times: datetime | None) -> bool:
    """Whether all that was seen was seen before an older copy was restored."""
    restored_at = seen.restored_at
    return restored_at is not None and all(
        at is None or at < restored_at for at in times
    )


def _before_restore(seen: Evidence, by: Check) -> ValidationStatus:
    return ValidationStatus(
        state=State.NOT_PROVEN,
        sentence="It was valid before the database was restored at "
        f"{seen.restored_at:%Y-%m-%d %H:%M} UTC. The next event, or Validate in Zoom, "
        "or Test now, shows whether it still is.",
        since=seen.restored_at,
        source=by.source,
    )


def _request_failed(seen: Evidence, now: datetime) -> ValidationStatus | None:
    """Judge Zoom's newest validation request if it failed and no event came since."""
    bad = seen.challenge
    if bad is None or bad.finding is Finding.GOOD:
        return None
    if seen.event_at is not None and seen.event_at > bad.at:
        return None
    failures = min(seen.failures, FAILURES_ALLOWED)
    state, sentence, note = State.FAILING, bad.detail, MAILS
    if failures == FAILURES_ALLOWED:
        sentence = (
            f"Zoom's last {failures} validation requests failed, so Zoom has stopped "
            f"sending and disabled the event subscription. {SWITCH_ON}"
        )
        note = f"Last failure: {bad.detail}"
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
    """Judge the self-test if it failed and nothing came from Zoom since."""
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
    """Say what is missing while no validation request was answered."""
    if seen.event_at is not None:
        return ValidationStatus(
            state=State.WAITING,
            sentence="Events with a valid signature arrive, but Zoom hasn't sent a "
            "validation request yet. Press Validate in Zoom.",
            since=seen.event_at,
            source=Source.ZOOM_EVENT,
        )
    self_test = seen.self_test
    if self_test is None or not _works(self_test, seen.secret_set_at, now):
        return ValidationStatus(
            state=State.NEVER_SEEN,
            sentence="No request from Zoom yet. Paste the webhook URL in Zoom, then "
            "press Validate.",
        )
    return ValidationStatus(
        state=State.WAITING,
        sentence="The public URL works. Paste the webhook URL in Zoom, then press "
        "Validate.",
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
    """Say how late Zoom's next validation request is, and what Zoom counts."""
    due_at, rounds = good.at + REPEATED_EVERY, missed(good.at, now)
    what = f"Zoom's check was due {hours_words(now - due_at)} ago but didn't arrive"
    sentence = late(what, rounds)
    if event_at is not None and event_at > due_at:
        rounds = min(rounds, FAILURES_ALLOWED - 1)  # Zoom sends, so it is enabled
        sentence = f"{what}. Events still arrive. Press Validate in Zoom."
    return ValidationStatus(
        state=State.OVERDUE,
        sentence=sentence,
        note=MAILS,
        since=good.at,
        source=good.source,
        next_due_at=due_at,
        missed=rounds,
    )


_PROVES = {Finding.GOOD, Finding.SECRET_MISMATCH, Finding.FAILED}
_ANSWERS = _PROVES | {Finding.GONE}
_TELLS = {Finding.GOOD, Finding.NOT_SEEN, Finding.GONE}
_UNTRIED = "Not tested with the current secret token yet. Press Test now."
_PASTE = "Paste it in Zoom, then press Validate."


def _recall_status(seen: Evidence, now: datetime) -> ValidationStatus:
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
    is_direct = seen.routing is Routing.DIRECT
    by = api if is_direct else proof
    if by is not None and by.finding is Finding.GOOD and is_before_restore(seen, by.at):
        return _before_restore(seen, by)
    if is_direct:
        return _from_zoom(seen, proof, api, now)
    status = _from_here(proof, api, now)
    paused, is_green = seen.paused, status.state is State.VALID
    if is_green and paused and proof and paused.since > proof.at:
        return _not_proven(paused, Source.RECALL_CHALLENGE)
    return status


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
        if check.source is not Source.RECALL_API:
            # One without a proper answer may have been noted: the answer came too late.
            if check.finding in (Finding.GOOD, Finding.FAILED):
                put.append(check)
        elif check.finding is Finding.GOOD and check.told_at is not None:
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
        title="Deleted in Recall",
        sentence="The app was deleted in Recall. Create it again or adopt an "
        "existing one.",
        note="Until then, its webhooks can't be delivered.",
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
        sentence = "The last successful test of Recall is too old. Press Test now."
    elif api is not None and api.at >= proof.at and _disagrees(api, now):
        state, by = State.RECALL_DISAGREES, api
        sentence = f"Recall passed our test, but {api.detail}"
    return ValidationStatus(
        state=state,
        sentence=sentence,
        since=by.at,
        source=by.source,
        next_due_at=proof.at + REPEATED_EVERY,
        valid_until=proof.at + LIMITS[proof.source].seen,
    )


def _disagrees(api: Check, now: datetime) -> bool:
    """Whether Recall's API knows of a validation, but of none for long.

    That it knows of none says nothing: whether Recall fills the field is not documented
    (docs/contracts/recall.md 3.8).
    """
    told, told_at = LIMITS[api.source].told, api.told_at
    return bool(told and told_at and now - told_at > told)


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
                sentence="Zoom validated Recall's URL after our test failed. Either "
                "Recall was fixed since, or the secret token stored here differs "
                "from the one in Zoom. Press Test now.",
                since=proof.at,
                source=proof.source,
            )
    if told is None or told_at is None:
        return _not_validated(proof, api)
    if seen.secret_set_at > told_at:
        return ValidationStatus(
            state=State.WAITING,
            sentence="The secret token has changed since Zoom last validated "
            "Recall's URL. Press Validate in Zoom to verify the new one.",
            since=told_at,
            source=told.source,
        )
    return _told(told, told_at, _heard_at(told, api), now)


def _not_validated(proof: Check | None, api: Check | None) -> ValidationStatus:
    """Say what is missing while Zoom was not seen to call Recall."""
    by = api or proof
    if by is None:
        return ValidationStatus(state=State.WAITING, sentence=_UNTRIED)
    right = "" if proof is None else "Recall has the correct secret token, but "
    whose = "Recall's" if proof is None else "its"
    # It may be that Recall never says so (docs/contracts/recall.md 3.8).
    sentence = f"{right}{whose} API names no validation of its URL by Zoom. {_PASTE}"
    if api is None:
        sentence = (
            f"{right}we haven't asked its API yet whether Zoom validated its URL."
        )
    return ValidationStatus(
        state=State.WAITING,
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
            f"Zoom's check was due {hours_words(now - due_at)} ago but didn't "
            "reach Recall",
            rounds,
        )
    elif now - heard_at > limit.seen:
        state = State.OVERDUE
        sentence = (
            f"Recall's API last answered {hours_words(now - heard_at)} ago, which is "
            "too long ago to rely on."
        )
    return ValidationStatus(
        state=state,
        sentence=sentence,
        note=MAILS if rounds else "",
        since=told_at,
        source=told.source,
        next_due_at=due_at,
        valid_until=min(told_at + (limit.told or limit.seen), heard_at + limit.seen),
        missed=rounds,
    )


def _bad(proof: Check) -> ValidationStatus:
    is_mismatch = proof.finding is Finding.SECRET_MISMATCH
    is_likely = is_mismatch and MAY_DIFFER in proof.detail
    return ValidationStatus(
        state=State.SECRET_MISMATCH if is_mismatch else State.FAILING,
        title="Possible secret mismatch" if is_likely else "",
        sentence=proof.detail,
        since=proof.at,
        source=proof.source,
    )
