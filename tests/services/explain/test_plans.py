"""Every look-up of Explain is answered by an index, whatever is pasted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from dashboard.db import Database
from dashboard.models.invitation import InvitationState
from dashboard.vault import Vault
from tests.fixtures.explain import ANA, MEETING, OLD_PMI, OTHER, PMI, Desk

LARGE = (
    *("account_member", "connect_attempt", "connection", "connection_event"),
    *("invitation", "meeting_mapping", "webhook", '"check"', "failed_delivery"),
)
WHOLE = re.compile(rf"SCAN ({'|'.join(LARGE)})\b(?! USING (COVERING )?INDEX)")


@contextmanager
def noted() -> Iterator[list[tuple[str, Any]]]:
    """Note the statements that are run, and with what."""
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, values: Any, *_more: Any) -> None:
        found.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "text",
    [
        *("ana@example.com", "nobody@example.com", ANA, "user-17", "AbCdEfGhIjKlMnOp"),
        *(str(MEETING), f"{MEETING} ana@example.com", f"{MEETING} nobody@example.com"),
        *(str(PMI), str(OLD_PMI), "99999999999", str(UUID(int=4)), str(UUID(int=9))),
        *("7501234567890123456", "invited@example.com"),
    ],
)
def test_no_table_is_read_as_a_whole(sqlite: Database, vault: Vault, text: str) -> None:
    desk = Desk(sqlite, vault)
    row = desk.ana(pmi=PMI, previous_pmi=OLD_PMI, recall_credential_id=UUID(int=4))
    desk.hook(zoom_user_id=OTHER)
    desk.mapped(row, meeting_id=PMI)
    made = desk.invited(InvitationState.OPENED, email="invited@example.com")
    assert made.connection_id is None

    with noted() as statements:
        desk.explain(text)
    with sqlite.reading() as session:
        run = session.connection().exec_driver_sql
        plans = [
            str(step[3])
            for statement, values in statements
            if statement.startswith(("SELECT", "WITH"))
            for step in run(f"EXPLAIN QUERY PLAN {statement}", values)
        ]

    assert len(plans) > 1
    assert [plan for plan in plans if WHOLE.search(plan)] == []
