"""The two clocks, judged from evidence alone: one row a case, as the docs have them."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models.check import Check, Finding, Source
from dashboard.models.zoom_app import Routing
from dashboard.services.validation import evidence as validation
from dashboard.services.validation.evidence import recall_status, zoom_status
from dashboard.services.validation.states import LIMITS, Evidence, State
from tests.fixtures.validation import a_check
from tests.fixtures.validation_cases import DIRECT, OURS, RELAY, Case
from tests.makers import NOON

DOCS = Path(__file__).parents[3] / "docs" / "validation.md"


TABLES = {
    "Zoom → dashboard": OURS,
    "Recall, routing relay": RELAY,
    "Recall, routing direct": DIRECT,
}


CASES = [
    *[pytest.param(zoom_status, case, id=f"ours: {case.id}") for case in OURS],
    *[pytest.param(recall_status, case, id=f"relay: {case.id}") for case in RELAY],
    *[pytest.param(recall_status, case, id=f"direct: {case.id}") for case in DIRECT],
]


def told_by_docs(title: str) -> list[tuple[str, ...]]:
    """Give id, state and sentence of each row of the table under that heading."""
    part = DOCS.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    rows = re.findall(
        r"^\| `([\w-]+)` \| .* \| `(\w+)` \| (.*) \|$", part, re.MULTILINE
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(("clock", "case"), CASES)
def test_evidence_gives_state_and_sentence(clock: object, case: Case) -> None:
    found = clock(case.seen, NOON)  # type: ignore[operator]  # one of two functions

    assert (found.state, found.sentence) == (case.state, case.sentence)


@pytest.mark.parametrize("title", TABLES)
def test_the_docs_tell_the_same_cases_in_the_same_order(title: str) -> None:
    rows = [(case.id, case.state.value, case.sentence) for case in TABLES[title]]

    assert told_by_docs(title) == rows


@pytest.mark.parametrize(
    ("title", "states"),
    [
        ("Zoom → dashboard", set(State) - {State.RECALL_DISAGREES}),
        ("Recall, routing relay", set(State)),
        ("Recall, routing direct", set(State)),
    ],
)
def test_every_state_of_a_clock_is_reached(title: str, states: set[State]) -> None:
    assert {case.state for case in TABLES[title]} == states


def test_the_docs_name_the_limit_of_every_source() -> None:
    text = DOCS.read_text()

    assert set(LIMITS) == set(Source)
    assert all(f"| `{source.value}` |" in text for source in Source)


LONGEST_H = 24 * 30


HOUR = timedelta(hours=1)


HOURS = st.floats(0, 96) | st.floats(0, LONGEST_H)  # around the limits rather often


FINDINGS = st.just(Finding.GOOD) | st.sampled_from(Finding)


SOMETIMES_NOT = st.sampled_from([True] * 7 + [False])


thoroughly = settings(max_examples=200)


CHALLENGE, API = Source.ZOOM_CHALLENGE, Source.RECALL_API


def limit_h(source: Source) -> float:
    return LIMITS[source].seen / HOUR


@st.composite
def checks(
    draw: st.DrawFn, sources: list[Source], hours: st.SearchStrategy[float] = HOURS
) -> Check:
    """Draw one; Recall's API may speak of any instant before it was asked."""
    source, at = draw(st.sampled_from(sources)), draw(hours)
    told = None
    if source is API and draw(SOMETIMES_NOT):
        told = at + draw(HOURS)
    return a_check(source, draw(FINDINGS), at, told_hours_ago=told)


@st.composite
def stale(draw: st.DrawFn, sources: list[Source]) -> Check:
    """Draw one that is older than its limit, or speaks of something that is."""
    source = draw(st.sampled_from(sources))
    limit = limit_h(source)
    too_old = st.floats(limit + 0.1, LONGEST_H)
    if source is not API or draw(st.booleans()):
        return draw(checks([source], too_old))
    at = draw(st.floats(0, limit))
    told = draw(st.none() | st.floats(96.1, LONGEST_H))
    return a_check(source, draw(FINDINGS), at, told_hours_ago=told)


def evidence(
    of: Callable[[list[Source]], st.SearchStrategy[Check]],
    *,
    hours: st.SearchStrategy[float] = HOURS,
) -> st.SearchStrategy[Evidence]:
    """Give anything that may have been seen, possible or not."""

    def some(*sources: Source) -> st.SearchStrategy[Check | None]:
        return st.none() | of(list(sources))

    good = some(CHALLENGE).filter(
        lambda check: check is None or check.finding is Finding.GOOD
    )
    return st.builds(
        Evidence,
        routing=st.sampled_from(Routing),
        is_in_recall=SOMETIMES_NOT,
        secret_set_at=HOURS.map(lambda ago: NOON - HOUR * ago),
        challenge=some(CHALLENGE),
        good_challenge=good,
        failures=st.integers(0, 20),
        event_at=st.none() | hours.map(lambda ago: NOON - HOUR * ago),
        self_test=some(Source.OUTSIDE_PROBE),
        recall=some(Source.RECALL_CHALLENGE, Source.RECALL_PROBE),
        recall_api=some(API),
        zoom_at_recall=some(API),
    )


def is_proof(check: Check | None, seen: Evidence) -> bool:
    """Whether it is good, within its limit, and of the secret token stored now."""
    if check is None or check.finding is not Finding.GOOD:
        return False
    limit, spoken_of = LIMITS[check.source], check.at
    if limit.told is not None:
        if check.told_at is None or NOON - check.told_at > limit.told:
            return False
        spoken_of = check.told_at
    if NOON - check.at > limit.seen:
        return False
    if check.source is CHALLENGE:  # an event may have proved the new secret since
        spoken_of = max(spoken_of, seen.event_at or spoken_of)
    return spoken_of >= seen.secret_set_at


@thoroughly
@given(
    evidence(stale, hours=st.floats(limit_h(Source.ZOOM_EVENT) + 0.1, LONGEST_H)),
)
def test_nothing_older_than_its_limit_makes_anything_green(seen: Evidence) -> None:
    found = [validation.zoom_status(seen, NOON), validation.recall_status(seen, NOON)]

    assert "good" not in {status.tone for status in found}


@thoroughly
@given(evidence(checks))
def test_nothing_from_before_the_secret_token_makes_anything_green(
    seen: Evidence,
) -> None:
    late = Evidence(**(vars(seen) | {"secret_set_at": NOON + HOUR}))

    found = [validation.zoom_status(late, NOON), validation.recall_status(late, NOON)]

    assert "good" not in {status.tone for status in found}


@thoroughly
@given(evidence(checks))
def test_what_is_valid_was_seen_good_within_its_limit(seen: Evidence) -> None:
    zoom_status, recall_status = (
        validation.zoom_status(seen, NOON),
        validation.recall_status(seen, NOON),
    )

    assert zoom_status.state is not State.VALID or is_proof(seen.good_challenge, seen)
    assert recall_status.state is not State.VALID or any(
        is_proof(check, seen)
        for check in (seen.recall, seen.zoom_at_recall, seen.recall_api)
    )


@thoroughly
@given(evidence(checks))
def test_a_status_says_something_and_counts_no_more_than_zoom_allows(
    seen: Evidence,
) -> None:
    found = [validation.zoom_status(seen, NOON), validation.recall_status(seen, NOON)]

    assert all(status.sentence and status.word for status in found)
    assert all(max(status.failures, status.missed) <= 6 for status in found)
    assert validation.status(seen, NOON) in found
