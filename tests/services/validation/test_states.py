"""The two clocks, judged from evidence alone: one row a case, as the docs have them."""

import re
from pathlib import Path

import pytest

from dashboard.models.check import Source
from dashboard.services.validation.evidence import recall_status, zoom_status
from dashboard.services.validation.limits import LIMITS
from dashboard.services.validation.states import State
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
