"""Token requests are counted for each connection, in few transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Timer
from threading import enumerate as enumerate_threads
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, col, select
from structlog.testing import capture_logs

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.services.audit import tallies
from dashboard.services.grants import grants, token_calls
from dashboard.services.grants.token_calls import Usage, UsageRecorder
from dashboard.vault import Vault
from tests.fixtures.relay import until
from tests.fixtures.transactions import Transactions
from tests.makers import NOON, FakeClock, a_connection, a_workspace, a_zoom_app

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


@contextmanager
def recording(database: Database) -> Iterator[UsageRecorder]:
    recorder = UsageRecorder(database)
    yield recorder
    recorder.close()


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


def fetched(database: Database) -> list[tuple[str, str, int]]:
    with database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.act == "token.served")
        query = query.order_by(col(AuditEntry.seq))
        return [(row.actor, row.subject, row.times) for row in session.exec(query)]


def flush(database: Database, at: datetime) -> None:
    clock: Any = FakeClock(at)
    tallies.record_counted(database, clock)


def test_the_audit_log_has_each_hour_of_a_zoom_app_once(
    database: Database, connection_id: UUID
) -> None:
    times = [NOON, NOON + timedelta(minutes=59), NOON + timedelta(minutes=60)]
    for now in times:
        with recording(database) as recorder:
            recorder.record(connection_id, Usage(served_at=now, served=2), now=now)
            recorder.record(connection_id, REJECTED, now=now)
    assert fetched(database) == []

    flush(database, NOON + timedelta(minutes=59, seconds=59))
    assert fetched(database) == [], "the hour is not over"
    flush(database, NOON + timedelta(minutes=60))
    flush(database, NOON + timedelta(minutes=60))

    said = f"Notetaker (development), {NOON:%Y-%m-%d %H}:00 UTC"
    assert fetched(database) == [("Recall", said, 4)]
    flush(database, NOON + timedelta(hours=2))
    assert [times for *_, times in fetched(database)] == [4, 2]


def test_tokens_of_a_connection_deleted_since_are_in_the_audit_log(
    database: Database, connection_id: UUID
) -> None:
    with database.writing() as session:
        session.delete(session.get_one(Connection, connection_id))

    with recording(database) as recorder:
        recorder.record(connection_id, Usage(served_at=NOON, served=1), now=NOON)
    flush(database, NOON + timedelta(hours=1))

    [(_, subject, times)] = fetched(database)
    assert (subject.partition(",")[0], times) == ("connections deleted since", 1)


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


def test_what_comes_while_storing_fails_is_counted_with_the_rest(
    database: Database, connection_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = UsageRecorder(database)
    writing = database.writing
    failed: list[bool] = []

    @contextmanager
    def first_fail() -> Iterator[Session]:
        if not failed:
            failed.append(True)
            recorder.record(connection_id, SERVED, now=NOON)
            raise StorageError("The disk is full.")
        with writing() as session:
            yield session

    monkeypatch.setattr(database, "writing", first_fail)

    recorder.record(connection_id, SERVED, now=NOON)
    until(lambda: bool(failed))
    recorder.close()

    assert counts(database, connection_id) == (2, 0)


def test_the_log_says_that_requests_cannot_be_counted_and_when_they_can_again(
    database: Database, connection_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = Transactions(database, monkeypatch)
    transactions.failing = 1

    with capture_logs() as logs:
        recorder = UsageRecorder(database)
        recorder.record(connection_id, SERVED, now=NOON)
        recorder._writer.submit(int).result()
        recorder.close()

    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("tokens.not_noted", "warning"),
        ("tokens.noted_again", "warning"),
    ]
    assert logs[0]["reason"] == "The disk is full."


def test_of_many_connections_the_last_are_remembered(
    database: Database, connection_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_calls, "_MOST_KEPT", 4)  # two of each
    stored: list[int] = []

    with recording(database) as recorder:
        for each in (connection_id, UUID(int=1), connection_id, UUID(int=2)):
            recorder.record(each, SERVED, now=NOON)
            recorder._writer.submit(int).result()
            stored.append(counts(database, connection_id)[0])
        recorder.record(UUID(int=2), SERVED, now=NOON)
        assert UUID(int=2) in recorder._pending  # it waits for the minute to end
        recorder.record(connection_id, SERVED, now=NOON)
        recorder._writer.submit(int).result()
        stored.append(counts(database, connection_id)[0])

    assert stored == [1, 1, 1, 1, 3]


def test_a_connection_that_was_deleted_is_counted_nowhere(
    database: Database, connection_id: UUID
) -> None:
    recorder = UsageRecorder(database)

    recorder.record(UUID(int=1), SERVED, now=NOON)
    recorder.record(connection_id, REJECTED, now=NOON)
    recorder.close()

    assert counts(database, connection_id) == (0, 1)


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
