"""The hosted connect page as a browser sees it."""

import re
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage, query_of
from tests.fixtures.connect_pages import CALLBACK, allow, connect, heading, press
from tests.makers import FakeClock

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


def test_the_page_says_who_asks_what_is_read_and_why(
    user: FlaskClient, stage: ConnectStage
) -> None:
    response = user.get(f"/connect/{stage.app.slug}")

    page = BeautifulSoup(response.text, "html.parser")
    form = page.select_one("form[method=post]")
    assert response.status_code == 200
    assert "Notetaker" in response.text
    assert "user:read:user" in response.text
    assert "user:read:zak" not in response.text
    assert form is not None
    assert len(form.select("input[name=csrf_token]")) == 1
    assert len(page.select("button")) == 1
    assert page.select("script") == []


def test_the_button_leads_to_zoom_with_a_bound_state(
    user: FlaskClient, stage: ConnectStage
) -> None:
    response = press(user, stage)

    asked = query_of(response.location)
    cookie = response.headers["Set-Cookie"]
    assert response.status_code == 303
    assert response.location.startswith(f"{stage.sandbox.zoom_url}/oauth/authorize?")
    assert asked["redirect_uri"] == f"https://dashboard.example.com{CALLBACK}"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 43
    assert cookie.startswith("__Host-connect=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_the_redirect_url_does_not_follow_the_host_header(
    user: FlaskClient, stage: ConnectStage
) -> None:
    response = user.post(
        f"/connect/{stage.app.slug}", headers={"Host": "evil.example.org"}
    )

    asked = query_of(response.location)
    assert asked["redirect_uri"] == f"https://dashboard.example.com{CALLBACK}"


def test_the_button_needs_its_token(
    app: Flask, user: FlaskClient, stage: ConnectStage
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True

    forged = press(user, stage)
    page = user.get(f"/connect/{stage.app.slug}").text
    token = re.findall(r'name="csrf_token"\s+value="([^"]+)"', page)[0]
    genuine = user.post(f"/connect/{stage.app.slug}", data={"csrf_token": token})

    assert (forged.status_code, genuine.status_code) == (400, 303)


def test_a_get_begins_nothing(user: FlaskClient, stage: ConnectStage) -> None:
    response = user.get(f"/connect/{stage.app.slug}")

    assert "__Host-connect" not in response.headers.get("Set-Cookie", "")


def test_a_user_connects_and_ends_at_an_address_without_the_code(
    user: FlaskClient, stage: ConnectStage
) -> None:
    query = allow(stage, press(user, stage))

    back = user.get(CALLBACK, query_string=query)
    shown = user.get(back.location)

    assert back.status_code == 303
    assert urlsplit(back.location).query == ""
    assert query["code"] not in back.location
    assert (shown.status_code, heading(shown)) == (200, "You are connected")
    assert "Ana Nowak" in shown.text
    assert "555 123 4567" in shown.text
    for response in (back, shown):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "same-origin"


def test_the_result_stays_there_when_reloaded(
    user: FlaskClient, stage: ConnectStage
) -> None:
    address = connect(user, stage).request.path

    assert heading(user.get(address)) == "You are connected"


def test_another_browser_sees_nothing_of_the_result(
    app: Flask, user: FlaskClient, stage: ConnectStage
) -> None:
    address = connect(user, stage).request.path

    other = app.test_client().get(address, base_url="https://dashboard.example.com")

    assert other.status_code == 404
    assert "Ana" not in other.text


def test_a_second_attempt_keeps_the_browsers_cookie(
    user: FlaskClient, stage: ConnectStage
) -> None:
    first, second = press(user, stage), press(user, stage)

    answers = [
        user.get(CALLBACK, query_string=allow(stage, pressed), follow_redirects=True)
        for pressed in (first, second)
    ]

    assert [heading(answer) for answer in answers] == ["You are connected"] * 2


def test_a_declined_attempt_says_what_to_do(
    user: FlaskClient, stage: ConnectStage
) -> None:
    state = query_of(press(user, stage).location)["state"]

    response = user.get(
        CALLBACK,
        query_string={"state": state, "error": "access_denied"},
        follow_redirects=True,
    )

    assert (response.status_code, heading(response)) == (400, "You declined")
    assert f"/connect/{stage.app.slug}" in response.text


def test_an_attempt_that_took_too_long_says_so(
    user: FlaskClient, stage: ConnectStage, clock: FakeClock
) -> None:
    query = allow(stage, press(user, stage))
    clock.advance(minutes=10)

    response = user.get(CALLBACK, query_string=query, follow_redirects=True)

    assert (response.status_code, heading(response)) == (410, "That took too long")


def test_a_replayed_callback_is_refused(user: FlaskClient, stage: ConnectStage) -> None:
    query = allow(stage, press(user, stage))
    user.get(CALLBACK, query_string=query)

    response = user.get(CALLBACK, query_string=query)

    assert (response.status_code, heading(response)) == (
        410,
        "This sign-in link was already used",
    )
    assert len(stage.credentials()) == 1


def test_a_callback_in_another_browser_is_refused(
    app: Flask, user: FlaskClient, stage: ConnectStage
) -> None:
    query = allow(stage, press(user, stage))

    response = app.test_client().get(
        CALLBACK, query_string=query, base_url="https://dashboard.example.com"
    )

    assert (response.status_code, heading(response)) == (403, "Another browser")
    assert stage.credentials() == []


def test_an_installation_from_the_marketplace_lands_on_a_page(
    user: FlaskClient, stage: ConnectStage
) -> None:
    url = stage.sandbox.zoom_world.install(stage.app.client_id, stage.ana.id)

    response = user.get(CALLBACK, query_string=query_of(url))

    assert (response.status_code, heading(response)) == (400, "One more step")
    assert f"/connect/{stage.app.slug}" in response.text
    assert stage.credentials() == []


@pytest.mark.parametrize("state", ["x", "é" * 500, "\x00", "%ff", "a" * 20_000])
def test_a_state_of_no_sense_is_unknown(user: FlaskClient, state: str) -> None:
    response = user.get(CALLBACK, query_string={"state": state, "code": "c"})

    assert (response.status_code, heading(response)) == (
        400,
        "We don't recognize this link",
    )


def test_an_error_that_is_markup_is_not_shown(
    user: FlaskClient, stage: ConnectStage
) -> None:
    state = query_of(press(user, stage).location)["state"]

    response = user.get(
        CALLBACK,
        query_string={"state": state, "error": "<script>alert(1)</script>"},
        follow_redirects=True,
    )

    assert (response.status_code, heading(response)) == (400, "Zoom did not allow it")
    assert "alert(1)" not in response.text


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (FaultKind.DOWN, "Recall could not be reached"),
        (FaultKind.HTML_403, "Recall refused"),
    ],
)
def test_when_recall_fails_support_gets_a_reason(
    user: FlaskClient, stage: ConnectStage, kind: FaultKind, title: str
) -> None:
    query = allow(stage, press(user, stage))
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=CREDENTIALS)])

    response = user.get(CALLBACK, query_string=query, follow_redirects=True)

    assert (response.status_code, heading(response)) == (424, title)
    assert "Reference" in response.text
    assert query["code"] not in response.text


def test_the_legacy_conflict_asks_for_consent_once_more(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    stage.sandbox.recall_world.set_switches({"reconnect": "conflict"})

    refused = connect(user, stage)
    again = connect(user, stage)

    assert (refused.status_code, heading(refused)) == (409, "One more step")
    assert heading(again) == "You are connected"


def test_a_missing_scope_is_said_to_the_user(
    user: FlaskClient, stage: ConnectStage
) -> None:
    stage.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    response = connect(user, stage)

    assert response.status_code == 200
    assert "One permission is missing" in response.text
    assert "user:read:user" in response.text


def test_an_app_that_is_not_in_recall_says_who_can_mend_it(
    user: FlaskClient, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, recall_app_id=None)

    shown = user.get(f"/connect/{stage.app.slug}")
    pressed = press(user, stage)

    assert (shown.status_code, heading(shown)) == (503, "Not ready yet")
    assert "admin" in shown.text
    assert pressed.status_code == 503


def test_a_page_that_does_not_exist_is_not_found(user: FlaskClient) -> None:
    assert user.get("/connect/nobody-0000").status_code == 404
    assert user.get("/connect/%00").status_code == 404
    assert user.post("/connect/nobody-0000").status_code == 404
