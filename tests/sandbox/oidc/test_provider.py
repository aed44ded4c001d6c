"""The simulated identity provider keeps to OpenID Connect, until a switch says no."""

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from dashboard.sandbox.serving import RunningSandbox
from tests.fixtures import identity_provider as simulated

REDIRECT = "https://app.example.com/back"
VERIFIER = "v" * 64
_digest = hashlib.sha256(VERIFIER.encode()).digest()
CHALLENGE = base64.urlsafe_b64encode(_digest).rstrip(b"=").decode()
ASKED = {
    "client_id": simulated.CLIENT_ID,
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": "openid",
    "state": "s",
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture(autouse=True)
def registered(sandbox: RunningSandbox) -> None:
    simulated.register(sandbox, REDIRECT)


def come_back(sandbox: RunningSandbox, sub: str = "idp-ada", **asked: str) -> str:
    address = f"{sandbox.oidc_url}/authorize?{urlencode({**ASKED, **asked})}"
    return simulated.query_of(simulated.decide(address, sub))["code"]


def exchange(sandbox: RunningSandbox, code: str, **over: str) -> httpx2.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        "client_id": simulated.CLIENT_ID,
        "client_secret": simulated.CLIENT_SECRET.get_secret_value(),
        **over,
    }
    return httpx2.post(f"{sandbox.oidc_url}/token", data=form)


def claims(sandbox: RunningSandbox, **asked: str) -> dict[str, Any]:
    token = exchange(sandbox, come_back(sandbox, **asked)).json()["id_token"]
    keys = KeySet.import_key_set(httpx2.get(f"{sandbox.oidc_url}/jwks").json())
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


def test_a_code_is_good_for_one_exchange(sandbox: RunningSandbox) -> None:
    code = come_back(sandbox)

    first, second = exchange(sandbox, code), exchange(sandbox, code)

    assert first.status_code == 200
    assert (second.status_code, second.json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"redirect_uri": f"{REDIRECT}/"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_an_exchange_that_does_not_fit_is_refused(
    sandbox: RunningSandbox, over: dict[str, str], error: str
) -> None:
    assert exchange(sandbox, come_back(sandbox), **over).json() == {"error": error}


def test_a_code_expires(sandbox: RunningSandbox) -> None:
    code = come_back(sandbox)
    sandbox.clock.set(sandbox.clock.now() + timedelta(minutes=1))

    assert exchange(sandbox, code).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "x"},
        {"redirect_uri": "https://evil.example.com"},
        {"response_type": "token"},
        {"scope": "email"},
        {"code_challenge_method": "plain"},
    ],
)
def test_an_authorize_request_that_does_not_fit_stays_there(
    sandbox: RunningSandbox, wrong: dict[str, str]
) -> None:
    answer = httpx2.get(f"{sandbox.oidc_url}/authorize", params={**ASKED, **wrong})

    assert answer.status_code == 400
    assert "Request refused" in answer.text


@pytest.mark.parametrize("again", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_sign_in_is_remembered_until_the_client_asks_for_another(
    sandbox: RunningSandbox, again: dict[str, str]
) -> None:
    first = claims(sandbox)["auth_time"]
    sandbox.clock.set(sandbox.clock.now() + timedelta(hours=1))

    assert claims(sandbox)["auth_time"] == first
    sandbox.oidc_world.switch(keeps_session=True)
    assert claims(sandbox, **again)["auth_time"] == first
    sandbox.oidc_world.switch(keeps_session=False)
    assert claims(sandbox, **again)["auth_time"] == first + 3600
    sandbox.oidc_world.switch(no_auth_time=True)
    assert "auth_time" not in claims(sandbox)


def test_its_pages_have_their_style_and_say_that_they_are_simulated(
    sandbox: RunningSandbox,
) -> None:
    for url, name in (
        (sandbox.oidc_url, "Simulated identity provider"),
        (f"{sandbox.zoom_url}/marketplace", "Simulated Zoom"),
    ):
        page = httpx2.get(f"{url}/", follow_redirects=True)
        origin = str(page.url).rpartition("/marketplace")[0] or url
        style = httpx2.get(f"{origin}/_static/sandbox.css")

        assert name in page.text
        assert "/_static/sandbox.css" in page.text
        assert (style.status_code, style.headers["Content-Type"][:8]) == (
            200,
            "text/css",
        )
