"""The identity provider's answers: believed only when everything fits."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from dashboard.clients.http.client import make_http
from dashboard.clients.oidc.provider import (
    Identity,
    IdentityProvider,
    SignInAttempt,
    SingleSignOnError,
    claim_values,
)
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from tests.fixtures import identity_provider as simulated
from tests.makers import NOON

REDIRECT = "https://dashboard.example.com/sign-in/sso/callback"
ATTEMPT = SignInAttempt(
    state="state-1", nonce="nonce-1", verifier="v" * 64, redirect_uri=REDIRECT
)


class Monotonic:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def provider(
    sandbox: RunningSandbox, monotonic: Monotonic
) -> Iterator[IdentityProvider]:
    simulated.register(sandbox, REDIRECT)
    made = IdentityProvider(
        issuer=sandbox.oidc_url,
        client_id=simulated.CLIENT_ID,
        client_secret=simulated.CLIENT_SECRET,
        role_claim="groups",
        http=make_http(sandbox.oidc_url, timeout_s=2),
        monotonic=monotonic,
    )
    yield made
    made.close()


def go(
    provider: IdentityProvider,
    *,
    sub: str = "idp-ada",
    attempt: SignInAttempt = ATTEMPT,
    later: timedelta = timedelta(0),
    decision: str = "allow",
) -> Identity:
    back = simulated.decide(provider.address(ATTEMPT), sub, decision=decision)
    return provider.identify(attempt, simulated.query_of(back), now=NOON + later)


def test_a_person_is_identified(provider: IdentityProvider) -> None:
    found = go(provider)

    assert (found.subject, found.email) == ("idp-ada", "ada@example.com")
    assert found.is_email_verified
    assert claim_values(found.claims, "groups") == ["zoom-admins", "everyone"]


def test_the_browser_is_sent_with_pkce_a_nonce_and_the_scope_of_the_role_claim(
    provider: IdentityProvider,
) -> None:
    asked = simulated.query_of(provider.address(ATTEMPT))

    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] != ATTEMPT.verifier
    assert (asked["nonce"], asked["state"]) == ("nonce-1", "state-1")
    assert asked["scope"] == "openid email profile groups"
    assert "prompt" not in asked
    again = simulated.query_of(provider.address(ATTEMPT, again=True))
    assert (again["prompt"], again["max_age"]) == ("login", "0")


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ("wrong_nonce", "nonce"),
        ("no_nonce", "nonce"),
        ("wrong_issuer", "iss"),
        ("wrong_audience", "aud"),
        ("two_audiences", "azp"),
        ("expired", "expired"),
        ("issued_ahead", "clock"),
        ("unsigned", "alg"),
        ("signed_with_secret", "alg"),
        ("unknown_kid", "kid"),
        ("wrong_key", "bad_signature"),
        ("wrong_sender", "issuer"),
    ],
)
def test_what_does_not_fit_signs_nobody_in_and_is_one_sentence(
    provider: IdentityProvider, sandbox: RunningSandbox, wrong: str, cause: str
) -> None:
    sandbox.oidc_world.switch(**{wrong: True})

    with capture_logs() as logs, pytest.raises(SingleSignOnError) as raised:
        go(provider)

    assert raised.value.cause == cause
    assert not raised.value.is_outage
    assert 1 <= str(raised.value).count(". ") + 1 <= 2
    assert raised.value.__context__ is None
    assert "eyJ" not in f"{logs}{raised.value}"


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        (timedelta(minutes=11), None),
        (timedelta(minutes=13), "expired"),
        (timedelta(minutes=-1), None),
        (timedelta(minutes=-3), "clock"),
    ],
    ids=["late", "too late", "early", "too early"],
)
def test_clocks_may_differ_by_two_minutes(
    provider: IdentityProvider, later: timedelta, cause: str | None
) -> None:
    if cause is None:
        assert go(provider, later=later).subject == "idp-ada"
        return
    with pytest.raises(SingleSignOnError) as raised:
        go(provider, later=later)
    assert raised.value.cause == cause


def test_a_code_works_once(provider: IdentityProvider) -> None:
    answer = simulated.query_of(simulated.decide(provider.address(ATTEMPT), "idp-ada"))
    provider.identify(ATTEMPT, answer, now=NOON)

    with pytest.raises(SingleSignOnError) as raised:
        provider.identify(ATTEMPT, answer, now=NOON)

    assert raised.value.cause == "code"


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"verifier": "w" * 64}, "code"),
        ({"redirect_uri": "https://evil.example.com/"}, "code"),
        ({"nonce": "nonce-2"}, "nonce"),
    ],
    ids=["verifier", "redirect", "nonce"],
)
def test_an_answer_belongs_to_one_attempt(
    provider: IdentityProvider, changed: dict[str, str], cause: str
) -> None:
    other = replace(ATTEMPT, **changed)

    with pytest.raises(SingleSignOnError) as raised:
        go(provider, attempt=other)

    assert raised.value.cause == cause


def test_a_wrong_client_secret_is_the_admins_to_correct(
    provider: IdentityProvider, sandbox: RunningSandbox
) -> None:
    sandbox.oidc_world.add_client(
        client_id=simulated.CLIENT_ID,
        client_secret="another-secret",
        redirect_uris=[REDIRECT],
    )

    with capture_logs() as logs, pytest.raises(SingleSignOnError) as raised:
        go(provider)

    assert raised.value.cause == "client"
    assert "DASHBOARD_OIDC_CLIENT_SECRET" in str(raised.value)
    secret = simulated.CLIENT_SECRET.get_secret_value()
    assert secret not in f"{logs}{raised.value}"


@pytest.mark.parametrize(
    ("error", "cause", "is_outage"),
    [
        ("access_denied", "access_denied", False),
        ("login_required", "login_required", False),
        ("temporarily_unavailable", "unreachable", True),
        ("server_error", "unreachable", True),
        ("invalid_scope", "refused", False),
        ("<script>", "refused", False),
    ],
)
def test_an_error_that_the_browser_brings_is_one_sentence_of_ours(
    provider: IdentityProvider,
    sandbox: RunningSandbox,
    error: str,
    cause: str,
    is_outage: bool,  # noqa: FBT001 - a case's value
) -> None:
    answer = {
        "error": error,
        "error_description": "words of a stranger",
        "state": "state-1",
        "iss": sandbox.oidc_url,
    }

    with pytest.raises(SingleSignOnError) as raised:
        provider.identify(ATTEMPT, answer, now=NOON)

    assert (raised.value.cause, raised.value.is_outage) == (cause, is_outage)
    assert "stranger" not in str(raised.value)
    assert "<" not in str(raised.value)


@pytest.mark.parametrize("sender", [None, "https://other.example.com"])
def test_an_answer_names_the_provider_that_sent_it(
    provider: IdentityProvider, sender: str | None
) -> None:
    answer = {"code": "x", "state": "state-1"} | ({"iss": sender} if sender else {})

    with pytest.raises(SingleSignOnError) as raised:
        provider.identify(ATTEMPT, answer, now=NOON)

    assert raised.value.cause == "issuer"


def test_groups_and_email_may_come_by_userinfo(
    provider: IdentityProvider, sandbox: RunningSandbox
) -> None:
    sandbox.oidc_world.switch(groups_in_userinfo=True)

    found = go(provider)

    assert found.email == "ada@example.com"
    assert claim_values(found.claims, "groups") == ["zoom-admins", "everyone"]
    sandbox.oidc_world.switch(wrong_subject_in_userinfo=True)
    with pytest.raises(SingleSignOnError) as raised:
        go(provider)
    assert raised.value.cause == "userinfo"


def test_a_new_key_is_asked_for_once_a_minute(
    provider: IdentityProvider, sandbox: RunningSandbox, monotonic: Monotonic
) -> None:
    go(provider)
    sandbox.oidc_world.rotate_keys()

    with pytest.raises(SingleSignOnError) as too_soon:
        go(provider)
    monotonic.s += 60
    found = go(provider)

    assert too_soon.value.cause == "kid"
    assert found.subject == "idp-ada"


def test_a_key_that_is_withdrawn_is_no_longer_believed_after_an_hour(
    provider: IdentityProvider, sandbox: RunningSandbox, monotonic: Monotonic
) -> None:
    go(provider)
    sandbox.oidc_world.switch(unknown_kid=True)
    monotonic.s += 3600

    with pytest.raises(SingleSignOnError) as raised:
        go(provider)

    assert raised.value.cause == "kid"


def test_addresses_and_keys_are_asked_for_once_an_hour(
    provider: IdentityProvider, sandbox: RunningSandbox, monotonic: Monotonic
) -> None:
    go(provider)
    down = [
        Fault(kind=FaultKind.DOWN, path="/.well-known/"),
        Fault(kind=FaultKind.DOWN, path="/jwks"),
    ]
    sandbox.oidc_faults.set(down)

    go(provider)
    monotonic.s += 23 * 3600  # still those of before, while the provider is down
    go(provider)
    monotonic.s += 3600 + 5
    with pytest.raises(SingleSignOnError) as raised:
        go(provider)

    assert raised.value.is_outage


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.DOWN,
        FaultKind.SERVER_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.NONSENSE,
        FaultKind.EMPTY,
        FaultKind.PAGE,
        FaultKind.HALF_ANSWER,
        FaultKind.HTML_403,
        FaultKind.RATE_LIMITED_BARE,
    ],
)
@pytest.mark.parametrize("path", ["/.well-known/", "/jwks", "/token"])
def test_a_provider_that_is_down_is_one_sentence(
    provider: IdentityProvider, sandbox: RunningSandbox, kind: FaultKind, path: str
) -> None:
    sandbox.oidc_faults.set([Fault(kind=kind, path=path)])

    with pytest.raises(SingleSignOnError) as raised:
        go(provider)

    assert raised.value.is_outage
    assert "Recall" not in str(raised.value)
    assert "Zoom" not in str(raised.value)


def test_a_slow_provider_is_not_waited_for(
    provider: IdentityProvider, sandbox: RunningSandbox
) -> None:
    slow = Fault(kind=FaultKind.SLOW, path="/.well-known/", seconds=4)
    sandbox.oidc_faults.set([slow])

    with pytest.raises(SingleSignOnError) as raised:
        provider.address(ATTEMPT)

    assert raised.value.is_outage


def test_a_provider_that_is_down_is_not_asked_for_each_person(
    monotonic: Monotonic,
) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(500)

    provider = IdentityProvider(
        issuer="https://idp.example.com",
        client_id="x",
        client_secret=SecretStr("x"),
        http=make_http(
            "https://idp.example.com", transport=httpx2.MockTransport(answer)
        ),
        monotonic=monotonic,
    )
    for _ in range(3):
        with pytest.raises(SingleSignOnError):
            provider.address(ATTEMPT)
    first = len(asked)
    monotonic.s += 5
    with pytest.raises(SingleSignOnError):
        provider.address(ATTEMPT)

    assert (first, len(asked)) == (1, 2)
    provider.close()


def test_a_provider_of_another_name_is_not_used(
    provider: IdentityProvider, sandbox: RunningSandbox
) -> None:
    sandbox.oidc_world.switch(other_discovered_issuer=True)

    with pytest.raises(SingleSignOnError) as raised:
        provider.address(ATTEMPT)

    assert "DASHBOARD_OIDC_ISSUER" in str(raised.value)


def test_addresses_without_https_are_not_used() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        found = {
            "issuer": "https://idp.example.com",
            "authorization_endpoint": "https://idp.example.com/a",
            "token_endpoint": "http://idp.example.com/t",
            "jwks_uri": "https://idp.example.com/j",
        }
        return httpx2.Response(200, json=found)

    provider = IdentityProvider(
        issuer="https://idp.example.com",
        client_id="x",
        client_secret=SecretStr("x"),
        http=make_http(
            "https://idp.example.com", transport=httpx2.MockTransport(answer)
        ),
    )
    with pytest.raises(SingleSignOnError) as raised:
        provider.address(ATTEMPT)

    assert raised.value.cause == "metadata"
    provider.close()


@pytest.mark.parametrize(
    ("claims", "name", "values"),
    [
        ({"groups": ["a", "b"]}, "groups", ["a", "b"]),
        ({"hd": "example.com"}, "hd", ["example.com"]),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", ["a"]),
        ({"groups": [1, None, "", {"a": 1}, "b"]}, "groups", ["b"]),
        ({"groups": True}, "groups", []),
        ({"a": "b"}, "a.b.c", []),
        ({}, "groups", []),
    ],
)
def test_values_of_a_claim(
    claims: dict[str, object], name: str, values: list[str]
) -> None:
    assert claim_values(claims, name) == values
