"""What a browser brings back from Zoom: matched once, in its own browser, in time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.services.connect import attempts
from dashboard.services.connect.callbacks import Finished, Stop
from tests.fixtures.connect import (
    OTHER,
    ConnectStage,
    query_of,
)
from tests.makers import FakeClock


def test_the_verifier_is_gone_after_the_attempt(stage: ConnectStage) -> None:
    begun = stage.begin()

    stage.finish(**stage.allow(begun))

    assert stage.attempt(begun.attempt_id).code_verifier is None


def test_the_same_browser_is_sent_to_its_result_as_often_as_it_comes(
    stage: ConnectStage,
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    finished = [stage.finish(**query) for _ in range(3)]

    assert finished == [Finished(slug=stage.app.slug, attempt_id=begun.attempt_id)] * 3
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.CONNECTED
    assert len(stage.credentials()) == 1


def test_a_callback_leaves_every_other_attempt_open(stage: ConnectStage) -> None:
    first, second = stage.begin(), stage.begin()
    later = stage.allow(second)

    stage.finish(**stage.allow(first))
    waiting = stage.attempt(second.attempt_id)
    ended = stage.outcome(**later)

    assert (waiting.outcome, waiting.detail) == (AttemptOutcome.OPEN, "")
    assert waiting.code_verifier is not None
    assert ended.outcome is AttemptOutcome.CONNECTED


def test_of_two_callbacks_at_once_one_goes_on_and_the_other_waits_for_it(
    stage: ConnectStage,
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    barrier = Barrier(2)

    def come_back(_: int) -> tuple[UUID | None, AttemptOutcome]:
        barrier.wait()
        finished = stage.finish(**query)
        return finished.attempt_id, stage.attempt(begun.attempt_id).outcome

    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(come_back, range(2)))

    assert seen == [(begun.attempt_id, AttemptOutcome.CONNECTED)] * 2
    assert len(stage.credentials()) == 1


@pytest.mark.parametrize("browser", [OTHER, None], ids=["another", "no cookie"])
def test_another_browser_is_refused_and_spends_nothing(
    stage: ConnectStage, browser: str | None
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    strange = stage.finish(browser=browser, **query)
    between = stage.attempt(begun.attempt_id)
    own = stage.finish(**query)
    again = stage.finish(browser=browser, **query)

    assert strange == Finished(slug=stage.app.slug, stop=Stop.OTHER_BROWSER)
    assert (between.outcome, between.ended_at) == (AttemptOutcome.OPEN, None)
    assert own.attempt_id == begun.attempt_id
    assert (again.stop, again.attempt_id) == (Stop.OTHER_BROWSER, None)
    ended = stage.attempt(begun.attempt_id)
    assert (ended.outcome, ended.detail) == (AttemptOutcome.CONNECTED, "")


def test_when_only_another_browser_comes_that_is_said_at_the_end(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun, lost = stage.begin(), stage.begin()
    query = stage.allow(begun)
    stage.finish(browser=OTHER, **query)
    clock.advance(minutes=11)

    with stage.runtime.database.writing() as session:
        ended = attempts.expire(session, now=clock.now())

    assert ended == 2
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.REPLAYED
    assert stage.attempt(lost.attempt_id).outcome is AttemptOutcome.ABANDONED
    stage.finish(**query)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.EXPIRED


def test_without_state_and_code_nothing_was_installed(lite: ConnectStage) -> None:
    finished = lite.finish()

    assert (finished.stop, finished.slug) == (Stop.UNKNOWN, None)
    with lite.runtime.database.reading() as session:
        assert session.exec(select(ConnectAttempt)).all() == []


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(9.99, AttemptOutcome.CONNECTED), (10, AttemptOutcome.EXPIRED)],
)
def test_an_attempt_lasts_ten_minutes(
    stage: ConnectStage, clock: FakeClock, minutes: float, expected: AttemptOutcome
) -> None:
    query = stage.allow(stage.begin())
    clock.advance(minutes=minutes)

    ended = stage.outcome(**query)

    assert ended.outcome is expected


def test_an_unknown_state_is_no_attempt(stage: ConnectStage) -> None:
    finished = stage.finish(state="never-sent", code="test-code-0001")

    assert (finished.stop, finished.slug) == (Stop.UNKNOWN, None)


def test_an_installation_from_the_marketplace_is_not_exchanged(
    lite: ConnectStage,
) -> None:
    url = lite.sandbox.zoom_world.install(lite.app.client_id, lite.ana.id)

    finished = lite.finish(**query_of(url))

    assert finished.stop is Stop.NO_STATE
    assert not lite.code(query_of(url)["code"]).used


@pytest.mark.parametrize(
    ("query", "expected", "detail"),
    [
        ({"error": "access_denied"}, AttemptOutcome.DECLINED, "declined"),
        ({"error": "server_error"}, AttemptOutcome.ZOOM_ERROR, "server_error"),
        ({"error": "<b>hello"}, AttemptOutcome.ZOOM_ERROR, "an unrecognized error"),
        ({}, AttemptOutcome.ZOOM_ERROR, "without a code"),
        (
            {"error": "access_denied", "code": "test-code-0001"},
            AttemptOutcome.DECLINED,
            "declined",
        ),
    ],
    ids=["declined", "an error", "odd words", "no code", "an error wins over a code"],
)
def test_without_consent_recall_is_not_asked(
    lite: ConnectStage, query: dict[str, str], expected: AttemptOutcome, detail: str
) -> None:
    state = query_of(lite.begin().authorize_url)["state"]

    ended = lite.outcome(state=state, **query)

    assert ended.outcome is expected
    assert detail in ended.detail
    assert not lite.sandbox.recall_world.answers
