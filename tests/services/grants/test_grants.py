"""Grants at rest: sealed, each in its place, found by a key that is not stored."""

from datetime import timedelta
from uuid import UUID

import pytest

from dashboard.errors import ConflictError, NotFoundError, VaultError
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import urls
from dashboard.services.grants import grants
from dashboard.services.runtime import Runtime
from tests.fixtures.grants import HeldStage, a_held_stage
from tests.makers import NOON


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox) -> HeldStage:
    return a_held_stage(runtime, sandbox)


def test_a_grant_is_found_by_its_key_which_is_not_stored(held: HeldStage) -> None:
    with held.runtime.database.reading() as session:
        found = grants.find_by_key(session, held.key)

    assert found is not None
    assert found.connection_id == held.connection_id
    assert held.key not in str(found.model_dump())


@pytest.mark.parametrize(
    "key",
    ["", "short", "a" * 43, "ä" * 43, "a" * 44, "a" * 42 + "\n", "\ud800" * 43],
    ids=ascii,
)
def test_no_other_key_finds_anything(held: HeldStage, key: str) -> None:
    with held.runtime.database.reading() as session:
        assert grants.find_by_key(session, key) is None


def test_a_key_is_new_each_time_and_fits_a_url() -> None:
    keys = {urls.new_key() for _ in range(50)}

    assert len(keys) == 50
    assert {len(key) for key in keys} == {43}


def test_each_token_opens_in_its_own_place_only(held: HeldStage) -> None:
    row, vault = held.grant(), held.runtime.vault
    assert grants.access_token(vault, row) != grants.refresh_token(vault, row)

    row.access_token, row.refresh_token = row.refresh_token, row.access_token

    with pytest.raises(VaultError):
        grants.access_token(vault, row)


def test_a_grant_that_is_not_held_is_not_found(held: HeldStage) -> None:
    with held.runtime.database.reading() as session, pytest.raises(NotFoundError):
        grants.get(session, UUID(int=0))


def test_a_token_is_renewed_between_half_and_three_quarters_of_its_life(
    held: HeldStage,
) -> None:
    row = held.grant()

    assert row.expires_at == NOON + timedelta(hours=1)
    part = (row.refresh_due_at - NOON) / timedelta(hours=1)
    assert 0.5 <= part < 0.75


def test_an_address_of_200_characters_is_taken_and_a_longer_one_refused() -> None:
    key = urls.new_key()
    longest = "https://" + "a" * (200 - 43 - len("https:///tokens/"))

    assert len(urls.token_url(longest, key)) == 200
    with pytest.raises(ConflictError, match="shorter DASHBOARD_PUBLIC_URL"):
        urls.token_url(longest + "a", key)
