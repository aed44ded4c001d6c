"""The address where Recall fetches tokens is ended, and another one registered."""

from datetime import timedelta

import pytest

from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import TokenState
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.connections import actions, check
from dashboard.services.runtime import Runtime
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.exchange_here import a_holding_stage, grant_of
from tests.makers import a_connection, a_zoom_app


def test_the_former_address_ends_and_recall_fetches_at_the_new_one(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        row = stage.connect()
        before = grant_of(stage, row).key_hash

        actions.replace_key(stage.runtime, row.id, actor=audit.COMMAND_LINE)
        between = stage.connection(row.id)
        ended = grant_of(stage, row).key_hash
        seen = check.now(stage.runtime, row.id)

        assert ended != before
        assert between.recall_credential_id is None
        assert between.due_at <= stage.runtime.clock.now()
        assert seen.token_state is TokenState.HEALTHY
        assert seen.recall_credential_id not in (None, row.recall_credential_id)
        assert grant_of(stage, row).key_hash not in (before, ended)
        assert len(stage.credentials()) == 1
        with stage.runtime.database.reading() as session:
            entries = session.exec(AUDIT_LOG).all()
            [entry] = [
                each for each in entries if each.act == "connection.key_replaced"
            ]
        assert entry.actor == "command line"


def test_nothing_changes_while_recall_cannot_be_asked(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        row = stage.connect()
        before = grant_of(stage, row).key_hash
        sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN)])

        with pytest.raises(UpstreamError):
            actions.replace_key(stage.runtime, row.id, actor=audit.COMMAND_LINE)

        kept = stage.connection(row.id)
        assert grant_of(stage, row).key_hash == before
        assert kept.recall_credential_id == row.recall_credential_id
        assert kept.lease_until is None


def test_a_check_that_runs_is_not_crossed(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        row = stage.connect()
        with stage.runtime.database.writing() as session:
            kept = session.get_one(type(row), row.id)
            kept.lease_until = stage.runtime.clock.now() + timedelta(minutes=1)

        with pytest.raises(ConflictError, match="nothing was"):
            actions.replace_key(stage.runtime, row.id, actor=audit.COMMAND_LINE)


def test_there_is_none_where_recall_stores_the_tokens(runtime: Runtime) -> None:
    with runtime.database.writing() as session:
        app = a_zoom_app(runtime.vault)
        session.add(app)
        session.flush()
        row = a_connection(app)
        session.add(row)

    with pytest.raises(NotFoundError):
        actions.replace_key(runtime, row.id, actor=audit.COMMAND_LINE)
