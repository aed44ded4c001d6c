"""Each API key is tried at Recall daily, and at once when a check contradicts it."""

from datetime import timedelta

import pytest
from sqlmodel import select

from dashboard.models.connection import Connection, TokenCause
from dashboard.models.workspace import Verdict, Workspace
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import check
from dashboard.services.facts import zoom_apps as facts
from dashboard.services.facts.acting import Problem
from dashboard.services.facts.zoom_apps import ASKED_EVERY, HOLDS
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import keys
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import FakeClock


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    """One connected user."""
    found = a_connect_stage(runtime, sandbox)
    found.connect()
    return found


def workspace(stage: ConnectStage) -> Workspace:
    with stage.runtime.database.reading() as session:
        return session.exec(select(Workspace)).one()


def only(stage: ConnectStage) -> Connection:
    with stage.runtime.database.reading() as session:
        return session.exec(select(Connection)).one()


def revoke(stage: ConnectStage) -> None:
    """Have Recall know the key no more."""
    stage.sandbox.recall_world.workspaces.clear()


def test_a_key_is_tried_daily_and_a_refusal_keeps_its_first_instant(
    stage: ConnectStage, clock: FakeClock
) -> None:
    assert keys.run_due(stage.runtime) == 1
    first = workspace(stage)
    assert (first.verdict, first.key_due_at) == (
        Verdict.RIGHT,
        clock.now() + ASKED_EVERY,
    )
    assert keys.run_due(stage.runtime) == 0

    revoke(stage)
    clock.advance(days=1)
    assert keys.run_due(stage.runtime) == 1
    refused_at = clock.now()
    clock.advance(days=1)
    keys.run_due(stage.runtime)

    last = workspace(stage)
    assert (last.verdict, last.verdict_since) == (Verdict.WRONG, refused_at)
    fact = facts.key(last, now=clock.now())
    assert (fact.problem, fact.since) == (Problem.KEY_REFUSED, refused_at)


def test_a_check_that_recall_refuses_has_the_key_tried_at_once(
    stage: ConnectStage, clock: FakeClock
) -> None:
    keys.run_due(stage.runtime)
    revoke(stage)
    clock.advance(hours=2)

    check.run(stage.runtime, only(stage).id, for_person=True)

    assert only(stage).token_cause is TokenCause.KEY_REFUSED
    assert workspace(stage).key_due_at == clock.now()
    assert keys.run_due(stage.runtime) == 1
    assert workspace(stage).verdict is Verdict.WRONG


def test_a_key_that_recall_could_not_be_asked_about_is_valid_no_longer_than_it_holds(
    stage: ConnectStage, clock: FakeClock
) -> None:
    keys.run_due(stage.runtime)
    seen_at = clock.now()
    later = seen_at + HOLDS + timedelta(minutes=1)

    fact = facts.key(workspace(stage), now=later)

    assert (fact.problem, fact.tone) == (Problem.KEY_OUTDATED, "waiting")
    assert fact.since == seen_at + HOLDS
