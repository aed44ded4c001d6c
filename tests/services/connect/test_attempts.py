"""How connect attempts ended, and who may see it."""

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect import attempts, flow
from dashboard.services.connect.callbacks import Stop
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import (
    BROWSER,
    OTHER,
    ConnectStage,
    a_connect_stage,
    query_of,
)
from tests.makers import FakeClock


@pytest.fixture
def stage(
    runtime: Runtime, sandbox: RunningSandbox, database: Database
) -> ConnectStage:
    return a_connect_stage(runtime, sandbox, database=database)


def test_an_attempt_that_never_came_back_is_given_up_and_expires_when_it_does(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    clock.advance(minutes=11)

    with stage.runtime.database.writing() as session:
        count = attempts.expire(session, now=clock.now())
    given_up = stage.attempt(begun.attempt_id)
    finished = stage.finish(**query)

    attempt = stage.attempt(begun.attempt_id)
    assert count == 1
    assert (given_up.outcome, given_up.code_verifier) == (
        AttemptOutcome.ABANDONED,
        None,
    )
    assert attempt.outcome is AttemptOutcome.EXPIRED
    assert (finished.stop, finished.attempt_id) == (None, begun.attempt_id)


def test_a_result_is_shown_to_its_own_browser_alone(stage: ConnectStage) -> None:
    begun = stage.begin()
    slug = stage.app.slug

    with stage.runtime.database.reading() as session:
        attempts.result(session, slug, begun.attempt_id, browser=BROWSER)
        with pytest.raises(NotFoundError):
            attempts.result(session, slug, begun.attempt_id, browser=OTHER)
        with pytest.raises(NotFoundError):
            attempts.result(session, "another", begun.attempt_id, browser=BROWSER)


def test_a_late_way_back_in_another_browser_changes_nothing(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    clock.advance(minutes=11)
    with stage.runtime.database.writing() as session:
        attempts.expire(session, now=clock.now())

    finished = stage.finish(browser=OTHER, **query)

    assert (finished.stop, finished.attempt_id) == (Stop.USED, None)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.ABANDONED


def test_an_installation_begun_at_zoom_is_noted_without_its_code(
    stage: ConnectStage,
) -> None:
    url = stage.sandbox.zoom_world.install(stage.app.client_id, stage.ana.id)
    code = query_of(url)["code"]
    for _ in range(flow.INSTALLS + 5):
        finished = stage.finish(code=code)

    with stage.runtime.database.reading() as session:
        noted = session.exec(select(ConnectAttempt)).all()
    assert (finished.stop, finished.slug) == (Stop.NO_STATE, stage.app.slug)
    assert {row.outcome for row in noted} == {AttemptOutcome.BEGUN_AT_ZOOM}
    assert len(noted) == flow.INSTALLS  # a flood fills no disk
    assert not any(code in row.model_dump_json() for row in noted)
