"""The hosted connect page as a browser sees it."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect import attempts
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


def test_the_next_person_with_the_browser_does_not_see_the_profile(
    user: FlaskClient, stage: ConnectStage, clock: FakeClock
) -> None:
    address = connect(user, stage).request.path

    clock.advance(minutes=10)
    later = user.get(address)

    for words in ("Ana Nowak", "ana@example.com", "555 123 4567"):
        assert words not in later.text


def test_a_result_whose_connection_ended_says_so(
    user: FlaskClient, stage: ConnectStage
) -> None:
    address = connect(user, stage).request.path
    with stage.runtime.database.writing() as session:
        session.delete(session.exec(select(Connection)).one())

    ended = user.get(address)

    assert (ended.status_code, heading(ended)) == (410, "This connection has ended")
    assert "You are connected" not in ended.text


REFUSED_AT_ONCE = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "refused_at_once.json").read_text()
)["zoom_or_recall_answers_during_the_trip"]


@pytest.mark.parametrize(
    "answer", REFUSED_AT_ONCE, ids=[f"{one[0]} {one[1]}" for one in REFUSED_AT_ONCE]
)
def test_a_connection_that_fails_its_first_check_is_not_called_connected(
    user: FlaskClient, stage: ConnectStage, answer: tuple[str, int, dict[str, str]]
) -> None:
    asked, status, body = answer
    method, _, path = asked.partition(" ")
    if status == 201:
        stage.sandbox.recall_world.set_switches({"created_status": body["status"]})
    else:
        faults = (
            stage.sandbox.zoom_faults
            if path.startswith("/v2")
            else stage.sandbox.recall_faults
        )
        fault = Fault(
            kind=FaultKind.ANSWER,
            path=path if path.startswith("/") else f"*/{path}",
            method=method,
            status=status,
            body=json.dumps(body),
        )
        faults.set([fault])

    shown = connect(user, stage)

    assert shown.status_code == 200
    is_marked = status == 201  # Recall says unhealthy, and has not tried it again
    says = "had errors" if is_marked else "does not work"
    assert heading(shown) == f"Your connection {says}"
    assert "Connect again" in shown.text
    assert "can now work with" not in shown.text


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


def test_a_repeated_callback_leads_to_the_same_result(
    user: FlaskClient, stage: ConnectStage
) -> None:
    query = allow(stage, press(user, stage))
    user.get(CALLBACK, query_string=query)

    response = user.get(CALLBACK, query_string=query, follow_redirects=True)

    assert (response.status_code, heading(response)) == (200, "You are connected")
    assert len(stage.credentials()) == 1


@pytest.mark.parametrize(
    "fetch",
    [
        ("HEAD", {}, 200),
        ("GET", {"Sec-Purpose": "prefetch"}, 503),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 503),
        ("GET", {"Purpose": "prefetch"}, 503),
        ("GET", {"X-Purpose": "preview"}, 503),
        ("GET", {"X-Moz": "prefetch"}, 503),
    ],
)
@pytest.mark.parametrize("is_own", [True, False], ids=["own", "other"])
def test_what_no_person_asked_for_changes_nothing(
    app: Flask,
    user: FlaskClient,
    stage: ConnectStage,
    fetch: tuple[str, dict[str, str], int],
    *,
    is_own: bool,
) -> None:
    method, headers, status = fetch
    query = allow(stage, press(user, stage))
    fetching = user if is_own else app.test_client()

    fetched = fetching.open(
        CALLBACK,
        method=method,
        query_string=query,
        headers=headers,
        base_url="https://dashboard.example.com",
    )
    with stage.runtime.database.reading() as session:
        [between] = session.exec(select(ConnectAttempt)).all()
    came = user.get(CALLBACK, query_string=query, follow_redirects=True)

    assert (fetched.status_code, fetched.text) == (status, "")
    assert fetched.headers["Cache-Control"] == "no-store"
    assert (between.outcome, between.detail) == (AttemptOutcome.OPEN, "")
    assert heading(came) == "You are connected"


def test_a_visit_with_nothing_is_no_installation(
    user: FlaskClient, stage: ConnectStage
) -> None:
    response = user.get(CALLBACK)

    assert (response.status_code, heading(response)) == (
        400,
        "We don't recognize this link",
    )
    with stage.runtime.database.reading() as session:
        assert session.exec(select(ConnectAttempt)).all() == []


def test_a_result_that_is_not_there_yet_reloads(
    user: FlaskClient, stage: ConnectStage, clock: FakeClock
) -> None:
    address = connect(user, stage).request.path
    with stage.runtime.database.writing() as session:
        [attempt] = session.exec(select(ConnectAttempt)).all()
        attempt.outcome = AttemptOutcome.UNREACHABLE
        attempt.detail = attempts.INTERRUPTED
        session.add(attempt)

    finishing = user.get(address)
    clock.advance(minutes=3)
    lost = user.get(address)

    assert (heading(finishing), finishing.headers["Refresh"]) == ("Almost done", "2")
    assert heading(lost) == "Recall could not be reached"
    assert "Refresh" not in lost.headers


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


def test_a_plain_link_carries_references_and_leads_back(
    admin: FlaskClient, user: FlaskClient, stage: ConnectStage
) -> None:
    admin.post(
        f"/zoom-apps/{stage.app.id}/button",
        data={"origins": "https://app.example.com"},
    )
    carried = {
        "reference": "u-1041",
        "tag": ["vip", "eu"],
        "return_url": "https://app.example.com/settings?tab=2",
    }

    shown = user.get(f"/connect/{stage.app.slug}", query_string=carried)
    fields = {
        str(each["name"]): str(each["value"])
        for each in BeautifulSoup(shown.text, "html.parser").select(
            "form input[type=hidden]:not([name=tag])"
        )
    }
    pressed = user.post(f"/connect/{stage.app.slug}", data=fields | {"tag": ["vip"]})
    query = allow(stage, pressed)
    ended = user.get(CALLBACK, query_string=query, follow_redirects=True)

    with stage.runtime.database.reading() as session:
        row = session.exec(select(Connection)).one()
    [button] = BeautifulSoup(ended.text, "html.parser").select("a.btn-primary")
    assert (row.reference, row.tags) == ("u-1041", "vip")
    assert not row.is_reference_verified
    assert str(button["href"]) == (
        f"https://app.example.com/settings?tab=2&status=connected&connection={row.id}"
    )


def test_a_user_who_declines_is_led_back_with_that_and_to_allowed_origins_only(
    admin: FlaskClient, user: FlaskClient, stage: ConnectStage
) -> None:
    def declined(return_url: str) -> list[str]:
        pressed = user.post(
            f"/connect/{stage.app.slug}", data={"return_url": return_url}
        )
        query = {"state": query_of(pressed.location)["state"], "error": "access_denied"}
        ended = user.get(CALLBACK, query_string=query, follow_redirects=True)
        links = BeautifulSoup(ended.text, "html.parser").select("a.btn-primary")
        return [str(link["href"]) for link in links]

    admin.post(
        f"/zoom-apps/{stage.app.id}/button",
        data={"origins": "https://app.example.com"},
    )
    allowed = declined("https://app.example.com/x")
    other = declined("https://app.example.com.evil.example/x")
    admin.post(f"/zoom-apps/{stage.app.id}/button", data={"origins": ""})
    no_more = declined("https://app.example.com/x")

    again = f"/connect/{stage.app.slug}"
    assert allowed == ["https://app.example.com/x?status=declined", again]
    assert other == no_more == [again]
