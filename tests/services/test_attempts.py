"""How trips to Zoom ended, and who may see it."""

import pytest

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.connection import AttemptOutcome
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import attempts
from dashboard.services.bundle import Services
from tests.connect_stage import BROWSER, OTHER, ConnectStage, a_connect_stage
from tests.makers import FakeClock


@pytest.fixture
def stage(
    services: Services, sandbox: RunningSandbox, database: Database
) -> ConnectStage:
    return a_connect_stage(services, sandbox, database=database)


def test_a_trip_that_never_came_back_is_given_up_and_expires_when_it_does(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    clock.advance(minutes=11)

    with stage.services.database.writing() as session:
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

    with stage.services.database.reading() as session:
        attempts.result(session, slug, begun.attempt_id, browser=BROWSER)
        with pytest.raises(NotFoundError):
            attempts.result(session, slug, begun.attempt_id, browser=OTHER)
        with pytest.raises(NotFoundError):
            attempts.result(session, "another", begun.attempt_id, browser=BROWSER)
