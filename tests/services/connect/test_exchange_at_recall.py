"""What becomes of a Zoom account that came with a link made for another."""

from sqlmodel import select

from dashboard.models.connection import AttemptOutcome, Connection
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.invitation import InvitationState
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.invitations import bo_of, go, invite, now_of, reconnect_link
from tests.makers import FakeClock

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


def test_a_new_wrong_account_is_deleted_in_recall_and_not_kept(
    stage: ConnectStage,
) -> None:
    made = invite(stage, "ana@example.com")

    attempt = go(stage, made, bo_of(stage))

    tried = now_of(stage, made)
    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert attempt.detail == "This link is for a***@example.com."
    assert (tried.state, tried.tried_as) == (
        InvitationState.WRONG_ACCOUNT,
        "b***@example.org",
    )
    assert stage.credentials() == []
    with stage.runtime.database.reading() as session:
        assert session.exec(select(Connection)).all() == []
        assert session.exec(select(Erasure)).all() == []


def test_after_a_wrong_account_the_right_one_may_still_come(
    stage: ConnectStage,
) -> None:
    made = invite(stage, "ana@example.com")
    go(stage, made, bo_of(stage))

    attempt = go(stage, made, stage.ana)

    assert attempt.outcome is AttemptOutcome.CONNECTED
    assert now_of(stage, made).state is InvitationState.DONE


def test_a_wrong_account_that_is_connected_already_was_merely_renewed(
    stage: ConnectStage, clock: FakeClock
) -> None:
    bo = bo_of(stage)
    connection = stage.connect(bo)
    made = invite(stage, "ana@example.com")
    clock.advance(minutes=1)

    attempt = go(stage, made, bo)

    assert (attempt.outcome, attempt.connection_id) == (
        AttemptOutcome.WRONG_ACCOUNT,
        None,
    )
    assert [one.user_id for one in stage.credentials()] == [bo.id]
    assert stage.connection(connection.id).reconnected_at == clock.now()


def test_a_wrong_account_that_recall_keeps_is_owed_to_be_deleted(
    lite: ConnectStage,
) -> None:
    made = invite(lite, "ana@example.com")
    refusing = Fault(kind=FaultKind.DOWN, path=CREDENTIALS, method="DELETE")
    lite.sandbox.recall_faults.set([refusing])

    attempt = go(lite, made, bo_of(lite))

    [credential] = lite.credentials()
    with lite.runtime.database.reading() as session:
        [owed] = session.exec(select(Erasure)).all()
    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert str(owed.recall_credential_id) == credential.id
    whose = lite.runtime.vault.open_text(
        owed.zoom_user_id or b"", table="erasure", column="zoom_user_id", row=owed.id
    )
    assert whose.get_secret_value() == credential.user_id
    assert owed.ended_at is None
    assert owed.reason is ErasureReason.WRONG_ACCOUNT


def test_the_link_of_an_account_refuses_another_account(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    sandbox.zoom_world.change_app(stage.app.client_id, published=True)
    connection = stage.connect()
    made = reconnect_link(stage, connection)
    foreign = sandbox.zoom_world.add_user(
        email="eve@example.net", role_name="Admin", account_id="OtherAccount0000000001"
    )

    wrong, right = go(stage, made, foreign), go(stage, made, stage.ana)

    assert wrong.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert right.connection_id == connection.id


def test_a_profile_that_cannot_be_read_proves_nobody(lite: ConnectStage) -> None:
    made = invite(lite, "ana@example.com")
    lite.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    attempt = go(lite, made, lite.ana)

    assert attempt.outcome is AttemptOutcome.ZOOM_ERROR
    assert "user:read:user" in attempt.detail
    assert lite.credentials() == []
