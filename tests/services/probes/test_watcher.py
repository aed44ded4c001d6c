"""The dashboard's own looks, over HTTP against the simulated Zoom and Recall."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dashboard.models.check import Finding, Source
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.live import topics
from dashboard.services.probes.watcher import (
    BRISK,
    CALM,
    LOG_CALM,
    STEADY,
    ProbeScheduler,
)
from dashboard.services.recall_apps import secrets
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence, schedule
from dashboard.services.validation.evidence import State
from dashboard.services.zoom_apps import credential_checks
from dashboard.services.zoom_apps.apps import ZoomAppChanges
from dashboard.worker import Worker
from tests.fixtures.probes import Stage, a_stage, stage
from tests.fixtures.public_url import reachable
from tests.fixtures.relay import With, until
from tests.makers import NOON, FakeClock, a_webhook

__all__ = ["stage"]


APPS = "/api/v2/zoom-oauth-apps/"


LOGS = "/api/v2/zoom-oauth-app-logs/"


def fail(stage: Stage, kind: FaultKind, **over: Any) -> None:
    """Let Recall's API fail; its webhook receiver goes on."""
    values = {"path": APPS, "method": "GET"} | over
    stage.sandbox.recall_faults.set([Fault(kind=kind, **values)])


def test_validate_pressed_in_zoom_is_seen_with_zooms_instant(stage: Stage) -> None:
    stage.look()
    before = stage.recall_status().state
    stage.wait(minutes=10)
    stage.open_page()
    stage.press_validate()

    stage.look()

    newest = stage.checks(Source.RECALL_API)[-1]
    assert before is not State.VALID
    assert (newest.finding, newest.told_at) == (
        Finding.GOOD,
        stage.there.webhook_last_validation,
    )
    assert stage.recall_status().state is State.VALID


def test_our_own_challenge_is_not_taken_for_zooms(stage: Stage) -> None:
    stage.look()
    stage.wait(minutes=10)
    stage.look()

    probe = stage.checks(Source.RECALL_PROBE)[-1]
    assert probe.finding is Finding.GOOD
    assert stage.there.webhook_last_validation is not None, "Recall counts it as one"
    assert stage.recall_status().state is State.WAITING


def test_what_zoom_validated_before_our_probe_is_not_lost(stage: Stage) -> None:
    stage.look()
    stage.wait(hours=2)
    stage.press_validate()
    zooms = stage.there.webhook_last_validation
    stage.wait(minutes=30)
    stage.make_due()  # record and probe in one look

    stage.look()

    told = [check.told_at for check in stage.checks(Source.RECALL_API)]
    assert zooms in told
    assert stage.there.webhook_last_validation != zooms
    assert stage.recall_status().state is State.VALID


def test_a_probe_that_is_due_alone_reads_the_record_before_as_well(
    stage: Stage,
) -> None:
    stage.look()
    stage.wait(minutes=3)
    stage.press_validate()
    zooms = stage.there.webhook_last_validation
    with stage.runtime.database.writing() as session:
        session.get_one(ProbeSchedule, stage.app_id).probe_due_at = stage.clock.now()
    stage.wait(seconds=90)

    stage.look()

    told = [check.told_at for check in stage.checks(Source.RECALL_API)]
    assert zooms in told
    assert len(stage.checks(Source.RECALL_PROBE)) == 2


def test_an_app_deleted_in_recall_is_gone(stage: Stage) -> None:
    stage.look()
    stage.sandbox.recall_world.remove_app(stage.there)
    stage.wait(minutes=10)

    stage.look()

    newest = stage.checks(Source.RECALL_API)[-1]
    assert newest.finding is Finding.GONE
    assert "adopt an existing one" in newest.detail
    assert stage.recall_status().state is State.FAILING
    assert stage.row().failures == 0, "an answer, if a sad one"


def test_another_secret_token_in_recall_alone_is_a_mismatch(stage: Stage) -> None:
    stage.there.webhook_secret = "test-older-token"

    stage.look()

    (probe,) = stage.checks(Source.RECALL_PROBE)
    assert probe.finding is Finding.SECRET_MISMATCH
    assert stage.recall_status().state is State.SECRET_MISMATCH


def test_the_log_is_kept_once_and_not_too_often(stage: Stage) -> None:
    world = stage.sandbox.recall_world
    world.log_app(stage.there, "Webhook signature verification failed.")
    stage.look()
    due = stage.row().log_due_at
    stage.wait(minutes=10)
    stage.open_page()
    world.log_app(stage.there, "Zoom answered invalid_client.")

    stage.look()
    stage.wait(minutes=10)
    stage.look()

    first, second = stage.checks(Source.RECALL_LOG)
    assert first.detail == "Webhook signature verification failed."
    assert second.detail == "Zoom answered invalid_client."
    told = [entry.created_at for entry in world.app_logs]
    assert [first.told_at, second.told_at] == told
    assert {first.finding, second.finding} == {Finding.NOTED}
    assert due == NOON + LOG_CALM


def test_a_log_that_cannot_be_read_is_no_evidence(stage: Stage) -> None:
    fail(stage, FaultKind.UNAVAILABLE, path=LOGS)

    stage.look()

    assert not stage.checks(Source.RECALL_LOG)
    assert stage.row().log_due_at == NOON + LOG_CALM


def test_giving_recall_the_secrets_has_it_probed_again(stage: Stage) -> None:
    stage.there.webhook_secret = "test-older-token"
    stage.look()

    secrets.update_in_recall(stage.runtime, stage.app_id, actor=COMMAND_LINE)
    stage.look()

    assert stage.checks(Source.RECALL_PROBE)[-1].finding is Finding.GOOD


def test_a_change_of_the_app_has_it_looked_at_at_once(stage: Stage) -> None:
    stage.look()
    renamed = ZoomAppChanges(name="Renamed", routing=Routing.DIRECT)

    credential_checks.change(stage.runtime, stage.app_id, renamed, actor=COMMAND_LINE)

    due = stage.row()
    assert (due.poll_due_at, due.log_due_at, due.probe_due_at) == (NOON, NOON, NOON)


def test_what_a_look_sees_moves_the_live_pages_version(stage: Stage) -> None:
    stage.look()
    topic = f"zoom-app-{stage.app_id}"

    def version() -> str:
        with stage.runtime.database.reading() as session:
            return topics.versions(session, [topic])[topic]

    before = version()
    stage.wait(minutes=10)
    stage.press_validate()
    stage.look()

    assert version() != before


def test_with_routing_relay_our_own_address_is_probed_too(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = a_stage(runtime, sandbox, clock, routing=Routing.RELAY)
    with reachable(runtime) as public:
        ProbeScheduler(public, patience_s=30, pause=lambda _: None)()

    (outside,) = stage.checks(Source.OUTSIDE_PROBE)
    (recall_status,) = stage.checks(Source.RECALL_PROBE)
    assert (outside.finding, recall_status.finding) == (Finding.GOOD, Finding.GOOD)
    assert stage.recall_status().state is State.VALID


@pytest.mark.parametrize("has_events", [False, True])
def test_a_tunnel_that_died_is_found_after_a_quiet_hour(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock, *, has_events: bool
) -> None:
    stage = a_stage(runtime, sandbox, clock, routing=Routing.RELAY)
    with runtime.database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=stage.app_id,
            source=Source.ZOOM_CHALLENGE,
            finding=Finding.GOOD,
            detail="Answered.",
            at=clock.now(),
        )
    with reachable(runtime) as public:
        ProbeScheduler(public, patience_s=30, pause=lambda _: None)()
    with runtime.database.reading() as session:
        seen = evidence.evidence(session, stage.app_id, now=clock.now())
    before = evidence.zoom_status(seen, clock.now()).state

    dead = replace(runtime, public_url="http://localhost:9")
    for _ in range(13):
        stage.wait(minutes=5)
        if has_events:
            with runtime.database.writing() as session:
                app = session.get_one(ZoomApp, stage.app_id)
                session.add(a_webhook(app, received_at=clock.now()))
        ProbeScheduler(dead, patience_s=30, pause=lambda _: None)()

    with runtime.database.reading() as session:
        seen = evidence.evidence(session, stage.app_id, now=clock.now())
    status = evidence.zoom_status(seen, clock.now())
    assert before is State.VALID
    assert len(stage.checks(Source.RECALL_PROBE)) == 1
    if has_events:
        assert status.state is State.VALID
        assert len(stage.checks(Source.OUTSIDE_PROBE)) == 1
    else:
        assert (status.state, status.title) == (State.FAILING, "Not reachable")
        assert stage.row().probe_due_at <= clock.now() + timedelta(minutes=15)


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
        (FaultKind.DOWN, "stopped before"),
        (FaultKind.HALF_ANSWER, "stopped before"),
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
