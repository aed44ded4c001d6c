"""Of a user who removed the app nothing is left: each column of each table, opened."""

import pytest
from sqlmodel import Session, col, select

from dashboard.db import Database
from dashboard.models.connection import AccountMember, Connection
from dashboard.models.erasure import Erasure
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit, former_emails
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.connections import actions
from dashboard.services.former_emails import Change
from dashboard.services.grants import grants
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.erasure import Everything, deauthorized, leave, settle, wait
from tests.fixtures.every_column import places
from tests.fixtures.grants import a_held_stage
from tests.makers import FakeClock, a_connection

PLACES = {
    "attempt.answer",
    "attempt.verdict",
    "audit_entry.subject",
    "connect_attempt.browser_hash",
    "connect_attempt.detail",
    "connect_attempt.reference",
    "connect_attempt.return_url",
    "connect_attempt.tags",
    "connection.display_name",
    "connection.email",
    "connection.pmi",
    "connection.previous_pmi",
    "connection.recall_credential_id",
    "connection.search_text",
    "connection.zoom_user_id",
    "connection_event.words",
    "former_email.email",
    "hold.reason",
    "invitation.email",
    "invitation.return_url",
    "invitation.tags",
    "invitation.tried_as",
    "invitation.user_ref",
    "invitation.zoom_user_id",
    "meeting_mapping.meeting_id",
    "redelivery.outcome_reason",
    "resend.query",
    "validation_check.detail",
    "webhook.meeting_id",
    "webhook.outcome_reason",
    "webhook.zoom_user_id",
    "webhook_body.body",
    "webhook_body.headers",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Accept events of six hours, so that fewer simulated hours have to pass."""
    return settings.model_copy(update={"event_age_limit_s": 6 * 3600})


def erasures(stage: ConnectStage) -> list[Erasure]:
    with stage.runtime.database.reading() as session:
        return list(session.exec(select(Erasure)).all())


def found(everything: Everything, *more: str) -> set[str]:
    runtime = everything.stage.runtime
    return places(runtime.database, runtime.vault, [*everything.needles, *more])


def test_nothing_is_left_of_a_user_who_removed_the_app(
    stage: ConnectStage, clock: FakeClock
) -> None:
    ana = Everything(stage=stage, clock=clock, row=stage.connect(), user=stage.ana)
    ana.fill()
    former = "ana.before@example.com"
    with stage.runtime.database.writing() as session:
        change = Change(former=former, current=stage.ana.email)
        former_emails.keep(session, ana.row.id, [change], at=clock.now())
        noted = f"The email changed from {former}."
        audit.record(session, COMMAND_LINE, "test", subject=noted, now=clock.now())
    before = found(ana, former)
    leave(ana)
    pending = found(ana, former)
    wait(ana, minutes=1)
    late = deauthorized(ana, event="meeting.created", meeting_id=91111111111)
    settle(stage, late)
    once_more = found(ana)

    wait(ana, hours=7)

    [erasure] = erasures(stage)
    assert before >= PLACES
    assert {"erasure.zoom_user_id", "erasure.email"} <= pending
    assert {"webhook.zoom_user_id", "webhook_body.body"} <= once_more
    assert found(ana, former) == set()
    assert erasure.ended_at is not None
    assert stage.credentials() == []


def test_nothing_is_left_of_a_grant_that_was_held_here(
    runtime: Runtime, sandbox: RunningSandbox, database: Database, clock: FakeClock
) -> None:
    held = a_held_stage(runtime, sandbox, database=database)
    stage, vault = held.stage, held.runtime.vault
    ana = Everything(stage=stage, clock=clock, row=held.connection(), user=stage.ana)
    tokens = [
        opened(vault, held.grant()).get_secret_value()
        for opened in (grants.access_token, grants.refresh_token)
    ]
    hashed = held.grant().key_hash
    before = found(ana, *tokens, hashed)
    with stage.runtime.database.writing() as session:
        row = session.get_one(Connection, held.connection_id)
        row.recall_credential_id = None
    actions.disconnect(stage.runtime, held.connection_id, actor=COMMAND_LINE)

    wait(ana, hours=7)

    columns = {"access_token", "refresh_token", "key_hash"}
    assert {f"held_grant.{column}" for column in columns} <= before
    assert found(ana, *tokens, hashed) == set()


def test_nothing_is_left_of_an_accounts_members(
    runtime: Runtime, sandbox: RunningSandbox, database: Database, clock: FakeClock
) -> None:
    stage = a_connect_stage(
        runtime, sandbox, database=database, kind=Kind.ACCOUNT_LEVEL
    )
    account = "AcCoUnT0001AAAAAAAAAAA"
    row = a_connection(
        stage.app,
        zoom_user_id=None,
        zoom_account_id=account,
        email="admin@example.com",
        recall_credential_id=None,
    )
    with stage.runtime.database.writing() as session:
        session.add(row)
        session.flush()
        session.add(
            AccountMember(
                connection_id=row.id,
                zoom_user_id=stage.ana.id,
                email=stage.ana.email,
                display_name=stage.ana.display_name,
                pmi=stage.ana.pmi,
                seen_at=clock.now(),
            )
        )
    ana = Everything(stage=stage, clock=clock, row=row, user=stage.ana)
    ana.fill()
    with stage.runtime.database.writing() as session:
        _name_account(session, account)
    before = found(ana, account)

    actions.disconnect(stage.runtime, row.id, actor=COMMAND_LINE)
    wait(ana, hours=7)

    assert "account_member.email" in before
    assert "webhook.zoom_account_id" in before
    assert found(ana, account) == set()


def _name_account(session: Session, account: str) -> None:
    for hook in session.exec(select(Webhook).where(col(Webhook.id) > 0)):
        hook.zoom_account_id = account
        session.add(hook)
