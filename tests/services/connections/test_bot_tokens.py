"""A token for a bot is fetched as a trial: what is had, and what keeps it back."""

import pytest

from dashboard.errors import GrantLostError, NotFoundError, UpstreamError
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connections import actions
from dashboard.services.grants.token_calls import Want
from dashboard.services.runtime import Runtime
from tests.fixtures.grants import HeldStage, a_held_stage

SCOPES = {Want.ZAK: "user:read:zak", Want.OBF: "user:read:token"}


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox) -> HeldStage:
    return a_held_stage(runtime, sandbox)


def grant_scope(held: HeldStage, scope: str) -> None:
    state = held.stage.sandbox.zoom_world.state
    with state.lock:
        for grant in state.grants:
            grant.scopes = [*grant.scopes, scope]


@pytest.mark.parametrize("which", [Want.ZAK, Want.OBF])
def test_it_is_fetched_and_dropped(held: HeldStage, which: Want) -> None:
    before = held.grant().model_dump()
    grant_scope(held, SCOPES[which])

    actions.try_bot_token(held.runtime, held.connection_id, which)

    assert held.grant().model_dump() == before


@pytest.mark.parametrize("which", [Want.ZAK, Want.OBF])
def test_a_missing_scope_is_named(held: HeldStage, which: Want) -> None:
    with pytest.raises(UpstreamError) as caught:
        actions.try_bot_token(held.runtime, held.connection_id, which)

    assert SCOPES[which] in str(caught.value.detail)


def test_a_lost_grant_gives_none(held: HeldStage) -> None:
    held.set(lost_at=held.runtime.clock.now())

    with pytest.raises(GrantLostError):
        actions.try_bot_token(held.runtime, held.connection_id, Want.ZAK)


def test_where_recall_stores_the_tokens_there_is_none(held: HeldStage) -> None:
    with pytest.raises(NotFoundError):
        actions.try_bot_token(held.runtime, held.stage.app.id, Want.ZAK)
