"""The judge finds what is wrong: each row here is a lie that is written by hand."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlmodel import Session, select

from dashboard.db import Database
from dashboard.models.connection import Connection, TokenState
from dashboard.models.webhook import Outcome, Webhook
from tests.independent import reading
from tests.independent.judging import Judge, Kind
from tests.independent.model import Model, worlds
from tests.independent.oracle import Truth
from tests.independent.reading import Said
from tests.independent.stage import Stage, a_stage
from tests.independent.world import Outage
from tests.makers import FakeClock


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Give one that is asked about marks alone."""
    clock = FakeClock()
    stage = cast("Stage", SimpleNamespace(clock=clock, true=clock))
    nothing = cast("Any", None)
    return Judge(
        stage=stage, oracle=nothing, browser=nothing, app_id="", explain=nothing
    )


@pytest.fixture
def model(sqlite: Database, tmp_path: Path) -> Iterator[Model]:
    with a_stage(sqlite, tmp_path, worlds(1)["independent"]) as stage:
        yield Model(stage, seed=1)


def kinds(model: Model) -> set[Kind]:
    judge, people = model.judge, model.oracle.people
    return {each.kind for each in judge.read(people, list(model.oracle.meetings))}


def lie(stage: Stage, tell: Callable[[Session], None]) -> None:
    with stage.runtime.database.writing() as session:
        tell(session)


def test_it_finds_each_lie_and_nothing_while_there_is_none(model: Model) -> None:
    stage, oracle = model.stage, model.oracle
    stage.pass_time(timedelta(minutes=4), step=timedelta(minutes=2))
    assert kinds(model) == set()

    ana = oracle.people[0]
    stage.world.end_grant(oracle.client_id, ana.user_id)
    oracle.note(stage.true.now())
    stage.jump(timedelta(minutes=1))
    lie(stage, _healthy(ana.user_id, timedelta(0), stage))
    assert {Kind.AFTER, Kind.UNSEEN} <= kinds(model)
    stage.jump(timedelta(hours=2))
    lie(stage, _healthy(ana.user_id, timedelta(minutes=-125), stage))
    assert Kind.LATE in kinds(model)


def test_it_finds_a_user_blamed_and_a_webhook_that_was_never_taken(
    model: Model,
) -> None:
    stage, oracle = model.stage, model.oracle
    stage.world.begin(Outage.RECEIVER)
    model.meet()
    stage.jump(timedelta(hours=1))
    stage.run_due()
    oracle.note(stage.true.now())

    def tell(session: Session) -> None:
        for webhook in session.exec(select(Webhook)):
            webhook.outcome = Outcome.DELIVERED
            session.add(webhook)
        for row in session.exec(select(Connection)):
            row.token_state = TokenState.RECONNECT_NEEDED
            session.add(row)

    lie(stage, tell)
    assert {Kind.DELIVERED, Kind.BLAME} <= kinds(model)


def test_a_consent_that_recall_could_not_use_leaves_a_user_who_must_act(
    model: Model,
) -> None:
    """It ended the earlier authorization, whose tokens Recall still has."""
    model.begin(Outage.ZOOM_LIMIT)
    model.connect_again()
    model.settle()
    people = model.oracle.people
    assert [each.lives.is_so for each in people] == [True, True]
    assert sorted(each.works.is_so for each in people) == [False, True]

    model.put_right()
    model.pass_time(timedelta(hours=5), step=timedelta(minutes=30))
    assert kinds(model) == set()
    rows = reading.connections(model.judge.browser)
    assert sorted(each.who for each in rows.values()) == ["", "the user"]


def test_it_finds_a_state_that_began_before_it_broke_and_a_jump_that_is_not_told(
    model: Model,
) -> None:
    stage, oracle = model.stage, model.oracle
    stage.pass_time(timedelta(hours=3), step=timedelta(hours=1))
    oracle.note(stage.true.now())
    ana = oracle.people[0]
    stage.world.end_grant(oracle.client_id, ana.user_id)
    oracle.note(stage.true.now())

    def tell(session: Session) -> None:
        is_theirs = Connection.zoom_user_id == ana.user_id
        row = session.exec(select(Connection).where(is_theirs)).one()
        row.token_state = TokenState.RECONNECT_NEEDED
        row.token_since = stage.clock.now() - timedelta(hours=2)
        session.add(row)

    lie(stage, tell)
    assert Kind.SINCE in kinds(model)
    model.judge.clock_set_at = stage.true.now()
    assert Kind.CLOCK in kinds(model)


@pytest.mark.parametrize(
    ("seen_minutes_ago", "found"),
    [
        (90, set()),  # it was seen before it broke
        (30, {Kind.AFTER}),
        (-30, {Kind.FUTURE}),
        (60, set()),  # in the same instant
    ],
)
@pytest.mark.parametrize(
    ("limit", "more"),
    [(timedelta(hours=2), set()), (timedelta(minutes=30), {Kind.LATE})],
)
def test_a_mark_is_judged_by_when_it_was_seen_and_by_its_limit(
    judge: Judge,
    seen_minutes_ago: int,
    found: set[Kind],
    limit: timedelta,
    more: set[Kind],
) -> None:
    now = judge.stage.true.now()
    truth = Truth()
    truth.note(now - timedelta(hours=9), is_so=True)
    truth.note(now - timedelta(hours=1), is_so=False)
    at = now - timedelta(minutes=seen_minutes_ago)
    said = Said(page="a page", tone="good", word="Valid", at=at)
    judged = {each.kind for each in judge.green(said, truth, limit)}
    assert judged == found | more


def _healthy(user_id: str, later: timedelta, stage: Stage) -> Callable[[Session], None]:
    def tell(session: Session) -> None:
        is_theirs = Connection.zoom_user_id == user_id
        row = session.exec(select(Connection).where(is_theirs)).one()
        row.token_state = TokenState.HEALTHY
        row.token_checked_at = stage.clock.now() + later
        row.token_expires_at = stage.clock.now() + timedelta(days=2)
        session.add(row)

    return tell
