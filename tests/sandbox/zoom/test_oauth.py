"""OAuth of the simulated Zoom (docs/contracts/zoom.md 2 and 3)."""

import base64
import json
from typing import Any

import pytest
from bs4 import BeautifulSoup
from werkzeug.test import TestResponse

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from tests.fixtures.simulated_zoom import (
    CALLBACK,
    a_code,
    a_user,
    a_world,
    an_app,
    pair,
    query,
    tokens,
    web,
)

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
BASE_URL = {"allow_list": ["https://x.example.com"]}
STRICT = {**BASE_URL, "strict_mode": True}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
INVALID_TOKEN = {"error": "invalid_grant", "reason": "Invalid Token!"}


def ask(world: ZoomWorld, client_id: str, **params: str) -> TestResponse:
    asked = {"response_type": "code", "client_id": client_id, **params}
    return web(world).get("/oauth/authorize", query_string=asked)


def decide(world: ZoomWorld, app: ZoomApp, user: ZoomUser, **form: Any) -> TestResponse:
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "state": "s1",
        "decision": "allow",
        "user_id": user.id,
    }
    return web(world).post("/oauth/authorize", data={**asked, **form})


def post_token(world: ZoomWorld, app: ZoomApp, **form: str) -> TestResponse:
    return web(world).post("/oauth/token", data=form, auth=pair(app))


def exchange(world: ZoomWorld, app: ZoomApp, code: str, **extra: str) -> TestResponse:
    form = {"code": code, "redirect_uri": CALLBACK, **extra}
    return post_token(world, app, grant_type="authorization_code", **form)


def refresh(world: ZoomWorld, app: ZoomApp, token: str) -> TestResponse:
    return post_token(world, app, grant_type="refresh_token", refresh_token=token)


def me(world: ZoomWorld, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return web(world).get("/v2/users/me", headers=headers).status_code


@pytest.mark.parametrize(
    ("uri", "fields"),
    [
        pytest.param("https://dash.example.com/other", {}, id="not-registered"),
        pytest.param(CALLBACK.upper(), {}, id="other-letter-case"),
        pytest.param(CALLBACK + "/", {}, id="trailing-slash"),
        pytest.param("", {}, id="none"),
        pytest.param("https://[", {}, id="no-url"),
        pytest.param("https://x.example.com/deep/cb", STRICT, id="strict-mode"),
        pytest.param("https://x.example.com.evil.org/", BASE_URL, id="longer-host"),
    ],
)
def test_an_unknown_redirect_uri_is_refused_with_4700(
    world: ZoomWorld, uri: str, fields: dict[str, object]
) -> None:
    answer = ask(world, an_app(world, **fields).client_id, redirect_uri=uri)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "status": False,
        "errorCode": 4700,
        "errorMessage": "Invalid redirect url",
        "result": None,
    }


def test_a_base_url_covers_paths_without_strict_mode(world: ZoomWorld) -> None:
    app = an_app(world, **BASE_URL)

    answer = ask(world, app.client_id, redirect_uri="https://x.example.com/deep/cb")

    assert answer.status_code == 200


def test_browsers_get_the_4700_as_a_page_with_status_200(
    world: ZoomWorld, app: ZoomApp
) -> None:
    asked = {"client_id": app.client_id, "redirect_uri": "https://evil.example.com/"}

    answer = web(world).get("/oauth/authorize", query_string=asked, headers=BROWSER)

    assert answer.status_code == 200
    assert "Invalid redirect: https://evil.example.com/ (4,700)" in answer.text


@pytest.mark.parametrize(("allow_local", "status"), [(False, 400), (True, 200)])
def test_a_registered_localhost_needs_allow_local(
    *, allow_local: bool, status: int
) -> None:
    world = a_world(allow_local=allow_local)
    app = an_app(world)
    app.redirect_url = "http://localhost:8000/cb"

    answer = ask(world, app.client_id, redirect_uri=app.redirect_url)

    assert answer.status_code == status


def test_an_unknown_client_is_refused_with_4702(world: ZoomWorld) -> None:
    answer = ask(world, "nobody", redirect_uri=CALLBACK)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "status": False,
        "errorCode": 4702,
        "errorMessage": "Invalid client_id: nobody",
        "result": None,
    }


def test_the_page_shows_app_scopes_and_users(world: ZoomWorld, user: ZoomUser) -> None:
    app = an_app(world, name="Recorder")

    page = BeautifulSoup(
        ask(world, app.client_id, redirect_uri=CALLBACK).text, "html.parser"
    )

    assert "Recorder" in page.select_one("h1").text  # type: ignore[union-attr]
    assert [option["value"] for option in page.select("#user_id option")] == [user.id]
    ticks = [box["value"] for box in page.select("input[name=scopes]")]
    assert ticks == app.scopes
    assert [b.text for b in page.select("button")] == ["Allow", "Decline"]


def test_allowing_sends_code_and_state_back(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    answer = decide(world, app, user)

    assert answer.status_code == 302
    assert answer.location.startswith(CALLBACK + "?")
    back = query(answer.location)
    assert back["state"] == "s1"
    assert 32 <= len(back["code"]) <= 64


def test_declining_sends_access_denied_and_state_back(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    answer = decide(world, app, user, decision="decline")

    assert query(answer.location) == {"error": "access_denied", "state": "s1"}


def test_declining_in_silence_leaves_the_browser_with_zoom(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    world.switch(decline="silence")

    answer = decide(world, app, user, decision="decline")

    assert answer.status_code == 200
    assert "Declined" in answer.text


@pytest.mark.parametrize(
    ("app_fields", "user_fields", "switches", "words"),
    [
        pytest.param({}, {"account_id": "x"}, {}, "not published", id="other-account"),
        pytest.param({"kind": "account_level"}, {}, {}, "Only an admin", id="no-admin"),
        pytest.param({}, {}, {"pre_approval": True}, "pre-approval", id="pre-approval"),
    ],
)
def test_a_user_who_may_not_add_the_app_sees_why(
    app_fields: dict[str, object],
    user_fields: dict[str, object],
    switches: dict[str, object],
    words: str,
) -> None:
    world = a_world()
    world.switch(**switches)

    answer = decide(world, an_app(world, **app_fields), a_user(world, **user_fields))

    assert answer.status_code == 200
    assert words in answer.text
    assert not world.state.codes


def test_a_published_app_may_be_added_from_any_account(world: ZoomWorld) -> None:
    app, user = an_app(world, published=True), a_user(world, account_id="other")

    assert decide(world, app, user).status_code == 302


@pytest.mark.parametrize(
    ("selected", "withheld"),
    [(["user:read:user"], {"meeting:read:meeting"}), ([], {"user:read:user"})],
)
def test_only_optional_scopes_can_be_deselected(
    world: ZoomWorld, user: ZoomUser, selected: list[str], withheld: set[str]
) -> None:
    app = an_app(world, optional_scopes=["user:read:user", *withheld])

    back = decide(world, app, user, scopes=selected)

    code = world.state.codes[query(back.location)["code"]]
    assert set(app.scopes) - set(code.scopes) == withheld


def test_adding_from_the_marketplace_brings_a_code_without_state(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    form = {"user_id": user.id}

    back = web(world).post(f"/marketplace/apps/{app.client_id}/install", data=form)

    assert back.location.startswith(CALLBACK)
    assert set(query(back.location)) == {"code"}


def test_adding_from_the_marketplace_needs_a_redirect_url(
    world: ZoomWorld, user: ZoomUser
) -> None:
    app = an_app(world, redirect_url=None)

    with pytest.raises(RefusedError, match="no OAuth Redirect URL"):
        world.install(app.client_id, user.id)


def test_a_code_brings_tokens_of_the_documented_shape(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    answer = exchange(world, app, a_code(world, app, user)).get_json()

    scopes = answer.pop("scope").split(" ")
    assert scopes == app.scopes
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)
    others = {"access_token", "refresh_token", "api_url"}
    assert set(answer) == {"token_type", "expires_in", *others}


def test_access_tokens_are_jwts_with_app_user_and_expiry(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    part = tokens(world, app, user)["access_token"].split(".")[1]

    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert claims["iss"] == f"zm:cid:{app.client_id}"
    assert (claims["uid"], claims["aid"]) == (user.id, user.account_id)
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("wrong", ["client_id", "client_secret"])
def test_wrong_credentials_are_400_without_saying_which_half(
    world: ZoomWorld, app: ZoomApp, wrong: str
) -> None:
    other = app.model_copy(update={wrong: "test-wrong"})

    answer = post_token(world, other, grant_type="client_credentials")

    assert answer.status_code == 400
    assert answer.get_json() == {
        "error": "invalid_client",
        "reason": "Invalid client_id or client_secret",
    }


OFF = "The app has been disabled by the developer"


@pytest.mark.parametrize(
    ("activation", "status", "body"),
    [
        ("disabled", 400, {"error": "invalid_client", "reason": OFF}),
        ("disabled_bare", 400, {"reason": OFF}),
        ("unauthorized", 401, {"error": "unauthorized_client"}),
        (
            "odd",
            400,
            {"error": "invalid_client", "reason": "This is not possible at present"},
        ),
    ],
)
def test_an_app_that_is_switched_off_gets_no_token_in_any_form_of_the_answer(
    world: ZoomWorld, app: ZoomApp, activation: str, status: int, body: dict[str, str]
) -> None:
    world.switch(app_activation=activation)
    off = post_token(world, app, grant_type="client_credentials")
    world.switch(app_activation="on")
    on = post_token(world, app, grant_type="client_credentials")

    found = {name: value for name, value in off.get_json().items() if value}
    assert (off.status_code, found) == (status, body)
    assert on.status_code == 200


def test_credentials_may_be_sent_in_the_form(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    form = {
        "grant_type": "authorization_code",
        "code": a_code(world, app, user),
        "redirect_uri": CALLBACK,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
    }

    assert web(world).post("/oauth/token", data=form).status_code == 200


def test_a_code_works_once(world: ZoomWorld, app: ZoomApp, user: ZoomUser) -> None:
    code = a_code(world, app, user)
    exchange(world, app, code)

    again = exchange(world, app, code)

    assert again.status_code == 400
    reason = "Invalid authorization code"
    assert again.get_json() == {"error": "invalid_grant", "reason": reason}


@pytest.mark.parametrize(("age_s", "status"), [(299, 200), (301, 400)])
def test_a_code_expires_after_five_minutes(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser, age_s: int, status: int
) -> None:
    code = a_code(world, app, user)
    world.state.clock.advance(age_s)

    assert exchange(world, app, code).status_code == status


def test_a_code_belongs_to_its_app(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    answer = exchange(world, an_app(world), a_code(world, app, user))

    assert answer.get_json()["error"] == "invalid_grant"


def test_another_redirect_uri_is_a_mismatch(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    answer = exchange(world, app, a_code(world, app, user), redirect_uri="https://x/")

    assert answer.status_code == 400
    assert answer.get_json()["reason"] == "Redirect URI mismatch."


@pytest.mark.parametrize(
    ("asked", "sent", "status"),
    [
        pytest.param({"code_challenge_method": "S256"}, VERIFIER, 200, id="right"),
        pytest.param({"code_challenge_method": "S256"}, "x" * 43, 400, id="wrong"),
        pytest.param({"code_challenge_method": "S256"}, "", 400, id="missing"),
        pytest.param({}, VERIFIER, 400, id="method-left-out-means-plain"),
        pytest.param({}, CHALLENGE, 200, id="plain"),
    ],
)
def test_pkce_is_verified(
    world: ZoomWorld, user: ZoomUser, asked: dict[str, str], sent: str, status: int
) -> None:
    app = an_app(world)
    code = a_code(world, app, user, code_challenge=CHALLENGE, **asked)
    extra = {"code_verifier": sent} if sent else {}

    assert exchange(world, app, code, **extra).status_code == status


@pytest.mark.parametrize(("strict", "status"), [(True, 400), (False, 200)])
@pytest.mark.parametrize("in_query", [["redirect_uri"], ["code", "redirect_uri"]])
def test_parameters_in_the_query_string_are_refused(
    world: ZoomWorld, user: ZoomUser, in_query: list[str], *, strict: bool, status: int
) -> None:
    world.switch(strict_form=strict)
    app = an_app(world)
    form = {"code": a_code(world, app, user), "redirect_uri": CALLBACK}

    answer = web(world).post(
        "/oauth/token",
        query_string={name: form[name] for name in in_query},
        data={"grant_type": "authorization_code", **form},
        auth=pair(app),
    )

    assert answer.status_code == status


def test_an_unknown_grant_type_is_refused(world: ZoomWorld, app: ZoomApp) -> None:
    answer = post_token(world, app, grant_type="password")

    assert answer.status_code == 400
    assert set(answer.get_json()) == {"reason", "error"}


def test_client_credentials_bring_no_refresh_token(
    world: ZoomWorld, app: ZoomApp
) -> None:
    answer = post_token(world, app, grant_type="client_credentials")

    assert answer.status_code == 200
    assert "refresh_token" not in answer.get_json()


def test_a_refresh_ends_the_refresh_token_it_used(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    first = tokens(world, app, user)["refresh_token"]

    second = refresh(world, app, first).get_json()["refresh_token"]

    assert second != first
    again = refresh(world, app, first)
    assert (again.status_code, again.get_json()) == (400, INVALID_TOKEN)
    assert refresh(world, app, second).status_code == 200


def test_a_refresh_token_expires_after_ninety_days(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    token = tokens(world, app, user)["refresh_token"]
    world.state.clock.advance(91 * 86400)

    assert refresh(world, app, token).get_json() == INVALID_TOKEN


def test_authorizing_again_ends_the_earlier_grant(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    first = tokens(world, app, user)

    second = tokens(world, app, user)

    assert refresh(world, app, first["refresh_token"]).status_code == 400
    assert me(world, first["access_token"]) == 401
    assert me(world, second["access_token"]) == 200


def test_another_users_grant_stays_active(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    first = tokens(world, app, user)

    tokens(world, app, a_user(world, email="ben@example.com"))

    assert me(world, first["access_token"]) == 200


def test_revoking_ends_both_tokens(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser
) -> None:
    got = tokens(world, app, user)
    form = {"token": got["access_token"]}

    answer = web(world).post("/oauth/revoke", data=form, auth=pair(app))

    assert (answer.status_code, answer.get_json()) == (200, {"status": "success"})
    assert me(world, got["access_token"]) == 401
    assert refresh(world, app, got["refresh_token"]).status_code == 400


@pytest.mark.parametrize("way", ["bearer", "form"])
def test_revoking_takes_basic_credentials_only(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser, way: str
) -> None:
    token = tokens(world, app, user)["access_token"]
    headers = {"Authorization": f"Bearer {token}"} if way == "bearer" else {}
    form = {"client_id": app.client_id, "client_secret": app.client_secret}

    answer = web(world).post(
        "/oauth/revoke",
        data={"token": token, **(form if way == "form" else {})},
        headers=headers,
    )

    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_client"


@pytest.mark.parametrize("event", ["uninstall", "deactivate"])
def test_tokens_of_a_user_who_left_are_refused(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser, event: str
) -> None:
    got = tokens(world, app, user)

    if event == "uninstall":
        world.uninstall(app.client_id, user.id)
    else:
        world.deactivate_user(user.id)

    assert refresh(world, app, got["refresh_token"]).get_json() == INVALID_TOKEN
    assert me(world, got["access_token"]) == 401
