"""An app that is gone from Recall: forgotten here only when it truly is."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.facts import connections
from dashboard.services.recall_apps import creation, deleted
from dashboard.services.recall_apps.creation import Creation
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import sweep
from dashboard.worker import Worker
from tests.fixtures.adoption import ADMIN, LIST, AdoptingStage, an_adopting_stage
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.relay import arrive, at_recall, find
from tests.makers import NOON, a_connection


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> AdoptingStage:
    return an_adopting_stage(runtime, sandbox)


@pytest.fixture
def gone(stage: AdoptingStage) -> ZoomApp:
    """A zoom app whose app somebody deleted in Recall."""
    return stage.here(recall_app_id=uuid4(), recall_created_at=NOON)


def release(stage: AdoptingStage, app: ZoomApp) -> None:
    deleted.release(stage.runtime, app.id, actor=ADMIN)


def acts(stage: AdoptingStage) -> list[str]:
    with stage.runtime.database.reading() as session:
        return [entry.act for entry in session.exec(AUDIT_LOG)]


def test_its_recall_id_is_forgotten_and_the_workspace_kept(
    stage: AdoptingStage, gone: ZoomApp
) -> None:
    release(stage, gone)
    release(stage, gone)

    row = stage.find(gone.id)
    assert (row.recall_app_id, row.recall_created_at) == (None, None)
    assert row.workspace_id == stage.workspace.id
    assert row.version == gone.version + 1
    assert acts(stage) == ["zoom_app.gone_from_recall"]


def test_it_is_created_anew_and_its_users_are_looked_at(
    stage: AdoptingStage, gone: ZoomApp
) -> None:
    row = a_connection(gone, token_state=TokenState.HEALTHY, token_checked_at=NOON)
    with stage.runtime.database.writing() as session:
        session.add(row)

    release(stage, gone)
    made = creation.create_in_recall(stage.runtime, gone.id, stage.workspace.id)
    with stage.runtime.database.reading() as session:
        seen = session.get_one(Connection, row.id)
        stands = connections.of(session, seen, now=stage.runtime.clock.now())
    assert not stands.is_good
    sweep.check_due(stage.runtime)

    assert made.outcome is Creation.CREATED
    assert made.recall_app_id != gone.recall_app_id
    with stage.runtime.database.reading() as session:
        seen = session.get_one(Connection, row.id)
    assert seen.token_state is TokenState.RECONNECT_NEEDED


def test_an_app_that_recall_has_is_not_forgotten(stage: AdoptingStage) -> None:
    there = stage.by_hand()
    app = stage.here(recall_app_id=UUID(there.id))

    with pytest.raises(ConflictError, match="still has"):
        release(stage, app)

    assert stage.find(app.id).recall_app_id == UUID(there.id)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (FaultKind.DOWN, LIST),
        (FaultKind.HTML_403, LIST),
        (FaultKind.NONSENSE, LIST),
        (FaultKind.SERVER_ERROR, f"{LIST}?"),
    ],
)
def test_without_recalls_word_nothing_is_forgotten(
    stage: AdoptingStage, gone: ZoomApp, kind: FaultKind, path: str
) -> None:
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=path.rstrip("?"))])

    with pytest.raises(UpstreamError):
        release(stage, gone)

    assert stage.find(gone.id).recall_app_id == gone.recall_app_id
    assert acts(stage) == []


def test_a_host_that_answers_404_to_everything_proves_nothing(
    stage: AdoptingStage, gone: ZoomApp
) -> None:
    stage.sandbox.recall_world.reset()  # and with it the workspace
    fault = Fault(kind=FaultKind.NONSENSE, path="/never")
    stage.sandbox.recall_faults.set([fault])

    with pytest.raises(UpstreamError):
        release(stage, gone)

    assert stage.find(gone.id).recall_app_id == gone.recall_app_id


def test_an_app_that_is_not_in_recall_is_left_as_it_is(stage: AdoptingStage) -> None:
    app = stage.here()

    release(stage, app)

    assert stage.find(app.id).version == app.version


def test_an_unknown_app_is_said(stage: AdoptingStage) -> None:
    with pytest.raises(NotFoundError):
        deleted.release(stage.runtime, uuid4(), actor=ADMIN)


def test_its_webhooks_wait_and_reach_the_new_app(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = an_adopting_stage(runtime, sandbox)
    app = stage.here(recall_app_id=uuid4())
    deleted.release(runtime, app.id, actor=ADMIN)
    worker = Worker(runtime, chores=[])

    webhook_id = arrive(runtime, app.id)
    runtime.writer.flush()
    worker.run_once(runtime.clock.now())
    waiting = find(runtime, webhook_id).outcome
    creation.create_in_recall(runtime, app.id, stage.workspace.id)
    worker.run_once(runtime.clock.now() + timedelta(minutes=1))

    assert waiting == "waiting"
    assert find(runtime, webhook_id).outcome == "delivered"
    assert len(at_recall(sandbox)) == 1
