"""What a status says beside its sentence: word, count, note, share of the 72 hours."""

import pytest

from dashboard.models.check import Check, Finding, Source
from dashboard.services.validation import evidence as validation
from dashboard.services.validation.evidence import REPEATED_EVERY, State
from dashboard.services.validation.rules import echoes_apart
from dashboard.services.validation.states import is_within
from tests.fixtures.validation import (
    HOUR,
    a_check,
    api,
    before,
    called,
    changed,
    directly,
    event,
    probed,
    seen,
    self_test,
    told,
)
from tests.makers import NOON

GOOD, MISMATCH, FAILED = Finding.GOOD, Finding.SECRET_MISMATCH, Finding.FAILED


@pytest.mark.parametrize(
    ("parts", "word", "count"),
    [
        ([], "Never validated", "0 of 6 failed checks"),
        ([called()], "Valid", "0 of 6 failed checks"),
        ([called(FAILED, 2, 1)], "Failing, 1 of 6", "1 of 6 failed checks"),
        (
            [called(MISMATCH, 2, 2)],
            "Secret mismatch, 2 of 6",
            "2 of 6 failed checks",
        ),
        ([called(FAILED, 2, 5)], "Failing, 5 of 6", "5 of 6 failed checks"),
        ([called(MISMATCH, 2, 6)], "Switched off", "6 of 6 failed checks"),
        ([called(FAILED, 2, 20)], "Switched off", "6 of 6 failed checks"),
        (
            [called(MISMATCH, 2, 3), event(1), before(9)],
            "Valid",
            "0 of 6 failed checks",
        ),
        ([called(MISMATCH, 2, 3), changed(1)], "Waiting", "3 of 6 failed checks"),
        ([called(GOOD, 97)], "Overdue", "probably 1 of 6 failed checks"),
        ([called(GOOD, 500)], "Overdue", "probably 6 of 6 failed checks"),
        ([called(GOOD, 500), event(1)], "Overdue", "probably 5 of 6 failed checks"),
        (
            [called(FAILED, 100, 2)],
            "Failing, 2 of 6",
            "2 of 6 failed checks seen, probably 3",
        ),
        ([self_test(FAILED)], "Not reachable", "0 of 6 failed checks"),
        ([self_test(GOOD, 2), changed(1)], "Never validated", "0 of 6 failed checks"),
    ],
)
def test_our_clock_counts(
    parts: list[dict[str, object]], word: str, count: str
) -> None:
    found = validation.zoom_status(seen(*parts), NOON)

    assert (found.word, found.count) == (word, count)


@pytest.mark.parametrize("failures", [1, 6])
def test_who_gets_no_mail_is_said_and_what_the_last_failure_was(failures: int) -> None:
    found = validation.zoom_status(seen(called(FAILED, 1, failures)), NOON)

    assert ("app's owner" in found.note) is (failures < 6)
    assert ("*(evidence)*" in found.note) is (failures == 6)


def test_an_app_that_recall_lost_is_said_in_the_word() -> None:
    found = validation.recall_status(seen(api(Finding.GONE)), NOON)

    assert (found.word, found.tone) == ("Deleted in Recall", "trouble")


@pytest.mark.parametrize(
    ("evidence", "source"),
    [
        (seen(called()), Source.ZOOM_CHALLENGE),
        (seen(event(1)), Source.ZOOM_EVENT),
        (seen(self_test()), Source.OUTSIDE_PROBE),
    ],
)
def test_a_status_names_by_what_it_was_seen(
    evidence: validation.Evidence, source: Source
) -> None:
    found = validation.zoom_status(evidence, NOON)

    assert found.source is source
    assert found.since == NOON - HOUR


def test_a_right_answer_says_how_long_it_took() -> None:
    quick = a_check(Source.ZOOM_CHALLENGE, detail="It was answered.")
    quick.took_ms = 3.2

    found = validation.zoom_status(seen(challenge=quick, good_challenge=quick), NOON)

    assert found.sentence == "It was answered (3 ms)."
    assert found.next_due_at == quick.at + REPEATED_EVERY


@pytest.mark.parametrize(
    ("parts", "share"),
    [
        ([called(GOOD, 0)], 100),
        ([called(GOOD, 36)], 50),
        ([called(GOOD, 72)], 0),
        ([called(GOOD, 96)], 0),
        ([called(GOOD, 500)], 0),
        ([called(FAILED, 71, 1)], 100),
        ([], 0),
    ],
)
def test_the_bar_shows_how_much_of_the_72_hours_is_left(
    parts: list[dict[str, object]], share: int
) -> None:
    assert validation.zoom_status(seen(*parts), NOON).share_left(NOON) == share


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (seen(called(), probed(MISMATCH)), State.SECRET_MISMATCH),
        (seen(called(MISMATCH), probed()), State.SECRET_MISMATCH),
        (seen(called(GOOD, 100), probed()), State.OVERDUE),
        (seen(called(FAILED, 1, 6), probed(MISMATCH)), State.FAILING),
        (directly(called(MISMATCH), told(1)), State.VALID),
        (seen(called(), probed()), State.VALID),
    ],
    ids=["Recall", "Zoom", "late", "switched off first", "direct", "both"],
)
def test_the_overall_status_is_the_one_that_needs_a_person_most(
    evidence: validation.Evidence, state: State
) -> None:
    assert validation.status(evidence, NOON).state is state


@pytest.mark.parametrize("state", State)
def test_only_valid_is_shown_as_good(state: State) -> None:
    assert state.word
    assert (state.tone == "good") is (state is State.VALID)


@pytest.mark.parametrize(
    ("speaks_of", "state"), [(29, State.VALID), (40, State.OVERDUE)]
)
def test_only_the_same_word_or_a_newer_one_renews_what_recalls_api_said(
    speaks_of: float, state: State
) -> None:
    said = told(30, 25)["zoom_at_recall"]
    evidence = directly({"zoom_at_recall": said}, api(GOOD, 1, speaks_of))

    assert validation.recall_status(evidence, NOON).state is state


def api_says(at: float, of: float) -> Check:
    return a_check(Source.RECALL_API, GOOD, at, told_hours_ago=of)


def put(at: float, finding: Finding = GOOD) -> Check:
    return a_check(Source.RECALL_PROBE, finding, at)


@pytest.mark.parametrize(
    ("checks", "of"),
    [
        ([], None),
        ([api_says(5, 6)], 6),
        ([put(5), api_says(5, 5)], None),
        ([put(5), api_says(5, 5), api_says(1, 5)], None),
        ([api_says(9, 10), put(5), api_says(5, 5)], 10),
        ([put(5), api_says(5, 5), api_says(1, 2)], 2),
        ([put(5), api_says(4, 4.9)], 4.9),
        ([put(5, MISMATCH), api_says(4, 5)], 5),
        ([put(5, FAILED), api_says(4, 5)], None),
        ([put(5), api_says(5, 9), api_says(4.9, 5)], 9),
    ],
    ids=[
        "nothing",
        "Zoom's, no challenge put",
        "our echo",
        "our echo, said again",
        "Zoom's, then our echo",
        "our echo, then Zoom's",
        "too long after ours",
        "ours was refused",
        "our echo, whose answer came too late for us",
        "our echo was noted late",
    ],
)
def test_what_recall_notes_of_our_own_challenge_is_not_taken_for_zooms(
    checks: list[Check], of: float | None
) -> None:
    found = echoes_apart(checks)

    assert (found and found.told_at) == (None if of is None else NOON - HOUR * of)


def test_what_stands_first_in_a_cut_list_is_nobodys() -> None:
    first = a_check(Source.RECALL_API, GOOD, 5, told_hours_ago=6)
    later = a_check(Source.RECALL_API, GOOD, 1, told_hours_ago=2)

    assert echoes_apart([first], is_cut=True) is None
    assert echoes_apart([first, later], is_cut=True) is later


@pytest.mark.parametrize(("hours", "counts"), [(1, True), (-1, False), (-720, False)])
def test_what_is_dated_ahead_makes_nothing_green(
    hours: float,
    counts: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert is_within(a_check(Source.ZOOM_CHALLENGE, GOOD, hours), NOON) is counts
