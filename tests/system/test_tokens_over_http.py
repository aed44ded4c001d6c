"""The simulated Recall fetches a token that is held here, signed, over real HTTP."""

import pytest
from pydantic import SecretStr

from dashboard.models.connection import TokenState
from dashboard.models.workspace import Workspace
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import check
from dashboard.services.recall import callback_signatures
from dashboard.services.recall.callback_signatures import Signing
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage
from tests.fixtures.exchange_here import a_holding_stage, grant_of
from tests.makers import API_KEY


def sign(stage: ConnectStage, secret: str) -> None:
    """Enter the secret here, and refuse what is not signed."""
    runtime = stage.runtime
    with runtime.database.writing() as session:
        workspace = session.get_one(Workspace, stage.app.workspace_id)
        callback_signatures.put(
            runtime.vault,
            workspace,
            Signing(secret=SecretStr(secret), is_required=True),
            now=runtime.clock.now(),
        )
        session.add(workspace)


@pytest.fixture
def made_in_recall(sandbox: RunningSandbox) -> str:
    """Give the verification secret that Recall signs with."""
    world = sandbox.recall_world
    world.add_workspace("us-east-1", API_KEY.get_secret_value())
    return world.renew_verification_secret(API_KEY.get_secret_value())


def test_a_user_connects_with_every_call_signed(
    runtime: Runtime, sandbox: RunningSandbox, made_in_recall: str
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        sign(stage, made_in_recall)
        row = stage.connect()
        seen = check.now(stage.runtime, row.id)

        assert seen.token_state is TokenState.HEALTHY
        assert grant_of(stage, row).unsigned_at is None


@pytest.mark.usefixtures("made_in_recall")
def test_with_another_secret_here_recall_gets_no_token(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with a_holding_stage(runtime, sandbox) as stage:
        sign(stage, "whsec_" + "QUJD" * 8)
        row = stage.connect()

        assert row.recall_credential_id is None  # Recall took no token, so none is made
        assert grant_of(stage, row).served_at is None
        assert stage.credentials() == []
