"""Who must act, row by row as docs/token-states.md says, and the same in SQL."""

from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.connection import Connection, TokenState
from dashboard.services.token_states import who_acts
from dashboard.services.token_states.rules import blocking_error
from dashboard.services.token_states.who_acts import Who
from dashboard.vault import Vault
from tests.fixtures.token_cases import BLOCKED, CASES, found
from tests.makers import NOON, a_connection, a_zoom_app

DOCS = Path(__file__).parents[3] / "docs" / "token-states.md"
NOBODYS = {"too-often", "recall-down", "firewall", "zoom-too-often", "zoom-down"}


def documented() -> dict[str, tuple[str, str, str]]:
    """Return (state, who, next step) by case, as the table has them."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")]
        for line in DOCS.read_text().splitlines()
        if line.startswith("| `")
    ]
    return {
        row[0].strip("`"): (row[2].strip("`"), row[3], (row[4:] or [""])[0])
        for row in rows
    }


def a_row(state: TokenState, reason: str, block: str = "") -> Connection:
    return Connection(
        zoom_app_id=uuid4(),
        token_state=state,
        token_reason=reason,
        recording_block=block,
        connected_at=NOON,
        due_at=NOON,
    )


def as_row(case: str) -> Connection:
    finding, block = found(case), "Zoom's words." if case == BLOCKED else ""
    return a_row(finding.state, finding.reason, block)


@pytest.mark.parametrize("case", CASES)
def test_the_document_says_what_the_code_does(case: str) -> None:
    row = as_row(case)

    assert documented()[case] == (
        row.token_state.value,
        who_acts.who_acts(row).value,
        who_acts.next_step(row),
    )


def test_the_document_has_every_case_and_no_other() -> None:
    assert set(documented()) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_only_what_is_nobodys_leaves_what_was_seen(case: str) -> None:
    assert (blocking_error(CASES[case], now=NOON) is not None) == (case in NOBODYS)


def test_the_database_finds_the_same_people(database: Database, vault: Vault) -> None:
    app = a_zoom_app(vault)
    rows = {
        case: a_connection(
            app,
            token_state=found(case).state,
            token_reason=found(case).reason,
            recording_block="Zoom's words." if case in (BLOCKED, "refused") else "",
        )
        for case in CASES
    }
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add_all(rows.values())

    with database.reading() as session:
        for is_along in (False, True):
            told = [
                (row_id, who)
                for who in Who
                for row_id in session.exec(
                    select(col(Connection.id)).where(
                        who_acts.acted_on_by(who, is_along=is_along)
                    )
                ).all()
            ]
            known = [(row.id, who_acts.who_acts(row)) for row in rows.values()]
            assert sorted(told) == sorted(known)  # each once


@pytest.mark.parametrize("state", TokenState)
def test_nobody_is_sent_anywhere_while_all_is_well(state: TokenState) -> None:
    row = a_row(state, "")

    assert (who_acts.next_step(row) == "") == (state is TokenState.HEALTHY)
