"""The dashboard's own looks, over HTTP against the simulated Zoom and Recall."""

from typing import Any

from dashboard.models.check import Finding, Source
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.live import topics
from dashboard.services.probes.rounds import LOG_CALM
from dashboard.services.probes.watcher import ProbeScheduler
from dashboard.services.recall_apps import secrets
from dashboard.services.runtime import Runtime
from dashboard.services.validation.evidence import State
from dashboard.services.zoom_apps import credential_checks
from dashboard.services.zoom_apps.credentials import ZoomAppChanges
from tests.fixtures.probes import Stage, a_stage, stage
from tests.fixtures.public_url import reachable
from tests.makers import NOON, FakeClock

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
    assert stage.recall_status().state is State.NEVER_SEEN


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
    assert "adopts one" in newest.detail
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
