"""What staff do to a connection."""

from uuid import uuid4

import pytest

from dashboard.errors import NotFoundError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.audit import Actor
from dashboard.services.connections import actions, check, listing
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage
from tests.makers import a_connection

ADMIN = Actor(name="admin@example.com")


def add(stage: ConnectStage, **over: object) -> Connection:
    row = a_connection(stage.app, **over)
    with stage.runtime.database.writing() as session:
        session.add(row)
    return row


def sync(stage: ConnectStage) -> None:
    """Let the simulated Recall finish reading meetings."""
    stage.sandbox.sync_meetings()
    stage.sandbox.sync_meetings()


def mapped(stage: ConnectStage, row: Connection) -> set[int]:
    with stage.runtime.database.reading() as session:
        return {one.meeting_id for one in listing.meetings(session, row.id)}


def test_a_credential_marked_by_recall_is_tried_again_on_demand(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    credential = stage.credentials()[0]
    for _ in range(3):
        stage.sandbox.recall_world.record_failure(credential, "Simulated failure.")
    marked = check.now(stage.runtime, row.id)

    tried = actions.try_again(stage.runtime, row.id).connection

    assert marked.token_state is TokenState.UNHEALTHY_IN_RECALL
    assert tried.token_state is TokenState.HEALTHY


def test_disconnecting_deletes_in_recall_and_leaves_nothing_of_the_user(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    sync(stage)
    check.now(stage.runtime, row.id)

    actions.disconnect(stage.runtime, row.id, actor=ADMIN)

    with stage.runtime.database.reading() as session:
        with pytest.raises(NotFoundError):
            listing.get(session, row.id)
        entries = session.exec(AUDIT_LOG).all()
    assert stage.credentials() == []
    assert mapped(stage, row) == set()
    assert [entry.act for entry in entries] == [
        "connection.created",
        "erasure.begun",
        "erasure.done_here",
        "connection.deleted",
    ]
    assert "ana" not in "".join(entry.subject for entry in entries).lower()


def test_a_credential_that_is_gone_already_is_no_obstacle(stage: ConnectStage) -> None:
    row = add(stage, recall_credential_id=uuid4())

    actions.disconnect(stage.runtime, row.id, actor=ADMIN)

    with stage.runtime.database.reading() as session, pytest.raises(NotFoundError):
        listing.get(session, row.id)


def test_nothing_is_deleted_here_while_recall_cannot_be_asked(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN)])

    with pytest.raises(UpstreamError):
        actions.disconnect(stage.runtime, row.id, actor=ADMIN)

    assert stage.connection(row.id).email == "ana@example.com"


def test_recalls_log_is_read_newest_first(lite: ConnectStage) -> None:
    row = lite.connect()
    credential = lite.credentials()[0]
    for words in ("First failure.", "Second failure."):
        lite.sandbox.recall_world.log_credential(credential, words)

    log = actions.recall_log(lite.runtime, row.id)

    assert [entry.message for entry in log.results] == [
        "Second failure.",
        "First failure.",
    ]
