"""The token endpoint of the simulated Zoom (docs/contracts/zoom.md 3)."""

import base64
import json

import pytest
from werkzeug.test import TestResponse

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomApp
from tests.fixtures.simulated_zoom import (
    CALLBACK,
    a_code,
    a_user,
    a_world,
    an_app,
    pair,
    tokens,
    web,
)

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def exchange(world: ZoomWorld, app: ZoomApp, code: str, **extra: str) -> TestResponse:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        **extra,
    }
    return web(world).post("/oauth/token", data=form, auth=pair(app))


def test_a_code_brings_tokens_of_the_documented_shape() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)

    answer = exchange(world, app, a_code(world, app, user)).get_json()

    assert set(answer) == {
        "access_token",
        "token_type",
        "refresh_token",
        "expires_in",
        "scope",
        "api_url",
    }
    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 3600
    assert answer["scope"].split(" ") == app.scopes


def test_access_tokens_are_jwts_that_name_app_user_and_end() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)

    part = tokens(world, app, user)["access_token"].split(".")[1]

    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert claims["iss"] == f"zm:cid:{app.client_id}"
    assert (claims["uid"], claims["aid"]) == (user.id, user.account_id)
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("wrong", [("nobody", None), (None, "test-wrong-secret")])
def test_a_wrong_pair_is_400_and_does_not_tell_which_half(
    wrong: tuple[str | None, str | None],
) -> None:
    world = a_world()
    app = an_app(world)
    auth = wrong[0] or app.client_id, wrong[1] or app.client_secret
    form = {"grant_type": "client_credentials"}

    answer = web(world).post("/oauth/token", data=form, auth=auth)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "error": "invalid_client",
        "reason": "Invalid client_id or client_secret",
    }


def test_credentials_may_come_in_the_form() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    form = {
        "grant_type": "authorization_code",
        "code": a_code(world, app, user),
        "redirect_uri": CALLBACK,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
    }

    assert web(world).post("/oauth/token", data=form).status_code == 200


def test_a_code_works_once() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    code = a_code(world, app, user)
    exchange(world, app, code)

    again = exchange(world, app, code)

    assert again.status_code == 400
    assert again.get_json() == {
        "error": "invalid_grant",
        "reason": "Invalid authorization code",
    }


@pytest.mark.parametrize(("age_s", "status"), [(299, 200), (301, 400)])
def test_a_code_lives_five_minutes(age_s: int, status: int) -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    code = a_code(world, app, user)
    world.state.clock.advance(age_s)

    assert exchange(world, app, code).status_code == status


def test_a_code_belongs_to_its_app() -> None:
    world = a_world()
    app, other, user = an_app(world), an_app(world), a_user(world)

    answer = exchange(world, other, a_code(world, app, user))

    assert answer.get_json()["error"] == "invalid_grant"


def test_another_redirect_uri_is_a_mismatch() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)

    answer = exchange(world, app, a_code(world, app, user), redirect_uri="https://x/")

    assert answer.status_code == 400
    assert answer.get_json()["reason"] == "Redirect URI mismatch."


@pytest.mark.parametrize(
    ("asked", "verifier", "status"),
    [
        pytest.param({"code_challenge_method": "S256"}, VERIFIER, 200, id="right"),
        pytest.param({"code_challenge_method": "S256"}, "x" * 43, 400, id="wrong"),
        pytest.param({"code_challenge_method": "S256"}, None, 400, id="missing"),
        pytest.param({}, VERIFIER, 400, id="method-left-out-means-plain"),
        pytest.param({}, CHALLENGE, 200, id="plain"),
    ],
)
def test_pkce_is_proven(
    asked: dict[str, str], verifier: str | None, status: int
) -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    code = a_code(world, app, user, code_challenge=CHALLENGE, **asked)
    extra = {} if verifier is None else {"code_verifier": verifier}

    assert exchange(world, app, code, **extra).status_code == status


def test_parameters_in_the_query_string_are_refused() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    params = {
        "grant_type": "authorization_code",
        "code": a_code(world, app, user),
        "redirect_uri": CALLBACK,
    }

    answer = web(world).post("/oauth/token", query_string=params, auth=pair(app))

    assert answer.status_code == 400


@pytest.mark.parametrize(("strict", "status"), [(True, 400), (False, 200)])
def test_even_one_parameter_in_the_query_string_is_too_many(
    *, strict: bool, status: int
) -> None:
    world = a_world()
    world.switch(strict_form=strict)
    app, user = an_app(world), a_user(world)
    form = {
        "grant_type": "authorization_code",
        "code": a_code(world, app, user),
        "redirect_uri": CALLBACK,
    }

    answer = web(world).post(
        "/oauth/token",
        query_string={"redirect_uri": CALLBACK},
        data=form,
        auth=pair(app),
    )

    assert answer.status_code == status


def test_an_unknown_grant_type_is_refused() -> None:
    world = a_world()
    app = an_app(world)

    answer = web(world).post(
        "/oauth/token", data={"grant_type": "password"}, auth=pair(app)
    )

    assert answer.status_code == 400
    assert set(answer.get_json()) == {"reason", "error"}
