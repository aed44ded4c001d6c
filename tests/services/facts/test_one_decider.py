"""One place decides each fact: what draws reads no column that a state is made of."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from dashboard.services.facts.acting import Problem, remedy

ROOT = Path(__file__).parents[3] / "dashboard"
DRAWERS = (
    *("web", "templates", "cli", "services/explain", "services/setup/steps.py"),
    *("services/metrics.py", "services/status/attention.py"),
    *("services/status/overview.py", "services/probes/recent.py"),
    "services/timeline/timeline.py",
)
OWN = {
    "a connection": r"\.token_(?:state|reason|cause|evidence)\b|\bTokenState\.",
    "a zoom app or workspace": (
        r"\b(?:app|zoom_app|workspace)\.verdict\b|\.is_switched_off\b"
        r"|\.verdict_(?:reason|since)\b|\.pair_doubted_at\b"
    ),
    "a webhook": (
        r"\b(?:webhook|hook)\.outcome\b|\.outcome_reason\b"
        r"|\.refused_at\b|(?<!\w)Outcome\.(?:WAITING|DEAD|KEPT|DELIVERED)\b"
    ),
    "a pause": r"\.is_holding\b",
}
MAY = {
    # The link of an item under Needs attention, which is no connection.
    "a connection": {"templates/overview/partials/_item.html"},
    "a zoom app or workspace": set[str](),
    "a webhook": {
        "web/pages/webhooks.py",  # the tabs, which are filters
        "cli/webhooks.py",  # the filter; and what is stored, beside the state
        "services/status/attention.py",  # counts what waits
        "templates/resends/partials/_progress.html",  # a resend's own result
    },
    "a pause": {"services/metrics.py"},  # counts the pauses
}
WHO = re.compile(r"\bwho\s*=\s*(?:\w+\.)?Who\.|return Who\.|\bwho:\s*Who\s*=")


def places(root: Path) -> list[Path]:
    found = []
    for name in DRAWERS:
        place = root / name
        found += [place] if place.is_file() else [*place.rglob("*.*")]
    return sorted(each for each in found if each.suffix in (".py", ".html"))


def readers(root: Path, pattern: str) -> set[str]:
    """Name the files that read such a column."""
    own = re.compile(pattern)
    return {
        str(path.relative_to(root))
        for path in places(root)
        if own.search(path.read_text(encoding="utf-8"))
    }


def deciders_of_who(root: Path) -> set[str]:
    """Name the files that decide who must act."""
    return {
        str(path.relative_to(root))
        for path in sorted(root.rglob("*.py"))
        if WHO.search(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("of", OWN)
def test_what_draws_derives_no_state_of_its_own(of: str) -> None:
    assert readers(ROOT, OWN[of]) == MAY[of]


def test_one_table_says_who_must_act() -> None:
    # How a test bot ended is told by Recall's codes, which have a table of their own.
    assert deciders_of_who(ROOT) == {
        "services/facts/acting.py",
        "services/bot_tests/outcomes.py",
    }


BROKEN: Mapping[str, str] = {
    "a connection": "if row.token_state is TokenState.HEALTHY: pass",
    "a zoom app or workspace": "if app.verdict is Verdict.WRONG: pass",
    "a webhook": "if webhook.outcome is Outcome.DEAD: pass",
    "a pause": "if circuit.is_holding: pass",
}


@pytest.mark.parametrize("of", OWN)
def test_the_rule_sees_what_breaks_it(of: str, tmp_path: Path) -> None:
    page = tmp_path / "web" / "page.py"
    page.parent.mkdir()
    page.write_text(BROKEN[of])

    assert readers(tmp_path, OWN[of]) == {"web/page.py"}


def test_a_second_decider_of_who_is_seen(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("found = Item(who=Who.ADMIN)")

    assert deciders_of_who(tmp_path) == {"page.py"}


def test_the_document_has_the_same_table() -> None:
    text = (ROOT.parent / "docs" / "facts.md").read_text().split("## Who must act")[1]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \|$", text, re.MULTILINE)

    assert rows == [
        (each.value, remedy(each).who.value, remedy(each).next_step)
        for each in Problem
        if each is not Problem.NONE
    ]
