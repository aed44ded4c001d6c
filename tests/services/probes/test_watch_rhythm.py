"""How often the dashboard looks, and what a late or unwanted look does."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from dashboard.models.check import Finding, Source
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.probes.rounds import BRISK, CALM, STEADY
from dashboard.services.probes.watcher import ProbeScheduler
from dashboard.services.validation import schedule
from dashboard.worker import Worker
from tests.fixtures.probes import Stage, stage
from tests.fixtures.relay import With, until
from tests.makers import NOON

__all__ = ["stage"]

APPS = "/api/v2/zoom-oauth-apps/"
LOGS = "/api/v2/zoom-oauth-app-logs/"


def fail(stage: Stage, kind: FaultKind, **over: Any) -> None:
    """Let Recall's API fail; its webhook receiver goes on."""
    values = {"path": APPS, "method": "GET"} | over
    stage.sandbox.recall_faults.set([Fault(kind=kind, **values)])


def test_nothing_is_asked_before_it_is_due(stage: Stage) -> None:
    assert (stage.look(), stage.look()) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.RATE_LIMITED, "rate limit (calls per minute"),
        (FaultKind.RATE_LIMITED_BARE, "rate limit (calls per minute"),
        (FaultKind.UNAVAILABLE, "failed on its side (HTTP status 503)"),
        (FaultKind.SERVER_ERROR, "failed on its side (HTTP status 500)"),
        (FaultKind.HTML_403, "firewall"),
        (FaultKind.NONSENSE, "another shape"),
        (FaultKind.DOWN, "broke off"),
        (FaultKind.HALF_ANSWER, "broke off"),
    ],
)
def test_a_recall_that_fails_is_said_and_left_alone_for_longer(
    stage: Stage, kind: FaultKind, words: str
) -> None:
    stage.look()
    stage.wait(minutes=10)
    fail(stage, kind)

    stage.look()
    once = stage.row()
    stage.wait(hours=1)
    stage.look()
    twice = stage.row()

    newest = stage.checks(Source.RECALL_API)[-1]
    assert newest.finding is Finding.FAILED
    assert words in newest.detail
    assert (once.failures, twice.failures) == (1, 2)
    assert once.poll_due_at - (NOON + timedelta(minutes=10)) >= 2 * CALM
    assert twice.poll_due_at - stage.clock.now() >= 4 * CALM


def test_what_recall_asks_to_wait_is_waited(stage: Stage) -> None:
    stage.open_page()
    fail(stage, FaultKind.RATE_LIMITED, seconds=50)

    stage.look()

    assert stage.row().poll_due_at >= NOON + timedelta(seconds=50)


def test_an_answer_after_failures_brings_the_rhythm_back(stage: Stage) -> None:
    fail(stage, FaultKind.UNAVAILABLE, times=1)
    stage.look()
    stage.wait(hours=1)

    stage.look()

    assert stage.row().failures == 0
    assert stage.row().poll_due_at == stage.clock.now() + CALM


def test_looks_are_brisk_while_somebody_waits_and_steady_afterwards(
    stage: Stage,
) -> None:
    stage.open_page()
    stage.look()
    waiting = stage.row()
    stage.wait(minutes=5)
    stage.press_validate()
    stage.open_page()
    stage.look()
    valid = stage.row()
    stage.wait(minutes=2)
    stage.look()
    closed = stage.row()

    def span(row: ProbeSchedule) -> timedelta:
        assert row.polled_at is not None
        return row.poll_due_at - row.polled_at

    assert (span(waiting), span(valid), span(closed)) == (BRISK, STEADY, CALM)


def test_trouble_that_somebody_looks_at_is_probed_soon(stage: Stage) -> None:
    stage.there.webhook_secret = "test-older-token"
    stage.look()
    stage.wait(minutes=2)
    unwatched = stage.row().probe_due_at
    stage.open_page()

    stage.look()

    assert unwatched == NOON + schedule.PROBED_IN_TROUBLE
    assert stage.row().probe_due_at == stage.clock.now() + schedule.PROBED_WHILE_OPEN


def test_the_same_answer_is_kept_again_after_an_hour_only(stage: Stage) -> None:
    stage.look()
    kept = len(stage.checks(Source.RECALL_API))
    for _ in range(3):
        stage.wait(minutes=6)
        stage.look()
    soon = len(stage.checks(Source.RECALL_API))
    polled_at = stage.row().polled_at
    stage.wait(minutes=50)
    stage.look()

    assert soon == kept
    assert polled_at == NOON + timedelta(minutes=18)
    assert stage.checks(Source.RECALL_API)[-1].at == stage.clock.now()


class SlowRecall:
    """Recall as it is, but that its record comes when it is let go."""

    def __init__(self, stage: Stage) -> None:
        self.asked, self.gate = threading.Event(), threading.Event()
        self._recall = stage.runtime.recall
        slow: Any = With(stage.runtime, in_background=lambda: slow, recall=self._make)
        self.lookout = ProbeScheduler(slow, patience_s=0)

    def _make(self, region: str, key: Any, /, **over: Any) -> Any:
        client: Any = self._recall(region, key, **over)
        get_app = client.get_app

        def slowly(app_id: Any) -> Any:
            self.asked.set()
            self.gate.wait(10)
            return get_app(app_id)

        client.get_app = slowly
        return client

    def let_go(self) -> None:
        """Let it answer; return when the look has ended."""
        self.gate.set()
        until(lambda: not self.lookout._threads.counts().total())


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_look_that_ends_too_late_changes_nothing(
    stage: Stage, *, is_closed: bool
) -> None:
    slow = SlowRecall(stage)
    begun = slow.lookout()
    slow.asked.wait(10)
    if is_closed:
        slow.lookout.close()
    else:
        stage.make_due()
    before = stage.row()

    slow.let_go()

    assert begun == 1
    assert stage.row() == before
    assert not stage.checks(Source.RECALL_API, Source.RECALL_PROBE)


def test_a_recall_that_hangs_holds_up_nobody(stage: Stage) -> None:
    slow = SlowRecall(stage)

    begun = [slow.lookout() for _ in range(3)]  # each returns at once

    assert begun == [1, 0, 0]
    slow.let_go()


def test_one_that_is_closed_writes_nothing_more(stage: Stage) -> None:
    lookout = ProbeScheduler(stage.runtime)
    lookout.close()

    assert lookout() == 0
    assert not stage.checks(Source.RECALL_API)


def test_a_retired_app_is_left_alone(stage: Stage) -> None:
    with stage.runtime.database.writing() as session:
        session.get_one(ZoomApp, stage.app_id).retired_at = NOON

    assert stage.look() == 0


def test_the_worker_lets_its_looks_go_when_it_ends(stage: Stage) -> None:
    lookout = ProbeScheduler(stage.runtime)
    worker = Worker(stage.runtime, chores=[lookout])

    worker.start()
    worker.stop()

    stage.make_due()
    assert lookout() == 0
