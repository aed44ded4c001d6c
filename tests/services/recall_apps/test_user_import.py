"""The users of an app that was made by hand become connections here."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall_apps import user_import
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import sweep
from tests.fixtures.adoption import ADMIN
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import NOON, a_connection, a_zoom_app

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


@pytest.fixture(params=list(Kind))
def stage(
    request: pytest.FixtureRequest,
    runtime: Runtime,
    sandbox: RunningSandbox,
    database: Database,
) -> ConnectStage:
    """An app whose one user connected while nobody kept it here."""
    made = a_connect_stage(runtime, sandbox, database=database, kind=request.param)
    made.connect()
    with made.runtime.database.writing() as session:
        for row in session.exec(select(Connection)):
            session.delete(row)
    return made


def import_users(stage: ConnectStage) -> int:
    return user_import.import_users(stage.runtime, stage.app.id, actor=ADMIN)


def here(stage: ConnectStage) -> list[Connection]:
    with stage.runtime.database.reading() as session:
        return list(session.exec(select(Connection).order_by(col(Connection.due_at))))


def acts(stage: ConnectStage) -> list[tuple[str, str]]:
    with stage.runtime.database.reading() as session:
        entries = session.exec(AUDIT_LOG).all()
    return [(one.act, one.subject) for one in entries if one.actor == ADMIN.name]


def test_a_credential_becomes_a_connection_of_which_nothing_is_known(
    stage: ConnectStage,
) -> None:
    (credential,) = stage.credentials()

    assert import_users(stage) == 1

    (row,) = here(stage)
    assert row.recall_credential_id == UUID(credential.id)
    assert row.zoom_user_id == credential.user_id
    assert row.zoom_account_id == credential.account_id
    assert row.connected_at == credential.created_at
    assert (row.token_state, row.due_at) == (TokenState.UNKNOWN, NOON)
    ((act, subject),) = acts(stage)
    assert act == "zoom_app.users_brought_in"
    assert subject.endswith(": 1 imported")


def test_the_sweep_then_looks_at_it(stage: ConnectStage) -> None:
    import_users(stage)

    sweep.check_due(stage.runtime)

    (row,) = here(stage)
    assert row.token_state is TokenState.HEALTHY
    assert row.display_name == "Ana Nowak"


def test_pressing_again_adds_nobody(stage: ConnectStage) -> None:
    assert [import_users(stage), import_users(stage)] == [1, 0]

    assert len(here(stage)) == 1
    assert len(acts(stage)) == 1


def test_who_is_here_under_another_credential_is_left_as_it_is(
    stage: ConnectStage,
) -> None:
    (credential,) = stage.credentials()
    row = a_connection(
        stage.app,
        zoom_user_id=credential.user_id,
        zoom_account_id=credential.account_id,
    )
    with stage.runtime.database.writing() as session:
        session.add(row)

    assert import_users(stage) == 0
    assert here(stage) == [row]


def test_who_is_here_by_recalls_id_alone_is_left_as_it_is(
    stage: ConnectStage,
) -> None:
    (credential,) = stage.credentials()
    row = a_connection(
        stage.app,
        recall_credential_id=UUID(credential.id),
        zoom_user_id=None,
        zoom_account_id=None,
    )
    with stage.runtime.database.writing() as session:
        session.add(row)

    assert import_users(stage) == 0
    assert here(stage) == [row]


def test_many_are_looked_at_one_after_another(stage: ConnectStage) -> None:
    zoom = stage.sandbox.zoom_world
    for number in range(2):
        user = zoom.add_user(
            email=f"{number}@example.com", account_id=f"acc{number}", role_name="Admin"
        )
        zoom.change_app(stage.app.client_id, published=True)
        stage.connect(user)
    with stage.runtime.database.writing() as session:
        for row in session.exec(select(Connection)):
            session.delete(row)

    assert import_users(stage) == 3

    due = [row.due_at - NOON for row in here(stage)]
    assert due == [timedelta(seconds=number) for number in range(3)]


@pytest.mark.parametrize(
    "kind", [FaultKind.DOWN, FaultKind.HTML_403, FaultKind.NONSENSE]
)
def test_recall_failing_adds_nobody(stage: ConnectStage, kind: FaultKind) -> None:
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=CREDENTIALS)])

    with pytest.raises(UpstreamError):
        import_users(stage)

    assert (here(stage), acts(stage)) == ([], [])


def test_an_app_that_is_not_in_recall_has_none(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox)
    app = a_zoom_app(runtime.vault)
    with runtime.database.writing() as session:
        session.add(app)

    with pytest.raises(ConflictError):
        import_users(replace(stage, app=app))
