"""Leases: one process works on a row, and one that comes late changes nothing."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col

from dashboard.db import Database, leases
from dashboard.models.connection import Connection
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_workspace, a_zoom_app

UNTIL = NOON + timedelta(minutes=2)


@pytest.fixture
def row_id(database: Database, vault: Vault) -> UUID:
    """Give a row that no process works on."""
    return _add_row(database, vault)


def _add_row(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        workspace = a_workspace(vault)
        session.add(workspace)
        session.flush()
        app = a_zoom_app(vault, workspace_id=workspace.id)
        session.add(app)
        session.flush()
        connection = a_connection(app)
        session.add(connection)
        return connection.id


def _claim(database: Database, row_id: UUID, *, minutes: int = 0) -> int | None:
    """Claim the row at an instant; return its counter, None if it was not free."""
    now = NOON + timedelta(minutes=minutes)
    is_it = col(Connection.id) == row_id
    with database.writing() as session:
        if not leases.claim(session, Connection, is_it, until=UNTIL, now=now):
            return None
        session.expire_all()
        return session.get_one(Connection, row_id).claim


def _store(database: Database, row_id: UUID, claim: int, name: str) -> bool:
    """Write a result as the holder of a claim does."""
    with database.writing() as session:
        is_it = col(Connection.id) == row_id
        row = leases.held(session, Connection, is_it, claim=claim)
        if row is None:
            return False
        row.display_name, row.lease_until = name, None
        return True


def test_a_row_is_claimed_by_one_process(database: Database, row_id: UUID) -> None:
    assert _claim(database, row_id) == 1
    assert _claim(database, row_id, minutes=1) is None


def test_a_lease_ends_at_its_instant(database: Database, row_id: UUID) -> None:
    _claim(database, row_id)

    assert _claim(database, row_id, minutes=2) == 2


def test_a_row_that_does_not_fit_is_not_claimed(
    database: Database, row_id: UUID
) -> None:
    is_it = col(Connection.id) == row_id
    other = col(Connection.display_name) == "nobody"

    with database.writing() as session:
        assert not leases.claim(
            session, Connection, is_it, other, until=UNTIL, now=NOON
        )


def test_a_claim_sets_other_columns_too(database: Database, row_id: UUID) -> None:
    is_it = col(Connection.id) == row_id

    with database.writing() as session:
        leases.claim(
            session, Connection, is_it, until=UNTIL, now=NOON, display_name="Ana"
        )

    with database.reading() as session:
        assert session.get_one(Connection, row_id).display_name == "Ana"


def test_a_late_worker_changes_nothing(database: Database, row_id: UUID) -> None:
    late = _claim(database, row_id)
    current = _claim(database, row_id, minutes=3)
    assert (late, current) == (1, 2)

    assert _store(database, row_id, 2, "of the newer claim")
    assert not _store(database, row_id, 1, "of the late worker")

    with database.reading() as session:
        row = session.get_one(Connection, row_id)
        assert (row.display_name, row.claim) == ("of the newer claim", 2)


def test_of_two_rows_with_the_same_counter_each_is_held_for_itself(
    database: Database, vault: Vault, row_id: UUID
) -> None:
    other = _add_row(database, vault)
    assert _claim(database, row_id) == _claim(database, other) == 1

    assert _store(database, row_id, 1, "first")
    assert _store(database, other, 1, "second")

    with database.reading() as session:
        rows = [session.get_one(Connection, each) for each in (row_id, other)]
    assert [row.display_name for row in rows] == ["first", "second"]


def test_a_due_row_is_claimed_once_until_it_is_due_again(
    database: Database, row_id: UUID
) -> None:
    def claimed(minutes: int) -> bool:
        now = NOON + timedelta(minutes=minutes)
        until = now + timedelta(minutes=5)
        is_it = col(Connection.id) == row_id
        with database.writing() as session:
            return leases.claim_due(
                session, Connection, is_it, due="due_at", now=now, until=until
            )

    with database.writing() as session:
        session.get_one(Connection, row_id).due_at = NOON

    assert [claimed(at) for at in (-1, 0, 0, 4, 5, 6)] == [
        False,
        True,
        False,
        False,
        True,
        False,
    ]


def test_of_two_due_rows_one_is_claimed(
    database: Database, vault: Vault, row_id: UUID
) -> None:
    other = _add_row(database, vault)
    with database.writing() as session:
        for each in (row_id, other):
            session.get_one(Connection, each).due_at = NOON

    with database.writing() as session:
        is_it = col(Connection.id) == row_id
        assert leases.claim_due(
            session, Connection, is_it, due="due_at", now=NOON, until=UNTIL
        )

    with database.reading() as session:
        rows = [session.get_one(Connection, each) for each in (row_id, other)]
    assert [row.due_at for row in rows] == [UNTIL, NOON]
