"""How a zoom app stands: what to fix first, who must act, and since when."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dashboard.models.check import Source
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing
from dashboard.services.facts import zoom_apps as facts
from dashboard.services.facts.acting import Act, Fact, Problem, Who, remedy
from dashboard.services.facts.zoom_apps import HOLDS, AppStanding
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.validation.states import State, ValidationStatus
from dashboard.vault import Vault
from tests.makers import NOON, a_workspace, a_zoom_app

HOUR = timedelta(hours=1)
SILENT = Fact(
    problem=Problem.SILENT, word="Silent", tone="trouble", sentence="No events."
)
REFUSED = Fact(
    problem=Problem.ALL_REJECTED, word="All", tone="trouble", sentence="All rejected."
)


def a_status(state: State = State.VALID, **over: Any) -> ValidationStatus:
    values: dict[str, Any] = {"sentence": f"It is {state}.", "since": NOON}
    return ValidationStatus(state=state, **(values | over))


FINE = a_status()
MISMATCH = a_status(State.SECRET_MISMATCH, failures=1)
FAILING = a_status(State.FAILING, failures=2)
OFF = a_status(State.FAILING, failures=6)
OUTSIDE = a_status(State.FAILING, source=Source.OUTSIDE_PROBE)
GONE = a_status(State.FAILING, title="Deleted in Recall")
OVERDUE = a_status(State.OVERDUE)
UNPROVEN = a_status(State.NOT_PROVEN)


def a_circuit(status: int | None) -> OpenCircuit:
    return OpenCircuit(
        id=UUID(int=1),
        kind=CircuitKind.ZOOM_APP,
        is_holding=True,
        reason="Recall said no.",
        status=status,
        since=NOON - HOUR,
        probe_at=NOON + HOUR,
    )


def stands(
    vault: Vault,
    zoom: ValidationStatus = FINE,
    recall: ValidationStatus = FINE,
    **over: Any,
) -> AppStanding:
    """Return how an app stands of which nothing else is wrong."""
    app = a_zoom_app(vault, verdict=Verdict.RIGHT, checked_at=NOON)
    values: dict[str, Any] = {
        "routing": Routing.RELAY,
        "pair": facts.pair(app, now=NOON),
        "key": None,
        "from_zoom": facts.from_zoom(zoom),
        "to_recall": facts.to_recall(recall, Routing.RELAY),
        "zoom_status": zoom,
        "recall_status": recall,
    }
    return AppStanding(**(values | over))


@pytest.mark.parametrize(
    ("ways", "events", "problem", "act"),
    [
        ((OFF, MISMATCH), SILENT, Problem.ZOOM_DISABLED, Act.SEE_URL),
        ((MISMATCH, MISMATCH), None, Problem.ZOOM_SECRET, Act.EDIT_APP),
        ((OUTSIDE, FINE), None, Problem.UNREACHABLE, Act.SEE_URL),
        ((FAILING, FINE), None, Problem.VALIDATION_FAILS, Act.SEE_URL),
        ((FINE, MISMATCH), SILENT, Problem.RECALL_SECRET, Act.UPDATE_IN_RECALL),
        ((FINE, GONE), None, Problem.GONE_FROM_RECALL, Act.CREATE_IN_RECALL),
        ((FINE, FAILING), None, Problem.RECALL_ANSWERS_WRONG, Act.TEST),
        ((FINE, FINE), SILENT, Problem.SILENT, Act.SEE_URL),
        ((OVERDUE, FINE), REFUSED, Problem.ALL_REJECTED, Act.SEE_REFUSED),
        ((UNPROVEN, FINE), SILENT, Problem.SILENT, Act.SEE_URL),
    ],
)
def test_the_worst_comes_first_with_what_fixes_it(
    vault: Vault,
    ways: tuple[ValidationStatus, ValidationStatus],
    events: Fact | None,
    problem: Problem,
    act: Act,
) -> None:
    alarm = stands(vault, *ways, events=events).alarm

    assert alarm is not None
    assert (alarm.problem, alarm.act, alarm.who) == (problem, act, Who.ADMIN)
    assert alarm.sentence
    assert alarm.next_step


@pytest.mark.parametrize("state", [State.VALID, State.WAITING, State.OVERDUE])
def test_without_trouble_there_is_no_alarm(vault: Vault, state: State) -> None:
    assert stands(vault, a_status(state), a_status(state)).alarm is None


def test_what_comes_before_all_is_what_nothing_works_without(vault: Vault) -> None:
    wrong = a_zoom_app(vault, verdict=Verdict.WRONG)
    refused = a_workspace(vault, verdict=Verdict.WRONG)
    dead = WorkerStatus(is_alive=False, last_at=NOON, command="x", now=NOON)
    every: dict[str, Any] = {
        "worker": facts.worker(dead),
        "key": facts.key(refused, now=NOON),
        "pair": facts.pair(wrong, now=NOON),
    }

    found = []
    for name in ("worker", "key", "pair"):
        found.append(stands(vault, OFF, GONE, events=SILENT, **every).main.problem)
        del every[name]
    last = stands(vault, OFF, GONE, events=SILENT).main

    assert found == [Problem.NO_WORKER, Problem.KEY_REFUSED, Problem.PAIR_REFUSED]
    assert last.problem is Problem.ZOOM_DISABLED


@pytest.mark.parametrize(
    ("over", "problem", "since"),
    [
        ({"verdict": Verdict.WRONG}, Problem.PAIR_REFUSED, NOON),
        ({"is_switched_off": True}, Problem.APP_DISABLED, NOON),
        ({"pair_doubted_at": NOON + HOUR}, Problem.PAIR_DOUBTED, NOON + HOUR),
        (
            {"verdict": Verdict.RIGHT, "pair_doubted_at": NOON},
            Problem.PAIR_DIFFERS,
            NOON,
        ),
        ({}, Problem.PAIR_UNCHECKED, NOON),
        ({"verdict": Verdict.RIGHT}, Problem.NONE, NOON),
    ],
)
def test_a_pair_says_what_zoom_said_of_it_and_since_when(
    vault: Vault, over: dict[str, Any], problem: Problem, since: datetime
) -> None:
    app = a_zoom_app(vault, checked_at=NOON, **over)

    fact = facts.pair(app, now=NOON + HOUR)

    assert (fact.problem, fact.since) == (problem, since)


@pytest.mark.parametrize(
    ("later", "is_good"),
    [(HOLDS - HOUR, True), (HOLDS, False), (-HOUR, False)],
    ids=["recent", "old", "ahead of us"],
)
def test_what_was_accepted_once_holds_no_longer_than_it_is_asked_again(
    vault: Vault, later: timedelta, *, is_good: bool
) -> None:
    app = a_zoom_app(vault, verdict=Verdict.RIGHT, checked_at=NOON)
    workspace = a_workspace(vault, verdict=Verdict.RIGHT, checked_at=NOON)

    for fact in (
        facts.pair(app, now=NOON + later),
        facts.key(workspace, now=NOON + later),
    ):
        assert (fact.tone == "good") is is_good
        assert fact.valid_until == NOON + HOLDS
        assert is_good or fact.since == fact.valid_until


@pytest.mark.parametrize(
    ("status", "who"),
    [
        (401, Who.ADMIN),
        (402, Who.ADMIN),
        (429, Who.NOBODY),
        (503, Who.NOBODY),
        (None, Who.NOBODY),
    ],
)
def test_a_pause_is_an_admins_unless_recall_is_down_or_busy(
    status: int | None, who: Who
) -> None:
    fact = facts.delivery(a_circuit(status))

    assert (fact.who, fact.since, fact.next_check) == (who, NOON - HOUR, NOON + HOUR)


def test_a_pause_says_already_why_recall_is_not_proven(vault: Vault) -> None:
    found = stands(vault, FINE, UNPROVEN, delivery=facts.delivery(a_circuit(401)))

    assert found.main.problem is Problem.PAUSED
    assert list(found.problems) == []


def test_of_a_retired_app_nothing_is_expected(vault: Vault) -> None:
    retired = Fact(word="Retired", tone="off", sentence="It is retired.")

    found = stands(vault, OFF, GONE, events=SILENT, retired=retired)

    assert found.alarm is None
    assert (found.main, list(found.problems)) == (retired, [])


def test_a_mismatch_that_is_only_possible_is_not_said_to_be_certain(
    vault: Vault,
) -> None:
    possible = a_status(State.SECRET_MISMATCH, title="Possible secret mismatch")

    alarm = stands(vault, FINE, possible).alarm

    assert alarm is not None
    assert "may have a different secret token" in alarm.sentence


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_has_someone_and_a_step(problem: Problem) -> None:
    found = remedy(problem)

    assert found.next_step.endswith(".") is (problem is not Problem.NONE)
    assert (found.who is Who.NOBODY) <= (
        "No action needed" in found.next_step
        or problem in (Problem.NONE, Problem.SYNCING)
    )
