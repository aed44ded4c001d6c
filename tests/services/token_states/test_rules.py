"""Each case of a health check, and the token state that follows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboard.errors import UpstreamError
from dashboard.models import connection
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.token_states import rules
from dashboard.services.token_states.pace import FEW, LONGEST, for_numbers, next_check
from dashboard.services.token_states.rules import (
    CheckResult,
    Finding,
    blocking_error,
    judge,
    scopes_in,
)
from dashboard.vault import Vault
from tests.fixtures.health_checks import (
    ANA,
    UNHEALTHY,
    a_credential,
    a_token,
    recall,
    zoom,
)
from tests.fixtures.token_cases import CASES, HERE, ODD, TOKEN, found
from tests.makers import NOON, a_connection, a_zoom_app

WORDS = {
    "works": "works at Zoom",
    "not-renewed": "has not been refreshed",
    "ended": "has expired",
    "lacks-scope": "Missing scope: user:read:user.",
    "granted-too-little": "Missing scope: meeting:read:local_recording_token.",
    "refused": "The user must reconnect.",
    "invalid-grant": "The user must reconnect.",
    "gone": "no longer has this credential",
    "no-credential": "has no credential",
    "marked": "marked this credential",
    "invalid-client": "as stored in Recall. No user has to act; an admin must fix",
    "invalid-client-held": "stored here. No user has to act; an admin must fix",
    "api-key": "No user has to act; an admin must enter a valid key",
    "no-token": "did not hand out a token",
    "too-often": "gave no answer",
    "zoom-down": "gave no answer",
}


@pytest.mark.parametrize("case", CASES)
def test_a_reason_is_whole_sentences_that_fit_the_column(case: str) -> None:
    finding = found(case)

    assert WORDS.get(case, "") in finding.reason
    assert finding.reason.endswith(".")
    assert len(finding.reason) < 500


@pytest.mark.parametrize("seen", ODD.values(), ids=ODD)
def test_what_is_odd_and_works_is_healthy(seen: CheckResult) -> None:
    assert judge(seen, now=NOON).state is TokenState.HEALTHY


@pytest.mark.parametrize(
    "seen", [CheckResult(credential=HERE), CheckResult(credential=HERE, token=TOKEN)]
)
def test_nothing_is_called_healthy_that_was_not_seen(seen: CheckResult) -> None:
    finding = judge(seen, now=NOON)

    assert finding.state is TokenState.UNKNOWN
    assert "not asked" in finding.reason


def test_every_state_has_a_case() -> None:
    assert {found(case).state for case in CASES} == set(TokenState)


@pytest.mark.parametrize(
    ("state", "minutes"),
    [
        (TokenState.HEALTHY, 360),
        (TokenState.RECONNECT_NEEDED, 30),
        (TokenState.MISSING_SCOPES, 30),
        (TokenState.UNHEALTHY_IN_RECALL, 30),
        (TokenState.EXPIRING, 5),
        (TokenState.UNKNOWN, 5),
    ],
)
def test_what_fails_is_looked_at_sooner(state: TokenState, minutes: int) -> None:
    due_at = next_check(state, now=NOON, wait_s=None, spread=0.5)

    assert due_at == NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("wait_s", "minutes"),
    [(60, 5), (600, 10), (86400, 60)],
    ids=["shorter than ours", "longer than ours", "never more than an hour"],
)
def test_a_wait_that_was_asked_for_is_kept(wait_s: float, minutes: int) -> None:
    due_at = next_check(TokenState.UNKNOWN, now=NOON, wait_s=wait_s, spread=0.5)

    assert due_at == NOON + timedelta(minutes=minutes)


def test_looks_are_spread_over_a_fifth_of_the_time() -> None:
    first = next_check(TokenState.HEALTHY, now=NOON, wait_s=None, spread=0.0)
    last = next_check(TokenState.HEALTHY, now=NOON, wait_s=None, spread=1.0)

    assert last - first == timedelta(hours=6) / 5


def test_scope_names_are_found_in_words_of_zoom() -> None:
    text = (
        "Invalid access token, does not contain scopes:[user:read:user, user_zak:read]."
    )

    assert scopes_in(text) == ["user:read:user", "user_zak:read"]


@pytest.mark.parametrize(
    "text",
    [
        "does not contain scopes:[user:read:user, meeting:read:local_recording_t…",
        "does not contain scopes:[user:read:user, meeting:read:…",
        "does not contain scopes:[user:read:user, meeting:read …",
    ],
)
def test_half_a_name_before_a_cut_is_no_scope(text: str) -> None:
    assert scopes_in(text) == ["user:read:user"]


def test_a_missing_scope_without_a_name_is_said_so() -> None:
    error = UpstreamError(
        "This Zoom token lacks a scope.",
        service="Zoom",
        status=401,
        code="4711",
        detail="Invalid access token, does not contain scopes.",
    )

    finding = rules.missing_scopes(error, Kind.USER_LEVEL)

    assert finding is not None
    assert finding.reason.startswith("A scope is missing, and Zoom didn't say which.")


def test_a_list_of_missing_scopes_that_was_cut_says_that_there_may_be_more() -> None:
    error = UpstreamError(
        "This Zoom token lacks a scope.",
        service="Zoom",
        status=400,
        code="4711",
        detail="missing scopes: user:read:user, meeting:read:lo…",
    )

    finding = rules.missing_scopes(error, Kind.USER_LEVEL)

    assert finding is not None
    assert "user:read:user, and perhaps more" in finding.reason
    assert "meeting:read" not in finding.reason


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410])
@pytest.mark.parametrize("service", ["Recall", "Zoom"])
def test_a_page_in_a_vendors_place_says_nothing_about_a_user(
    service: str, status: int
) -> None:
    page = UpstreamError("A page.", service=service, status=status, is_page=True)
    asked = (
        CheckResult(credential=HERE, token=page),
        CheckResult(credential=page, token=TOKEN, user=ANA),
        CheckResult(credential=HERE, token=TOKEN, user=page),
    )

    for seen in asked:
        assert judge(seen, now=NOON).state is TokenState.UNKNOWN
        assert judge(seen, now=NOON).cause is TokenCause.NONE
        assert blocking_error(seen, now=NOON) is page


def test_few_connections_are_looked_at_as_often_as_ever() -> None:
    found = for_numbers(healthy=20_000, failing=900, unknown=150)

    assert replace(found, soonest=FEW.soonest) == FEW


@pytest.mark.parametrize(
    ("healthy", "hours"), [(36_000, 10), (50_000, 13.9), (500_000, 20)]
)
def test_with_many_none_waits_longer_than_a_day(healthy: int, hours: float) -> None:
    pace = for_numbers(healthy=healthy, failing=0, unknown=0)

    assert pace.healthy.total_seconds() / 3600 == pytest.approx(hours, abs=0.1)
    assert pace.healthy <= LONGEST


def test_all_failing_at_once_leave_the_budget_room() -> None:
    pace = for_numbers(healthy=0, failing=3000, unknown=3000)
    a_minute = sum(
        3000 / (every.total_seconds() / 60) for every in (pace.failing, pace.unknown)
    )

    assert a_minute == pytest.approx(60)


@pytest.mark.parametrize(
    ("seen", "is_held_up"),
    [
        (CheckResult(credential=recall(429, retryable=True)), True),
        (
            CheckResult(credential=a_credential(), token=recall(429, retryable=True)),
            True,
        ),
        (CheckResult(credential=UNHEALTHY, token=recall(429, retryable=True)), False),
        (CheckResult(credential=recall(503, retryable=True)), True),
        (
            CheckResult(
                credential=a_credential(),
                token=a_token(minutes=50),
                user=zoom(429, retryable=True),
            ),
            True,
        ),
        (CheckResult(credential=recall(401)), False),
        (
            CheckResult(credential=a_credential(), token=a_token(minutes=50), user=ANA),
            False,
        ),
    ],
    ids=[
        "credential",
        "token",
        "marked all the same",
        "down",
        "by Zoom",
        "key",
        "seen",
    ],
)
def test_a_look_is_held_up_by_what_tells_nothing(
    seen: CheckResult,
    is_held_up: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert (blocking_error(seen, now=NOON) is not None) is is_held_up


REMOVED_AT = NOON + timedelta(minutes=1)
NOW = NOON + timedelta(minutes=2)
SAID = "2026-11-23 12:01:00 UTC"


@pytest.fixture
def row(vault: Vault) -> Connection:
    return a_connection(a_zoom_app(vault), lease_until=NOW)


def a_finding(state: TokenState) -> Finding:
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

    weighed = rules.combine(row, a_finding(seen), now=NOW)

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

    weighed = rules.combine(row, a_finding(seen), now=NOW)

    assert weighed.state is seen
    assert weighed.reason.startswith("Seen so.")
    assert SAID in weighed.reason
    assert row.deauthorized_at == REMOVED_AT


def test_a_token_that_works_when_all_former_ones_have_ended_disproves_it(
    row: Connection,
) -> None:
    row.deauthorized_at = REMOVED_AT
    working = a_finding(TokenState.HEALTHY)

    weighed = rules.combine(row, working, now=REMOVED_AT + timedelta(hours=1))

    assert weighed == working
    assert row.deauthorized_at is None


def test_nothing_is_added_where_nothing_was_said(row: Connection) -> None:
    gone = a_finding(TokenState.RECONNECT_NEEDED)

    assert rules.combine(row, gone, now=NOW) == gone
