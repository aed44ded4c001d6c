"""The books of the chaos test, and a short run of it on each database.

The long run is `make chaos`; see CONTRIBUTING.md.
"""

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.models.webhook import Outcome
from tests.system.chaos.balance import Balance, balance
from tests.system.chaos.ledger import Claim, Row, Try
from tests.system.chaos.load import Sent
from tests.system.chaos.run import STAGES, play
from tests.system.chaos.stage import Stage

SEED = 8
SENT = Sent(number=1, digests=("aa", "ab"), answers=[0, 200])
ROW = Row(id=7, digest="aa", outcome=Outcome.DELIVERED)
CLAIM = Claim(webhook_id=7, old=0, new=1, owner="worker 1")
TRY = Try(webhook_id=7, claim=1, owner="worker 1")


def balanced(**over: Any) -> Balance:
    books: dict[str, Any] = {
        "sent": [SENT],
        "rows": [ROW],
        "received": {"aa": {200: 1}},
        "claims": [CLAIM],
        "tries": [TRY],
    }
    books |= over
    return balance(books.pop("sent"), **books)


def test_books_without_a_fault_balance() -> None:
    found = balanced()

    assert found.wrong == {}
    assert (found.sent, found.answered_200, found.delivered) == (1, 1, 1)


@pytest.mark.parametrize("outcome", [Outcome.WAITING, Outcome.DEAD])
def test_what_waits_or_is_dead_is_not_lost(outcome: Outcome) -> None:
    row = replace(ROW, outcome=outcome, kept_digest="aa")

    assert balanced(rows=[row], received={}, tries=[]).wrong == {}


def test_what_was_never_answered_200_is_owed_nothing() -> None:
    silent = replace(SENT, answers=[0, 503])

    assert balanced(sent=[silent], rows=[], received={}, tries=[]).not_owed == 1
    assert balanced(sent=[silent], rows=[], received={}, tries=[]).wrong == {}
    assert balanced(sent=[silent]).stored_unasked == 1


@pytest.mark.parametrize(
    ("over", "wrong"),
    [
        ({"rows": [], "received": {}, "tries": []}, {"lost": 1}),
        ({"received": {}}, {"lost": 1}),
        ({"received": {"aa": {401: 3}}}, {"lost": 1}),
        ({"received": {"aa": {200: 1}, "ff": {401: 1}}}, {"altered": 1}),
        (
            {"rows": [replace(ROW, outcome=Outcome.DEAD, kept_digest="ff")]},
            {"altered": 1},
        ),
        ({"rows": [ROW, replace(ROW, id=8, digest="ff")]}, {"unknown": 1}),
        ({"rows": [ROW, replace(ROW, id=8, digest="ab")]}, {"stored_twice": 1}),
        ({"sent": [replace(SENT, answers=[401, 200])]}, {"refused": 1}),
        ({"tries": [TRY, TRY]}, {"two_owners": 1}),
        ({"tries": [replace(TRY, owner="worker 2")]}, {"two_owners": 1}),
        ({"tries": [replace(TRY, claim=2)]}, {"two_owners": 1}),
        ({"claims": [CLAIM, replace(CLAIM, old=1, new=0)]}, {"claims_fallen": 1}),
    ],
    ids=[
        "gone",
        "never arrived",
        "only refused",
        "another body arrived",
        "another body kept",
        "row of nothing sent",
        "two rows of one event",
        "genuine but refused",
        "two attempts of one claim",
        "attempt of another's claim",
        "attempt without a claim",
        "claim counter fell",
    ],
)
def test_what_does_not_balance_is_named(
    over: dict[str, Any], wrong: dict[str, int]
) -> None:
    assert balanced(**over).wrong == wrong


def say(line: str) -> None:
    """Tell pytest, which shows it when the test fails."""
    sys.stdout.write(f"{line}\n")


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    with closing(STAGES[request.param](tmp_path)) as made:
        made.open()
        yield made


def test_the_books_balance_after_a_short_run(stage: Stage) -> None:
    report = play(stage, seconds=8, rate=40, seed=SEED, drain_s=120, say=say)

    say(report.text())
    assert report.balance.wrong == {}
    assert report.balance.delivered
    assert sum(report.faults.values())
