"""Token requests are counted for each connection, in few transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Timer
from threading import enumerate as enumerate_threads
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.models.held_grant import HeldGrant
from dashboard.services.grants import grants
from dashboard.services.grants.token_calls import Usage, UsageRecorder
from dashboard.vault import Vault
from tests.fixtures.relay import until
from tests.fixtures.transactions import Transactions
from tests.makers import NOON, a_connection, a_workspace, a_zoom_app

SERVED = Usage(served_at=NOON, served=1)
REJECTED = Usage(unsigned_at=NOON, rejected=1)


@pytest.fixture
def connection_id(database: Database, vault: Vault) -> UUID:
    """Give a connection whose tokens are stored here."""
    with database.writing() as session:
        workspace = a_workspace(vault)
        session.add(workspace)
        session.flush()
        app = a_zoom_app(vault, workspace_id=workspace.id)
        session.add(app)
        session.flush()
        row = a_connection(app)
        session.add(row)
        session.flush()
        session.add(
            HeldGrant(
                connection_id=row.id,
                key_hash="0" * 64,
                access_token=b"x",
                refresh_token=b"x",
                expires_at=NOON,
                obtained_at=NOON,
                refresh_due_at=NOON,
            )
        )
        return row.id


def counts(database: Database, connection_id: UUID) -> tuple[int, int]:
    with database.reading() as session:
        row = grants.get(session, connection_id)
        return row.served_count, row.rejected_count


def test_each_request_is_counted_and_a_hundred_cost_three_transactions(
    database: Database, connection_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = UsageRecorder(database)
    transactions = Transactions(database, monkeypatch)

    for second in range(50):
        now = NOON + timedelta(seconds=second)
        recorder.record(connection_id, SERVED, now=now)
        recorder.record(connection_id, REJECTED, now=now)
        recorder._writer.submit(int).result()  # it is written, if it is at once
    recorder.close()
    recorder.close()

    assert counts(database, connection_id) == (50, 50)
    assert transactions.number <= 3
    with database.reading() as session:
        row = grants.get(session, connection_id)
    assert row.served_at == row.unsigned_at == NOON


def test_the_last_requests_are_counted_without_another_one(
    database: Database, connection_id: UUID
) -> None:
    recorder = UsageRecorder(database, every=timedelta(seconds=0.2))

    for _ in range(3):
        recorder.record(connection_id, SERVED, now=NOON)

    until(lambda: counts(database, connection_id) == (3, 0))
    assert counts(database, connection_id) == (3, 0)
    recorder.close()


def test_what_cannot_be_stored_is_counted_later(
    database: Database, connection_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = UsageRecorder(database)
    transactions = Transactions(database, monkeypatch)
    transactions.failing = 1

    recorder.record(connection_id, SERVED, now=NOON)
    until(lambda: transactions.number == 1)
    recorder.record(connection_id, SERVED, now=NOON)
    recorder.close()

    assert counts(database, connection_id) == (2, 0)


def test_a_connection_that_was_deleted_is_counted_nowhere(
    database: Database, connection_id: UUID
) -> None:
    recorder = UsageRecorder(database)

    recorder.record(UUID(int=1), SERVED, now=NOON)
    recorder.record(connection_id, REJECTED, now=NOON)
    recorder.close()

    assert counts(database, connection_id) == (0, 1)


@contextmanager
def recording(database: Database) -> Iterator[UsageRecorder]:
    recorder = UsageRecorder(database)
    yield recorder
    recorder.close()


def test_each_kind_is_stored_at_once_when_it_did_not_come_for_a_minute(
    database: Database, connection_id: UUID
) -> None:
    with recording(database) as recorder:
        for usage, at, expected in (
            (SERVED, NOON, (1, 0)),
            (REJECTED, NOON, (1, 1)),
            (SERVED, NOON + timedelta(minutes=1), (2, 1)),
        ):
            recorder.record(connection_id, usage, now=at)
            recorder._writer.submit(int).result()

            assert counts(database, connection_id) == expected


def timers() -> list[Timer]:
    return [each for each in enumerate_threads() if isinstance(each, Timer)]


def test_what_waits_has_one_timer_and_none_after_the_end(
    database: Database, connection_id: UUID
) -> None:
    before = timers()
    with recording(database) as recorder:
        for _ in range(3):
            recorder.record(connection_id, SERVED, now=NOON)
        [timer] = [each for each in timers() if each not in before]
    recorder.record(connection_id, SERVED, now=NOON)
    timer.join(5)

    assert timer.daemon  # it never holds up the end of the process
    assert [each for each in timers() if each not in before] == []
