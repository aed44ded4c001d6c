"""How far a change has come: claimed once, superseded safely, told after a crash."""

from datetime import timedelta
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.errors import ConflictError
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services.zoom_apps import secret_changes
from dashboard.services.zoom_apps.secret_changes import (
    LEASE,
    Claim,
    Failure,
    NewSecrets,
)
from dashboard.vault import Vault
from tests.makers import NOON, saved_app

TOKEN = NewSecrets(has_secret_token=True)
CLIENT = NewSecrets(has_client_secret=True)
A_SECOND = timedelta(seconds=1)
LOST = Failure(why="Perhaps.", may_have_happened=True, due_at=NOON + A_SECOND)
REFUSED = Failure(why="No.", may_have_happened=False, due_at=NOON + A_SECOND)


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


def begin(
    database: Database,
    app_id: UUID,
    entry: NewSecrets = TOKEN,
    *,
    at: timedelta = A_SECOND,
) -> SecretChange:
    with database.writing() as session:
        return secret_changes.begin(
            session,
            session.get_one(ZoomApp, app_id),
            entry,
            asked_by="ana@example.com",
            now=NOON + at - A_SECOND,
        )


def claim(database: Database, app_id: UUID, *, at: timedelta = A_SECOND) -> Claim:
    with database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        return secret_changes.claim(session, app, asked_by="it", now=NOON + at)


def given(database: Database, taken: Claim) -> None:
    with database.writing() as session:
        secret_changes.record_success(session, taken, now=NOON + 2 * A_SECOND)


def failed(database: Database, taken: Claim, failure: Failure = REFUSED) -> None:
    with database.writing() as session:
        secret_changes.record_failure(session, taken, failure, now=NOON + 2 * A_SECOND)


def newest(database: Database, app_id: UUID) -> SecretChange:
    with database.reading() as session:
        found = secret_changes.latest(session, app_id)
    assert found is not None
    return found


def test_a_change_is_owed_to_recall_from_its_first_instant(
    database: Database, app_id: UUID
) -> None:
    change = begin(database, app_id)

    assert change.recall_due_at == change.stored_at == NOON
    assert (change.recall_at, change.ended_at) == (None, None)


def test_of_two_workers_one_gives_it(database: Database, app_id: UUID) -> None:
    begin(database, app_id)
    claim(database, app_id)

    with pytest.raises(ConflictError, match="right now"):
        claim(database, app_id, at=LEASE)


def test_a_dead_workers_claim_is_free_when_its_lease_ends(
    database: Database, app_id: UUID
) -> None:
    begin(database, app_id)
    dead = claim(database, app_id)

    taken = claim(database, app_id, at=LEASE + A_SECOND)
    given(database, dead)  # it comes back late
    still_owed = newest(database, app_id).recall_due_at
    given(database, taken)

    assert still_owed == taken.lease_until
    assert newest(database, app_id).recall_due_at is None
    assert newest(database, app_id).recall_at == NOON + 2 * A_SECOND


def test_a_client_secret_is_done_once_recall_has_it(
    database: Database, app_id: UUID
) -> None:
    begin(database, app_id, CLIENT)
    given(database, claim(database, app_id))

    assert newest(database, app_id).ended_at == NOON + 2 * A_SECOND


def test_a_secret_token_waits_for_zoom_as_well(
    database: Database, app_id: UUID
) -> None:
    begin(database, app_id)
    given(database, claim(database, app_id))

    assert newest(database, app_id).ended_at is None


def test_a_failure_keeps_why_and_when_it_is_tried_again(
    database: Database, app_id: UUID
) -> None:
    begin(database, app_id)
    failed(database, claim(database, app_id))

    change = newest(database, app_id)
    assert (change.recall_error, change.recall_due_at) == ("No.", NOON + A_SECOND)


def test_a_second_change_ends_the_first_and_goes_on_with_what_it_owed(
    database: Database, app_id: UUID
) -> None:
    first = begin(database, app_id)
    second = begin(database, app_id, CLIENT, at=3 * A_SECOND)

    with database.reading() as session:
        ended = session.get_one(SecretChange, first.id).ended_at
    assert ended == second.stored_at
    assert second.has_client_secret
    assert second.has_secret_token  # Zoom was not seen using it yet


def test_what_zoom_was_seen_to_do_outlasts_a_later_client_secret(
    database: Database, app_id: UUID
) -> None:
    change = begin(database, app_id)
    given(database, claim(database, app_id))
    with database.writing() as session:
        row = session.get_one(SecretChange, change.id)
        row.zoom_seen_at, row.previous_until = NOON, NOON + LEASE
        session.add(row)

    second = begin(database, app_id, CLIENT, at=3 * A_SECOND)

    assert (second.zoom_seen_at, second.previous_until) == (NOON, NOON + LEASE)
    assert second.recall_at is not None  # of the token; the client secret is owed
    assert second.recall_due_at is not None


@pytest.mark.parametrize("failure", [None, LOST])
def test_a_call_that_ends_after_a_later_change_makes_recall_owed_again(
    database: Database, app_id: UUID, failure: Failure | None
) -> None:
    begin(database, app_id)
    overtaken = claim(database, app_id)
    second = begin(database, app_id, at=3 * A_SECOND)
    with pytest.raises(ConflictError):
        claim(database, app_id, at=4 * A_SECOND)  # never two on their way at once

    if failure is None:
        given(database, overtaken)
    else:
        failed(database, overtaken, failure)

    change = newest(database, app_id)
    assert change.id == second.id
    assert (change.recall_at, change.recall_due_at) == (None, NOON + 2 * A_SECOND)


def test_after_a_refused_call_the_later_change_need_not_wait(
    database: Database, app_id: UUID
) -> None:
    begin(database, app_id)
    overtaken = claim(database, app_id)
    begin(database, app_id, at=3 * A_SECOND)

    failed(database, overtaken)

    assert newest(database, app_id).recall_due_at == NOON + 2 * A_SECOND
    claim(database, app_id, at=4 * A_SECOND)


def test_giving_it_again_is_a_change_whose_failure_is_kept(
    database: Database, app_id: UUID
) -> None:
    failed(database, claim(database, app_id))

    change = newest(database, app_id)
    assert (change.has_client_secret, change.has_secret_token) == (False, False)
    assert (change.recall_error, change.ended_at) == ("No.", None)


def test_an_app_that_is_not_in_recall_owes_it_nothing(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app_id = saved_app(session, vault, recall_app_id=None)

    assert begin(database, app_id, CLIENT).ended_at is not None
    assert begin(database, app_id, TOKEN).recall_due_at is None


def test_an_app_that_is_being_created_there_is_owed_what_changed_meanwhile(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app_id = saved_app(session, vault, recall_app_id=None, create_key="key-1")

    assert begin(database, app_id, CLIENT).recall_due_at is not None
