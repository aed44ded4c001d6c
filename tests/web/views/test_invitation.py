"""Links made for one person, as browsers and mail scanners open them."""

import html

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard import logs
from dashboard.models.connection import Connection
from dashboard.models.invitation import InvitationState
from dashboard.services.invitations.invitations import Made
from dashboard.web.access import public
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage, query_of
from tests.fixtures.connect_pages import CALLBACK, connect, heading
from tests.fixtures.invitations import invite, now_of, reconnect_link
from tests.makers import FakeClock

WRONG = "Another Zoom account"


def path_of(stage: ConnectStage, made: Made) -> str:
    return f"/connect/{stage.app.slug}/i/{made.secret}"


def go(
    user: FlaskClient, stage: ConnectStage, pressed: TestResponse, zoom_user_id: str
) -> TestResponse:
    asked = query_of(pressed.location)
    del asked["response_type"]
    back = query_of(stage.sandbox.zoom_world.authorize(zoom_user_id, **asked))
    return user.get(CALLBACK, query_string=back, follow_redirects=True)


def test_a_mail_scanner_spends_nothing(user: FlaskClient, stage: ConnectStage) -> None:
    made = invite(stage, "ana@example.com")
    address = path_of(stage, made)

    user.head(address)
    after_head = now_of(stage, made).state
    scanned = [user.get(address) for _ in range(3)]
    after_get = now_of(stage, made)

    assert after_head is InvitationState.MADE
    assert {heading(page) for page in scanned} == {"Connect your Zoom account"}
    assert "a***@example.com" in scanned[0].text
    assert "ana@example.com" not in scanned[0].text
    assert (after_get.state, after_get.opened_at) == (InvitationState.MADE, None)
    pressed = user.post(address)
    assert (now_of(stage, made).state, now_of(stage, made).opened_at) == (
        InvitationState.OPENED,
        stage.runtime.clock.now(),
    )
    assert heading(go(user, stage, pressed, stage.ana.id)) == "You are connected"


def test_a_wrong_account_is_told_whom_the_link_is_for_and_may_start_again(
    user: FlaskClient, stage: ConnectStage
) -> None:
    bo = stage.sandbox.zoom_world.add_user(email="bo@example.org")
    made = invite(stage, "ana@example.com")

    refused = go(user, stage, user.post(path_of(stage, made)), bo.id)
    again = user.post(f"{refused.request.path}/again")
    connected = go(user, stage, again, stage.ana.id)

    assert (refused.status_code, heading(refused)) == (403, WRONG)
    assert "This link is for a***@example.com." in refused.text
    assert "switch the account" in refused.text
    assert "bo@example.org" not in refused.text
    assert heading(connected) == "You are connected"
    assert now_of(stage, made).state is InvitationState.DONE


def test_a_reconnect_link_says_how_the_connection_stands(
    user: FlaskClient, stage: ConnectStage
) -> None:
    made = reconnect_link(stage, stage.connect())

    page = user.get(path_of(stage, made))

    assert heading(page) == "Reconnect your Zoom account"
    assert "Your connection works." in page.text
    assert "a***@example.com" in page.text
    assert "Ana Nowak" not in page.text


def test_the_holder_of_a_reconnect_link_ends_nothing_without_signing_in(
    user: FlaskClient, stage: ConnectStage
) -> None:
    made = reconnect_link(stage, stage.connect())
    address = path_of(stage, made)

    asked = user.get(f"{address}/disconnect")
    refused = user.post(f"{address}/disconnect")
    credentials = len(stage.credentials())

    assert heading(asked) == "End this connection"
    assert "ana@example.com" not in asked.text
    assert "Ana Nowak" not in asked.text
    assert "Zoom doesn't tell us" in html.unescape(asked.text)  # not published
    assert (refused.status_code, credentials) == (405, 1)


def test_signing_in_at_zoom_proves_the_person_who_may_disconnect(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connection = stage.connect()
    made = reconnect_link(stage, connection)
    own = f"/connect/{stage.app.slug}/mine/{connection.id}/disconnect"

    go(user, stage, user.post(path_of(stage, made)), stage.ana.id)
    gone = user.post(own, follow_redirects=True)

    assert heading(gone) == "You are disconnected"
    assert stage.credentials() == []
    through = f", through link {made.invitation.id} made by command line"
    with stage.runtime.database.reading() as session:
        acts = {one.act: one for one in session.exec(AUDIT_LOG)}
    for act in ("connection.reconnected", "connection.deleted"):
        assert acts[act].actor == "user"
        assert acts[act].subject.endswith(through)


def test_another_account_proves_nothing(user: FlaskClient, stage: ConnectStage) -> None:
    connection = stage.connect()
    made = reconnect_link(stage, connection)
    bo = stage.sandbox.zoom_world.add_user(email="bo@example.org")
    own = f"/connect/{stage.app.slug}/mine/{connection.id}/disconnect"

    go(user, stage, user.post(path_of(stage, made)), bo.id)
    user.post(own)

    with stage.runtime.database.reading() as session:
        assert session.get(Connection, connection.id) is not None


def test_the_browser_that_connected_goes_straight_to_its_own_page(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    with stage.runtime.database.reading() as session:
        connection = session.exec(select(Connection)).one()
    made = reconnect_link(stage, connection)

    answer = user.get(f"{path_of(stage, made)}/disconnect")

    assert answer.location.endswith(f"/mine/{connection.id}/disconnect")


def test_a_used_link_is_of_no_use(user: FlaskClient, stage: ConnectStage) -> None:
    made = invite(stage)
    address = path_of(stage, made)
    go(user, stage, user.post(address), stage.ana.id)

    answers = [user.get(address), user.post(address), user.get(address + "/disconnect")]

    assert [one.status_code for one in answers] == [410, 410, 410]
    assert heading(answers[0]) == "This link has already been used"


def test_a_link_that_ran_out_says_so(
    user: FlaskClient, stage: ConnectStage, clock: FakeClock
) -> None:
    made = invite(stage)
    clock.advance(days=14)

    page = user.get(path_of(stage, made))

    assert (page.status_code, heading(page)) == (410, "This link has expired")


@pytest.mark.parametrize(
    "secret", ["x", "a" * 43, "%01" * 43, "é" * 43, "a" * 5000], ids=range(5)
)
def test_a_link_of_no_sense_is_not_known(
    user: FlaskClient, stage: ConnectStage, secret: str
) -> None:
    address = f"/connect/{stage.app.slug}/i/{secret}"

    for page in (user.get(address), user.post(address)):
        assert (page.status_code, heading(page)) == (
            404,
            "We don't recognize this link",
        )


def test_a_page_that_fails_keeps_the_secret_out_of_the_log(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(slug: str, secret: str) -> str:
        raise RuntimeError(slug, len(secret))

    app.view_functions["invited.show"] = public(fail)
    secret = "s" * 43

    logs.set_up()
    answer = app.test_client().get(f"/connect/page/i/{secret}")

    assert answer.status_code == 500
    logged = capsys.readouterr().err
    assert "/connect/<slug>/i/(removed)" in logged
    assert secret not in logged


def test_another_browsers_attempt_cannot_be_begun_again(
    user: FlaskClient, stage: ConnectStage
) -> None:
    ended = connect(user, stage).request.path
    for name in ("__Host-connect", "__Host-connected"):
        user.delete_cookie(name, domain="dashboard.example.com")

    assert user.post(f"{ended}/again").status_code == 404
