"""Codes become grants, grants are renewed and revoked; errors as everywhere."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.grants import GrantTokens, ZoomGrants
from dashboard.sandbox.faults import Fault, FaultKind
from tests.fixtures.vendors import (
    CLIENT_SECRET,
    HOST,
    REDIRECT,
    VERIFIER,
    Stage,
    answering,
    everything_in,
    http_to,
    refusal_of,
)

REFRESH = SecretStr("test-refresh-token-0001")
ACCESS = SecretStr("test-access-token-0001")
TOKENS = {
    "access_token": "test-access-token-0002",
    "refresh_token": "test-refresh-token-0002",
    "expires_in": 3599,
}


@pytest.fixture
def grants(stage: Stage) -> Iterator[ZoomGrants]:
    with make_http(stage.sandbox.zoom_url) as http:
        yield ZoomGrants(stage.sandbox.zoom_url, http=http)


def exchanged(grants: ZoomGrants, stage: Stage, **over: object) -> GrantTokens:
    values = {
        "client_id": stage.client_id,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **over,
    }
    if "code" not in values:
        values["code"] = stage.a_code(stage.a_user())
    return grants.exchange(**values)  # type: ignore[arg-type]


def refreshed(
    grants: ZoomGrants,
    stage: Stage,
    token: SecretStr = REFRESH,
    secret: SecretStr = CLIENT_SECRET,
) -> GrantTokens:
    return grants.refresh(
        client_id=stage.client_id, client_secret=secret, refresh_token=token
    )


def revoked(grants: ZoomGrants, stage: Stage, token: SecretStr = ACCESS) -> None:
    grants.revoke(
        client_id=stage.client_id, client_secret=CLIENT_SECRET, access_token=token
    )


def answered(body: object, status: int = 200) -> ZoomGrants:
    return ZoomGrants(HOST, http=http_to(answering(status, body)))


def test_a_code_becomes_a_pair_that_works_once_each(
    stage: Stage, grants: ZoomGrants
) -> None:
    first = exchanged(grants, stage)
    second = refreshed(grants, stage, first.refresh_token)

    assert first.expires_in == 3600
    assert "user:read:user" in first.scope.split()
    assert first.scope.split() == sorted(first.scope.split())
    assert second.refresh_token != first.refresh_token
    dead = refusal_of(lambda: refreshed(grants, stage, first.refresh_token))
    assert dead.code == "invalid_grant"
    assert refreshed(grants, stage, second.refresh_token).access_token


def test_a_code_needs_the_verifier_of_its_link(
    stage: Stage, grants: ZoomGrants
) -> None:
    other = SecretStr("another-code-verifier-0001-which-is-long-enough")

    error = refusal_of(lambda: exchanged(grants, stage, code_verifier=other))

    assert error.code == "invalid_grant"


def test_a_revoked_grant_is_dead(stage: Stage, grants: ZoomGrants) -> None:
    tokens = exchanged(grants, stage)

    revoked(grants, stage, tokens.access_token)

    error = refusal_of(lambda: refreshed(grants, stage, tokens.refresh_token))
    assert error.code == "invalid_grant"


@pytest.mark.parametrize("secret", ["another-secret-0001", "sécret", "зоом\n"])
def test_a_wrong_pair_is_the_admins(
    stage: Stage, grants: ZoomGrants, secret: str
) -> None:
    error = refusal_of(lambda: refreshed(grants, stage, secret=SecretStr(secret)))

    assert error.code == "invalid_client"
    assert not error.may_have_happened


@pytest.mark.parametrize(
    ("kind", "may_be_spent"),
    [
        (FaultKind.DOWN, True),
        (FaultKind.UNAVAILABLE, True),
        (FaultKind.LOST_ANSWER, True),
        (FaultKind.HALF_ANSWER, True),
        (FaultKind.NONSENSE, True),
        (FaultKind.EMPTY, True),
        (FaultKind.PAGE, True),
        (FaultKind.RATE_LIMITED, False),
        (FaultKind.HTML_403, False),
    ],
)
def test_a_zoom_in_trouble_calls_no_grant_dead(
    stage: Stage,
    grants: ZoomGrants,
    kind: FaultKind,
    may_be_spent: bool,  # noqa: FBT001 - a column of the table
) -> None:
    tokens = exchanged(grants, stage)
    stage.sandbox.zoom_faults.set([Fault(kind=kind)])

    error = refusal_of(lambda: refreshed(grants, stage, tokens.refresh_token))

    assert error.code not in {"invalid_grant", "invalid_client"}
    assert error.may_have_happened is may_be_spent


@pytest.mark.parametrize(
    "change",
    [
        {"refresh_token": ""},
        {"access_token": None},
        {"expires_in": 0},
        {"expires_in": "soon"},
    ],
    ids=str,
)
def test_a_pair_that_lacks_something_is_none(
    stage: Stage, change: dict[str, object]
) -> None:
    error = refusal_of(lambda: refreshed(answered({**TOKENS, **change}), stage))

    assert error.may_have_happened


def test_scopes_that_zoom_does_not_tell_are_no_error(stage: Stage) -> None:
    assert refreshed(answered({**TOKENS, "scope": None}), stage).scope == ""


@pytest.mark.parametrize("call", ["exchange", "refresh", "revoke"])
def test_no_error_holds_a_secret(stage: Stage, call: str) -> None:
    code = SecretStr("test-code-0001")
    secrets = [CLIENT_SECRET, REFRESH, ACCESS, VERIFIER, code]
    said = " ".join(secret.get_secret_value() for secret in secrets)
    echo = answered({"reason": said, "error": "invalid_request"}, 400)
    calls: dict[str, tuple[Callable[[], object], list[SecretStr]]] = {
        "exchange": (lambda: exchanged(echo, stage, code=code), [code, VERIFIER]),
        "refresh": (lambda: refreshed(echo, stage), [REFRESH]),
        "revoke": (lambda: revoked(echo, stage), [ACCESS]),
    }
    ask, sent = calls[call]

    shown = everything_in(refusal_of(ask))

    for secret in [*sent, CLIENT_SECRET]:
        assert secret.get_secret_value() not in shown


def test_tokens_do_not_show_when_printed(stage: Stage, grants: ZoomGrants) -> None:
    tokens = exchanged(grants, stage)

    assert tokens.access_token.get_secret_value() not in repr(tokens)
    assert tokens.refresh_token.get_secret_value() not in f"{tokens}"
