"""What a browser brings back from Zoom: matched once, in its own browser, in time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from dashboard.models.connection import AttemptOutcome
from dashboard.services.connect.callbacks import Stop
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


def test_a_state_works_once(stage: ConnectStage) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    first, second = stage.finish(**query), stage.finish(**query)

    assert first.attempt_id == begun.attempt_id
    assert (second.stop, second.attempt_id) == (Stop.USED, None)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.CONNECTED


def test_of_two_callbacks_at_once_exactly_one_goes_on(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    barrier = Barrier(2)

    def come_back(_: int) -> Stop | None:
        barrier.wait()
        return stage.finish(**query).stop

    with ThreadPoolExecutor(2) as pool:
        stops = list(pool.map(come_back, range(2)))

    assert sorted(map(str, stops)) == ["None", "used"]
    assert len(stage.credentials()) == 1


def test_another_browser_is_refused_and_the_state_is_spent(
    stage: ConnectStage,
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    stolen, late = stage.finish(browser=OTHER, **query), stage.finish(**query)

    assert (stolen.stop, late.stop) == (Stop.OTHER_BROWSER, Stop.USED)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.REPLAYED
    assert stage.credentials() == []


def test_a_browser_without_its_cookie_is_another_one(lite: ConnectStage) -> None:
    finished = lite.finish(browser=None, **lite.allow(lite.begin()))

    assert finished.stop is Stop.OTHER_BROWSER
    assert lite.credentials() == []


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
