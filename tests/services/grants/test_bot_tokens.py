"""A token for a bot is fetched as a trial: what is had, and what keeps it back."""

import pytest

from dashboard.errors import GrantLostError, NotFoundError, UpstreamError
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.grants import bot_tokens
from dashboard.services.grants.bot_tokens import BotToken
from dashboard.services.runtime import Runtime
from tests.fixtures.grants import HeldStage, a_held_stage

SCOPES = {BotToken.ZAK: "user:read:zak", BotToken.OBF: "user:read:token"}


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox) -> HeldStage:
    return a_held_stage(runtime, sandbox)


def grant_scope(held: HeldStage, scope: str) -> None:
    state = held.stage.sandbox.zoom_world.state
    with state.lock:
        for grant in state.grants:
            grant.scopes = [*grant.scopes, scope]


@pytest.mark.parametrize("which", list(BotToken))
def test_it_is_fetched_and_dropped(held: HeldStage, which: BotToken) -> None:
    before = held.grant().model_dump()
    grant_scope(held, SCOPES[which])

    bot_tokens.try_fetch(held.runtime, held.connection_id, which)

    assert held.grant().model_dump() == before


@pytest.mark.parametrize("which", list(BotToken))
def test_a_missing_scope_is_named(held: HeldStage, which: BotToken) -> None:
    with pytest.raises(UpstreamError) as caught:
        bot_tokens.try_fetch(held.runtime, held.connection_id, which)

    assert SCOPES[which] in str(caught.value.detail)


def test_a_lost_grant_gives_none(held: HeldStage) -> None:
    held.set(lost_at=held.runtime.clock.now())

    with pytest.raises(GrantLostError):
        bot_tokens.try_fetch(held.runtime, held.connection_id, BotToken.ZAK)


def test_where_recall_stores_the_tokens_there_is_none(held: HeldStage) -> None:
    with pytest.raises(NotFoundError):
        bot_tokens.try_fetch(held.runtime, held.stage.app.id, BotToken.ZAK)
