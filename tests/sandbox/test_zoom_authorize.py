"""The authorize page of the simulated Zoom (docs/contracts/zoom.md 2)."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from werkzeug.test import TestResponse

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.errors import RefusedError
from tests.fixtures.simulated_zoom import CALLBACK, a_user, a_world, an_app, query, web

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def ask(world: ZoomWorld, client_id: str, **params: str) -> TestResponse:
    asked = {"response_type": "code", "client_id": client_id, **params}
    return web(world).get("/oauth/authorize", query_string=asked)


def decide(world: ZoomWorld, client_id: str, **form: Any) -> TestResponse:
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "state": "s1",
        "decision": "allow",
    }
    return web(world).post("/oauth/authorize", data={**asked, **form})


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://dash.example.com/other", id="not-registered"),
        pytest.param(CALLBACK.upper(), id="other-letter-case"),
        pytest.param(CALLBACK + "/", id="trailing-slash"),
        pytest.param("", id="none"),
        pytest.param("https://[", id="no-url"),
    ],
)
def test_an_unknown_redirect_uri_is_refused_with_4700(uri: str) -> None:
    world = a_world()
    app = an_app(world)

    answer = ask(world, app.client_id, redirect_uri=uri)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "status": False,
        "errorCode": 4700,
        "errorMessage": "Invalid redirect url",
        "result": None,
    }


def test_browsers_get_the_4700_as_a_page_with_status_200() -> None:
    world = a_world()
    app = an_app(world)
    asked = {"client_id": app.client_id, "redirect_uri": "https://evil.example.com/"}

    answer = web(world).get("/oauth/authorize", query_string=asked, headers=BROWSER)

    assert answer.status_code == 200
    assert "Invalid redirect: https://evil.example.com/ (4,700)" in answer.text


def test_a_registered_localhost_is_refused_all_the_same() -> None:
    world = a_world()
    app = an_app(world)
    app.redirect_url = "http://localhost:8000/cb"

    answer = ask(world, app.client_id, redirect_uri=app.redirect_url)

    assert answer.get_json()["errorCode"] == 4700


def test_with_allow_local_a_registered_localhost_passes() -> None:
    world = a_world(allow_local=True)
    app = an_app(world, redirect_url="http://localhost:8000/cb")

    answer = ask(world, app.client_id, redirect_uri="http://localhost:8000/cb")

    assert answer.status_code == 200


def test_an_unknown_client_is_refused_with_4702() -> None:
    answer = ask(a_world(), "nobody", redirect_uri=CALLBACK)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "status": False,
        "errorCode": 4702,
        "errorMessage": "Invalid client_id: nobody",
        "result": None,
    }


@pytest.mark.parametrize(("strict", "status"), [(False, 200), (True, 400)])
def test_a_base_url_covers_paths_only_without_strict_mode(
    *, strict: bool, status: int
) -> None:
    world = a_world()
    app = an_app(world, allow_list=["https://x.example.com"], strict_mode=strict)

    answer = ask(world, app.client_id, redirect_uri="https://x.example.com/deep/cb")

    assert answer.status_code == status


def test_a_base_url_does_not_cover_a_longer_host() -> None:
    world = a_world()
    app = an_app(world, allow_list=["https://x.example.com"])

    answer = ask(world, app.client_id, redirect_uri="https://x.example.com.evil.org/")

    assert answer.status_code == 400


def test_the_page_tells_app_scopes_and_people() -> None:
    world = a_world()
    app, user = an_app(world, name="Recorder"), a_user(world)

    page = BeautifulSoup(
        ask(world, app.client_id, redirect_uri=CALLBACK).text, "html.parser"
    )

    assert "Recorder" in page.select_one("h1").text  # type: ignore[union-attr]
    assert [option["value"] for option in page.select("#user_id option")] == [user.id]
    ticks = [box["value"] for box in page.select("input[name=scopes]")]
    assert ticks == app.scopes
    assert [b.text for b in page.select("button")] == ["Allow", "Decline"]


def test_allowing_sends_code_and_state_back() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)

    answer = decide(world, app.client_id, user_id=user.id)

    assert answer.status_code == 302
    assert answer.location.startswith(CALLBACK + "?")
    back = query(answer.location)
    assert back["state"] == "s1"
    assert 32 <= len(back["code"]) <= 64


def test_declining_sends_access_denied_and_state_back() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)

    answer = decide(world, app.client_id, user_id=user.id, decision="decline")

    assert query(answer.location) == {"error": "access_denied", "state": "s1"}


def test_declining_in_silence_leaves_the_browser_with_zoom() -> None:
    world = a_world()
    world.switch(decline="silence")
    app, user = an_app(world), a_user(world)

    answer = decide(world, app.client_id, user_id=user.id, decision="decline")

    assert answer.status_code == 200
    assert "Declined" in answer.text


@pytest.mark.parametrize(
    ("app_fields", "user_fields", "words"),
    [
        pytest.param({}, {"account_id": "other"}, "not published", id="other-account"),
        pytest.param({"kind": "account_level"}, {}, "Only an admin", id="no-admin"),
    ],
)
def test_who_may_not_add_the_app_is_told_why(
    app_fields: dict[str, object], user_fields: dict[str, object], words: str
) -> None:
    world = a_world()
    app, user = an_app(world, **app_fields), a_user(world, **user_fields)

    answer = decide(world, app.client_id, user_id=user.id)

    assert answer.status_code == 200
    assert words in answer.text
    assert not world.state.codes


def test_a_published_app_may_be_added_from_any_account() -> None:
    world = a_world()
    app, user = an_app(world, published=True), a_user(world, account_id="other")

    assert decide(world, app.client_id, user_id=user.id).status_code == 302


def test_pre_approval_stops_everybody() -> None:
    world = a_world()
    world.switch(pre_approval=True)
    app, user = an_app(world), a_user(world)

    assert "pre-approval" in decide(world, app.client_id, user_id=user.id).text


def test_an_unticked_optional_scope_is_not_granted() -> None:
    world = a_world()
    app = an_app(world, optional_scopes=["user:read:user", "meeting:read:meeting"])
    user = a_user(world)

    back = decide(world, app.client_id, user_id=user.id, scopes=["user:read:user"])

    code = world.state.codes[query(back.location)["code"]]
    assert set(app.scopes) - set(code.scopes) == {"meeting:read:meeting"}


def test_a_scope_that_is_not_optional_cannot_be_unticked() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)

    back = decide(world, app.client_id, user_id=user.id, scopes=[])

    assert world.state.codes[query(back.location)["code"]].scopes == app.scopes


def test_adding_from_the_marketplace_brings_a_code_without_state() -> None:
    world = a_world()
    app, user = an_app(world), a_user(world)
    form = {"user_id": user.id}

    back = web(world).post(f"/marketplace/apps/{app.client_id}/install", data=form)

    assert back.location.startswith(CALLBACK)
    assert set(query(back.location)) == {"code"}


def test_adding_from_the_marketplace_needs_a_redirect_url() -> None:
    world = a_world()
    app, user = an_app(world, redirect_url=None), a_user(world)

    with pytest.raises(RefusedError, match="no OAuth Redirect URL"):
        world.install(app.client_id, user.id)
