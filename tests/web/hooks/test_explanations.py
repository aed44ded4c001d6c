"""Each cause of refusal through the receiver: explained, and no secret told."""

from typing import Any, NoReturn

import pytest
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.check import Check, Finding
from dashboard.models.webhook import Refusal, RefusalCount, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver import refusals
from dashboard.services.receiver.keyring import Keyring
from dashboard.services.receiver.signatures import Cause
from tests.fixtures.hooks import HooksClient, door, event
from tests.fixtures.refusals import (
    BODY,
    CASES,
    PRODUCTION,
    SCRIBE,
    SECRETS,
    STRANGER,
    Case,
    Stage,
    a_stage,
)
from tests.makers import SECRET_TOKEN
from tests.services.receiver.test_signatures import C1_BODY

__all__ = ["door"]


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


@pytest.fixture
def stage(door: HooksClient) -> Stage:
    return a_stage(door)


def test_there_is_a_case_for_every_cause() -> None:
    assert {case.cause for case in CASES} == set(Cause)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.value)
def test_a_refusal_says_what_was_seen_and_who_mends_it(
    stage: Stage, case: Case
) -> None:
    case.send(stage)

    (refusal,) = stage.door.stored(Refusal)
    seen, _, mend = refusal.detail.partition("\n")
    assert (refusal.cause, case.seen in seen, case.fix in mend) == (
        case.cause.value,
        True,
        True,
    ), refusal.detail
    assert len(refusal.detail) < 500
    assert not any(secret in refusal.detail for secret in SECRETS)
    assert stage.door.stored(Webhook) == []
    assert [each.cause for each in stage.door.stored(RefusalCount)] == [case.cause]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.names],
    ids=lambda case: case.cause.value,
)
def test_the_zoom_app_whose_secret_it_was_is_named_for_a_link(
    stage: Stage, case: Case
) -> None:
    case.send(stage)

    named = getattr(stage, case.names)
    rows = stage.door.stored(Refusal)
    (told,) = refusals.rows(rows, app_names={named: "it"})
    (unknown,) = refusals.rows(rows, app_names={})
    assert (told.names, unknown.names) == (named, None)


def test_the_signature_of_zooms_own_spelling_is_not_called_rewritten(
    stage: Stage,
) -> None:
    stage.post(SECRET_TOKEN)

    assert stage.door.stored(Refusal) == []
    assert len(stage.door.stored(Webhook)) == 1


def test_where_the_client_id_is_this_ones_the_secrets_may_be_swapped(
    stage: Stage,
) -> None:
    client_id = stage.client_id(stage.door.app_id)

    stage.post(PRODUCTION, headers={"clientid": client_id})

    (refusal,) = stage.door.stored(Refusal)
    assert "the two secret tokens may be swapped here" in refusal.detail


def test_the_clientid_header_alone_convinces_nobody(stage: Stage) -> None:
    client_id = stage.client_id(stage.scribe_id)

    stage.post(STRANGER, headers={"clientid": client_id})

    (refusal,) = stage.door.stored(Refusal)
    assert refusal.cause == "signature"
    assert "Scribe" not in refusal.detail


def test_a_former_secret_of_another_zoom_app_is_called_previous(stage: Stage) -> None:
    door = stage.door
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, stage.scribe_id)
        app.previous_secret_token = door.vault.seal_text(
            STRANGER, table="zoom_app", column="previous_secret_token", row=app.id
        )
        session.add(app)

    stage.post(STRANGER)

    (refusal,) = door.stored(Refusal)
    assert "Signed with the previous secret token of Scribe" in refusal.detail


def test_of_a_rotation_both_fingerprints_are_named(stage: Stage) -> None:
    door = stage.door
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, door.app_id)
        app.previous_secret_token = door.vault.seal_text(
            SecretStr("test-secret-token-0000"),
            table="zoom_app",
            column="previous_secret_token",
            row=app.id,
        )
        session.add(app)

    stage.post(STRANGER)

    (refusal,) = door.stored(Refusal)
    assert "or the previous one (" in refusal.detail


def test_a_challenge_for_another_environment_is_evidence_of_a_mismatch(
    stage: Stage,
) -> None:
    stage.post(PRODUCTION, C1_BODY)

    (check,) = stage.door.stored(Check)
    assert check.finding is Finding.SECRET_MISMATCH
    assert "secret token of Notetaker (production)" in check.detail


def test_a_flood_is_not_looked_into_and_afterwards_it_is(stage: Stage) -> None:
    for _ in range(201):
        stage.post(SCRIBE, event())
    stage.door.clock.advance(seconds=1)
    stage.post(SCRIBE, BODY)
    stage.door.clock.advance(seconds=1)
    stage.post(SCRIBE, BODY)

    counts = {each.cause: each.requests for each in stage.door.stored(RefusalCount)}
    # 20 in the first second, none in the second, the one in the third.
    assert counts == {"other_app": 21, "signature": 182}


class Alone:
    """A keyring that finds each zoom app and cannot list them."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def neighbours(self) -> NoReturn:
        raise StorageError("The database cannot be reached.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keyring, name)


def test_without_the_others_a_refusal_stays_a_refusal(stage: Stage) -> None:
    keyring: Any = Alone(stage.door.writer.keyring)
    stage.door.writer.keyring = keyring

    stage.post(PRODUCTION)
    stage.post(SecretStr(f"{SECRETS[0]} "))

    causes = {refusal.cause for refusal in stage.door.stored(Refusal)}
    assert causes == {"signature", "white_space"}
