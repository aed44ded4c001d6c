"""What was seen, and the token state that follows: one row a case."""

from datetime import timedelta

import pytest

from dashboard.clients.recall_replies import (
    CredentialStatus,
)
from dashboard.errors import UpstreamError
from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.findings import Seen
from dashboard.services.pace import next_look
from dashboard.services.scope_states import scopes_in
from dashboard.services.token_states import judge
from tests.makers import NOON
from tests.services.looks import ANA, UNHEALTHY, a_credential, a_token, recall, zoom

LACKING = UpstreamError(
    "This Zoom token lacks a scope.",
    service="Zoom",
    status=400,
    code="4711",
    detail="missing scopes: user:read:user, user:read:user:admin",
)

CASES = {
    "all is well": (
        Seen(credential=a_credential(), token=a_token(minutes=50), user=ANA),
        TokenState.HEALTHY,
        "works at Zoom",
    ),
    "Recall says something new of the status": (
        Seen(
            credential=a_credential(CredentialStatus.UNKNOWN),
            token=a_token(minutes=50),
            user=ANA,
        ),
        TokenState.HEALTHY,
        "works at Zoom",
    ),
    "exactly five minutes left": (
        Seen(credential=a_credential(), token=a_token(minutes=5), user=ANA),
        TokenState.HEALTHY,
        "works at Zoom",
    ),
    "less than five minutes left": (
        Seen(credential=a_credential(), token=a_token(seconds=299), user=ANA),
        TokenState.EXPIRING,
        "has not renewed",
    ),
    "ended, and Zoom refuses it": (
        Seen(
            credential=a_credential(), token=a_token(seconds=-1), user=zoom(401, "124")
        ),
        TokenState.EXPIRING,
        "has ended already",
    ),
    "Zoom names a missing scope": (
        Seen(credential=a_credential(), token=a_token(minutes=50), user=LACKING),
        TokenState.MISSING_SCOPES,
        "lacks user:read:user.",
    ),
    "an account may lack the scope to read a profile": (
        Seen(
            kind=Kind.ACCOUNT_LEVEL,
            credential=a_credential(),
            token=a_token(minutes=50),
            user=LACKING,
        ),
        TokenState.HEALTHY,
        "works at Zoom",
    ),
    "Zoom refuses a token that has not ended": (
        Seen(
            credential=a_credential(), token=a_token(minutes=50), user=zoom(401, "124")
        ),
        TokenState.RECONNECT_NEEDED,
        "must reconnect",
    ),
    "Zoom no longer has the user": (
        Seen(
            credential=a_credential(), token=a_token(minutes=50), user=zoom(404, "1001")
        ),
        TokenState.RECONNECT_NEEDED,
        "must reconnect",
    ),
    "the grant is dead: invalid_grant": (
        Seen(credential=a_credential(), token=recall(400, "invalid_grant")),
        TokenState.RECONNECT_NEEDED,
        "must reconnect",
    ),
    "the grant is dead: Invalid Token!": (
        Seen(credential=a_credential(), token=recall(400, "Zoom said: Invalid Token!")),
        TokenState.RECONNECT_NEEDED,
        "must reconnect",
    ),
    "the grant is dead and Recall knows": (
        Seen(credential=UNHEALTHY, token=recall(400, "invalid_grant")),
        TokenState.RECONNECT_NEEDED,
        "must reconnect",
    ),
    "the credential is gone": (
        Seen(credential=recall(404)),
        TokenState.RECONNECT_NEEDED,
        "no longer has this credential",
    ),
    "the credential goes while we look": (
        Seen(credential=a_credential(), token=recall(404)),
        TokenState.RECONNECT_NEEDED,
        "no longer has this credential",
    ),
    "no credential is known": (
        Seen(),
        TokenState.RECONNECT_NEEDED,
        "holds no credential",
    ),
    "Recall marked it": (
        Seen(credential=UNHEALTHY, token=recall(400, "unhealthy")),
        TokenState.UNHEALTHY_IN_RECALL,
        "marked this credential",
    ),
    "Recall marked it though the token works": (
        Seen(credential=UNHEALTHY, token=a_token(minutes=50), user=ANA),
        TokenState.UNHEALTHY_IN_RECALL,
        "marked this credential",
    ),
    "the pair is wrong: no user is touched": (
        Seen(credential=a_credential(), token=recall(400, "Invalid Client")),
        TokenState.UNKNOWN,
        "an admin must mend",
    ),
    "the API key is wrong: no user is touched": (
        Seen(credential=recall(401)),
        TokenState.UNKNOWN,
        "an admin must set the right key",
    ),
    "Recall refuses the token for another reason": (
        Seen(credential=a_credential(), token=recall(400, "no idea")),
        TokenState.UNKNOWN,
        "did not hand out a token",
    ),
    "Recall is asked too often": (
        Seen(credential=recall(429, retryable=True)),
        TokenState.UNKNOWN,
        "nobody's fault",
    ),
    "Recall is down when asked for the token": (
        Seen(credential=a_credential(), token=recall(503, retryable=True)),
        TokenState.UNKNOWN,
        "nobody's fault",
    ),
    "Recall does not answer": (
        Seen(credential=recall(None, retryable=True)),
        TokenState.UNKNOWN,
        "nobody's fault",
    ),
    "Zoom is asked too often": (
        Seen(
            credential=a_credential(),
            token=a_token(minutes=50),
            user=zoom(429, retryable=True),
        ),
        TokenState.UNKNOWN,
        "nobody's fault",
    ),
    "Zoom does not answer": (
        Seen(
            credential=a_credential(),
            token=a_token(minutes=50),
            user=zoom(None, retryable=True),
        ),
        TokenState.UNKNOWN,
        "nobody's fault",
    ),
    "Zoom was not asked": (
        Seen(credential=a_credential(), token=a_token(minutes=50)),
        TokenState.UNKNOWN,
        "not asked",
    ),
    "Recall was not asked for a token": (
        Seen(credential=a_credential()),
        TokenState.UNKNOWN,
        "not asked",
    ),
}


@pytest.mark.parametrize(("seen", "state", "words"), CASES.values(), ids=CASES)
def test_what_follows_from_what_was_seen(
    seen: Seen, state: TokenState, words: str
) -> None:
    finding = judge(seen, now=NOON)

    assert finding.state is state
    assert words in finding.reason
    assert finding.state is TokenState.HEALTHY or finding.reason.endswith(".")


def test_every_state_has_a_case() -> None:
    assert {state for _, state, _ in CASES.values()} == set(TokenState)


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
    due_at = next_look(state, now=NOON, wait_s=None, spread=0.5)

    assert due_at == NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("wait_s", "minutes"),
    [(60, 5), (600, 10), (86400, 60)],
    ids=["shorter than ours", "longer than ours", "never more than an hour"],
)
def test_a_wait_that_was_asked_for_is_kept(wait_s: float, minutes: int) -> None:
    due_at = next_look(TokenState.UNKNOWN, now=NOON, wait_s=wait_s, spread=0.5)

    assert due_at == NOON + timedelta(minutes=minutes)


def test_looks_are_spread_over_a_fifth_of_the_time() -> None:
    first = next_look(TokenState.HEALTHY, now=NOON, wait_s=None, spread=0.0)
    last = next_look(TokenState.HEALTHY, now=NOON, wait_s=None, spread=1.0)

    assert last - first == timedelta(hours=6) / 5


def test_scope_names_are_found_in_words_of_zoom() -> None:
    text = (
        "Invalid access token, does not contain scopes:[user:read:user, user_zak:read]."
    )

    assert scopes_in(text) == ["user:read:user", "user_zak:read"]
