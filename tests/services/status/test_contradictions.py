"""What contradicts a proof starts the tests that decide, once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import Session, col, select

from dashboard.models.check import Check, Finding, Source
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.host import events
from dashboard.services.runtime import Runtime
from dashboard.services.status import contradictions
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import State
from dashboard.services.zoom_apps import credential_checks
from dashboard.services.zoom_apps.apps import ZoomAppChanges
from tests.fixtures.probes import Stage, a_stage
from tests.makers import FakeClock, a_connection, a_webhook

DAY = timedelta(days=1)


def proven(runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock) -> Stage:
    """An app whose two ways are green, and whose tests are not due for a while."""
    stage = a_stage(runtime, sandbox, clock, routing=Routing.RELAY)
    now = clock.now()
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        app.secret_token_set_at = app.recall_created_at = now - 40 * DAY
        for source in (Source.ZOOM_CHALLENGE, Source.RECALL_PROBE):
            noted(session, stage, source, now - timedelta(hours=30))
        row = ProbeSchedule(
            zoom_app_id=stage.app_id,
            poll_due_at=now + DAY,
            log_due_at=now + DAY,
            probe_due_at=now + DAY,
        )
        session.merge(row)
    return stage


def noted(session: Session, stage: Stage, source: Source, at: object) -> None:
    evidence.record(
        session,
        zoom_app_id=stage.app_id,
        source=source,
        finding=Finding.GOOD,
        detail="It passed.",
        at=at,  # type: ignore[arg-type]  # an instant
    )


def due_at(stage: Stage) -> object:
    with stage.runtime.database.reading() as session:
        return session.get_one(ProbeSchedule, stage.app_id).probe_due_at


def states(stage: Stage) -> tuple[State, State]:
    now = stage.runtime.clock.now()
    with stage.runtime.database.reading() as session:
        seen = evidence.evidence(session, stage.app_id, now=now)
    return (
        evidence.zoom_status(seen, now).state,
        evidence.recall_status(seen, now).state,
    )


def test_a_proof_that_nothing_contradicts_starts_nothing(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = proven(runtime, sandbox, clock)

    assert contradictions.run_due(runtime.database, now=clock.now()) == 0
    assert states(stage) == (State.VALID, State.VALID)
    assert due_at(stage) == clock.now() + DAY


def test_a_restore_ends_both_proofs_and_starts_the_tests_once(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = proven(runtime, sandbox, clock)
    with runtime.database.writing() as session:
        events.record_restore(session, about_at=None, now=clock.now())

    started = contradictions.run_due(runtime.database, now=clock.now())

    assert states(stage) == (State.NOT_PROVEN, State.NOT_PROVEN)
    assert (started, due_at(stage)) == (1, clock.now())
    with runtime.database.writing() as session:
        noted(session, stage, Source.RECALL_PROBE, clock.now())
    assert contradictions.run_due(runtime.database, now=clock.now()) == 0
    assert states(stage) == (State.NOT_PROVEN, State.VALID)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (CircuitKind.ZOOM_APP, "Recall rejects the signature (401)."),
        (CircuitKind.WORKSPACE, "Recall could not accept it (503)."),
    ],
)
def test_a_pause_ends_recalls_proof_and_starts_its_test_once(
    runtime: Runtime,
    sandbox: RunningSandbox,
    clock: FakeClock,
    kind: CircuitKind,
    reason: str,
) -> None:
    stage = proven(runtime, sandbox, clock)
    now = clock.now()
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        of = {CircuitKind.ZOOM_APP: app.id, CircuitKind.WORKSPACE: app.workspace_id}
        paused_id = of[kind]
        assert paused_id is not None
        pause = OpenCircuit(
            id=paused_id,
            kind=kind,
            is_holding=True,
            reason=reason,
            since=now,
            probe_at=now,
        )
        session.add(pause)

    assert states(stage) == (State.VALID, State.NOT_PROVEN)
    assert contradictions.run_due(runtime.database, now=clock.now()) == 1
    assert due_at(stage) == now
    clock.advance(minutes=10)
    with runtime.database.writing() as session:
        noted(session, stage, Source.RECALL_PROBE, clock.now())
    assert states(stage) == (State.VALID, State.VALID)
    assert contradictions.run_due(runtime.database, now=clock.now()) == 0


def test_one_failure_and_anothers_pause_end_no_proof(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = proven(runtime, sandbox, clock)
    now = clock.now()
    with runtime.database.writing() as session:
        for of, is_holding in ((stage.app_id, False), (uuid4(), True)):
            pause = OpenCircuit(
                id=of,
                kind=CircuitKind.ZOOM_APP,
                is_holding=is_holding,
                since=now,
                probe_at=now,
            )
            session.add(pause)

    assert states(stage) == (State.VALID, State.VALID)


def test_a_proof_from_before_zoom_sent_elsewhere_counts_no_more(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = proven(runtime, sandbox, clock)
    for routing in (Routing.DIRECT, Routing.RELAY):
        clock.advance(minutes=5)
        changes = ZoomAppChanges(name="Notetaker", routing=routing)
        credential_checks.change(
            runtime, stage.app_id, changes, actor=audit.COMMAND_LINE
        )

    assert states(stage)[0] is State.NOT_PROVEN
    changes = ZoomAppChanges(name="Renamed", routing=Routing.RELAY)
    clock.advance(minutes=5)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        session.add(a_webhook(app, received_at=clock.now()))
    credential_checks.change(runtime, stage.app_id, changes, actor=audit.COMMAND_LINE)
    assert states(stage)[0] is State.VALID


def test_silence_is_noted_once_with_its_beginning_and_ends_with_an_event(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = proven(runtime, sandbox, clock)
    last = clock.now() - 5 * DAY
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        session.add(a_connection(app, connected_at=clock.now() - 30 * DAY))
        session.add(a_webhook(app, received_at=last))

    first = contradictions.run_due(runtime.database, now=clock.now())
    clock.advance(minutes=1)
    with runtime.database.writing() as session:
        noted(session, stage, Source.OUTSIDE_PROBE, clock.now())
    second = contradictions.run_due(runtime.database, now=clock.now())

    assert (first, second) == (1, 0)
    assert states(stage)[0] is State.NOT_PROVEN
    with runtime.database.reading() as session:
        [check] = session.exec(
            select(Check).where(col(Check.source) == Source.ZOOM_EVENT)
        ).all()
    assert check.told_at == last
    assert "No events from Zoom for 5 days" in check.detail
    clock.advance(minutes=1)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        session.add(a_webhook(app, received_at=clock.now()))
    assert states(stage)[0] is State.VALID


def test_a_field_that_recall_never_fills_is_no_disagreement(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    sandbox.recall_world.set_switches({"last_validation": "never"})
    stage = a_stage(runtime, sandbox, clock, routing=Routing.RELAY)

    stage.look()

    assert stage.there.webhook_last_validation is None
    assert states(stage)[1] is State.VALID
