"""The two statuses, judged from evidence alone."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from dashboard.models.check import Check, Finding, Source
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import Routing
from dashboard.services.validation_states import (
    GRACE,
    REPEATED_EVERY,
    Evidence,
    State,
    ours,
    recalls,
    status,
)
from tests.makers import NOON

MINUTE = timedelta(minutes=1)
BEFORE = NOON - timedelta(days=30)


def a_check(
    source: Source, finding: Finding, at: datetime = NOON, detail: str = "It was so."
) -> Check:
    return Check(
        id=new_id(at),
        zoom_app_id=UUID(int=1),
        source=source,
        finding=finding,
        detail=detail,
        at=at,
    )


def a_challenge(finding: Finding = Finding.GOOD, at: datetime = NOON) -> Check:
    return a_check(Source.ZOOM_CHALLENGE, finding, at)


def a_probe(finding: Finding = Finding.GOOD, at: datetime = NOON) -> Check:
    return a_check(Source.RECALL_PROBE, finding, at)


def seen(**over: object) -> Evidence:
    values: dict[str, object] = {
        "routing": Routing.RELAY,
        "is_in_recall": True,
        "secret_set_at": BEFORE,
    }
    return Evidence(**(values | over))  # type: ignore[arg-type]  # the test's own values


def test_nothing_seen_is_never_seen_and_says_what_to_do() -> None:
    found = ours(seen(), NOON)

    assert found.state is State.NEVER_SEEN
    assert "Validate" in found.sentence


def test_a_rightly_answered_challenge_is_valid_until_zoom_repeats_it() -> None:
    good = a_challenge()

    found = ours(seen(challenge=good, good_challenge=good), NOON + MINUTE)

    assert found.state is State.VALID
    assert found.since == NOON
    assert found.next_due_at == NOON + REPEATED_EVERY
    assert found.sentence == good.detail


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (REPEATED_EVERY + GRACE, State.VALID),
        (REPEATED_EVERY + GRACE + MINUTE, State.OVERDUE),
        (timedelta(days=400), State.OVERDUE),
    ],
    ids=["at the end of the grace", "just after it", "long after it"],
)
def test_old_evidence_never_makes_valid(age: timedelta, state: State) -> None:
    good, proof = a_challenge(), a_probe()

    evidence = seen(challenge=good, good_challenge=good, recall=proof)

    assert ours(evidence, NOON + age).state is state
    assert recalls(evidence, NOON + age).state is state


def test_events_do_not_stand_in_for_the_challenge_for_ever() -> None:
    good = a_challenge()
    late = NOON + timedelta(days=9)

    found = ours(seen(challenge=good, good_challenge=good, event_at=late), late)

    assert found.state is State.OVERDUE


def test_a_mismatch_after_a_good_challenge_is_a_mismatch() -> None:
    good = a_challenge(at=NOON - MINUTE)
    bad = a_challenge(Finding.SECRET_MISMATCH)

    found = ours(seen(challenge=bad, good_challenge=good, failures=1), NOON)

    assert found.state is State.SECRET_MISMATCH
    assert found.failures == 1


def test_a_genuine_event_after_a_forged_challenge_heals_the_status() -> None:
    good = a_challenge(at=NOON - MINUTE)
    forged = a_challenge(Finding.SECRET_MISMATCH)

    evidence = seen(challenge=forged, good_challenge=good, event_at=NOON + MINUTE)

    assert ours(evidence, NOON + MINUTE).state is State.VALID


def test_a_challenge_we_could_not_answer_is_failing() -> None:
    bad = a_challenge(Finding.FAILED)

    found = ours(seen(challenge=bad, failures=20), NOON)

    assert found.state is State.FAILING
    assert found.failures == 6


def test_evidence_of_a_former_secret_token_proves_nothing() -> None:
    good, proof = a_challenge(), a_probe()
    evidence = seen(
        challenge=good,
        good_challenge=good,
        recall=proof,
        secret_set_at=NOON + MINUTE,
    )

    assert ours(evidence, NOON + 2 * MINUTE).state is State.WAITING
    assert recalls(evidence, NOON + 2 * MINUTE).state is State.WAITING


def test_events_without_any_challenge_are_waiting() -> None:
    found = ours(seen(event_at=NOON), NOON)

    assert found.state is State.WAITING


def test_direct_routing_expects_nothing_here() -> None:
    evidence = seen(routing=Routing.DIRECT, recall=a_probe())

    assert ours(evidence, NOON).state is State.NEVER_SEEN
    assert status(evidence, NOON).state is State.VALID


def test_an_app_that_is_not_in_recall_was_never_seen_there() -> None:
    found = recalls(seen(is_in_recall=False, recall=a_probe()), NOON)

    assert found.state is State.NEVER_SEEN


def test_an_app_just_made_in_recall_waits_for_a_probe() -> None:
    assert recalls(seen(), NOON).state is State.WAITING


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (Finding.GOOD, State.VALID),
        (Finding.SECRET_MISMATCH, State.SECRET_MISMATCH),
        (Finding.FAILED, State.FAILING),
    ],
)
def test_recalls_answer_decides_its_status(finding: Finding, state: State) -> None:
    assert recalls(seen(recall=a_probe(finding)), NOON).state is state


def test_recalls_api_not_having_noticed_is_a_disagreement() -> None:
    api = a_check(Source.RECALL_API, Finding.NOT_SEEN, detail="its API says never.")

    found = recalls(seen(recall=a_probe(), recall_api=api), NOON)

    assert found.state is State.RECALL_DISAGREES
    assert "its API says never." in found.sentence


def test_recalls_api_being_down_is_no_disagreement() -> None:
    api = a_check(Source.RECALL_API, Finding.FAILED)

    assert recalls(seen(recall=a_probe(), recall_api=api), NOON).state is State.VALID


def test_what_recalls_api_said_before_the_probe_does_not_count_against_it() -> None:
    api = a_check(Source.RECALL_API, Finding.NOT_SEEN, NOON - MINUTE)

    assert recalls(seen(recall=a_probe(), recall_api=api), NOON).state is State.VALID


def test_the_overall_status_is_the_one_that_needs_a_person_most() -> None:
    good = a_challenge()
    evidence = seen(
        challenge=good, good_challenge=good, recall=a_probe(Finding.SECRET_MISMATCH)
    )

    assert status(evidence, NOON).state is State.SECRET_MISMATCH


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_a_tone_and_a_word(state: State) -> None:
    assert state.tone in {"good", "waiting", "trouble", "off"}
    assert state.word


def test_only_valid_is_shown_as_good() -> None:
    assert [state for state in State if state.tone == "good"] == [State.VALID]


def test_the_clock_shows_how_much_of_the_time_is_left() -> None:
    good = a_challenge()
    evidence = seen(challenge=good, good_challenge=good)
    half = NOON + REPEATED_EVERY / 2

    assert ours(evidence, half).share_left(half) == 50
    assert ours(seen(), NOON).share_left(NOON) == 0
