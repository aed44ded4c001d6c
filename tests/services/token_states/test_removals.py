"""Zoom's word that the user removed the app, and what a look makes of it."""

from datetime import timedelta

import pytest

from dashboard.models import connection
from dashboard.models.connection import Connection, TokenState
from dashboard.services.token_states import rules
from dashboard.services.token_states.rules import Finding
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app

REMOVED_AT = NOON + timedelta(minutes=1)
NOW = NOON + timedelta(minutes=2)
SAID = "2026-11-23 12:01:00 UTC"


@pytest.fixture
def row(vault: Vault) -> Connection:
    return a_connection(a_zoom_app(vault), lease_until=NOW)


def found(state: TokenState) -> Finding:
    return Finding(state=state, reason="Seen so.", evidence="Zoom refused a call.")


def test_a_removal_is_no_verdict_but_is_looked_at_at_once(row: Connection) -> None:
    was_news = rules.mark(row, removed_at=REMOVED_AT, now=NOW)

    assert was_news
    assert row.token_state is TokenState.UNKNOWN
    assert SAID in row.token_reason
    assert (row.due_at, row.deauthorized_at) == (NOW, REMOVED_AT)
    assert (row.lease_until, row.claim) == (None, 1)


@pytest.mark.parametrize("renewed", ["connected_at", "reconnected_at"])
def test_a_removal_of_before_this_grant_marks_nothing(
    row: Connection, renewed: str
) -> None:
    setattr(row, renewed, REMOVED_AT)

    was_news = rules.mark(row, removed_at=REMOVED_AT, now=NOW)

    assert not was_news
    assert row.token_state is TokenState.HEALTHY
    assert (row.deauthorized_at, row.claim) == (None, 0)


def test_the_same_removal_twice_is_news_once(row: Connection) -> None:
    rules.mark(row, removed_at=REMOVED_AT, now=NOW)

    assert not rules.mark(row, removed_at=REMOVED_AT, now=NOW)
    assert row.claim == 1


def test_what_a_look_found_dead_stays_so(row: Connection) -> None:
    row.token_state = TokenState.RECONNECT_NEEDED

    rules.mark(row, removed_at=REMOVED_AT, now=NOW)

    assert row.token_state is TokenState.RECONNECT_NEEDED
    assert row.due_at == NOW


@pytest.mark.parametrize(
    "seen", [TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL]
)
def test_a_look_that_bears_it_out_says_when_and_by_what(
    row: Connection, seen: TokenState
) -> None:
    row.deauthorized_at = REMOVED_AT

    weighed = rules.combine(row, found(seen), now=NOW)

    assert weighed.state is TokenState.RECONNECT_NEEDED
    assert weighed.reason == (
        f"The user removed the app in Zoom at {SAID}; Zoom refused a call. "
        "The user must reconnect."
    )
    assert "app_deauthorized" in weighed.evidence


@pytest.mark.parametrize(
    "seen", [state for state in TokenState if state not in connection.SETTLED]
)
def test_a_look_that_does_not_keeps_its_state_and_the_word(
    row: Connection, seen: TokenState
) -> None:
    row.deauthorized_at = REMOVED_AT

    weighed = rules.combine(row, found(seen), now=NOW)

    assert weighed.state is seen
    assert weighed.reason.startswith("Seen so.")
    assert SAID in weighed.reason
    assert row.deauthorized_at == REMOVED_AT


def test_a_token_that_works_when_all_former_ones_have_ended_disproves_it(
    row: Connection,
) -> None:
    row.deauthorized_at = REMOVED_AT
    working = found(TokenState.HEALTHY)

    weighed = rules.combine(row, working, now=REMOVED_AT + timedelta(hours=1))

    assert weighed == working
    assert row.deauthorized_at is None


def test_nothing_is_added_where_nothing_was_said(row: Connection) -> None:
    gone = found(TokenState.RECONNECT_NEEDED)

    assert rules.combine(row, gone, now=NOW) == gone
