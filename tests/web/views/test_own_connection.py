"""What a user sees of their own connection, and how they end it."""

from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection
from dashboard.sandbox.faults import Fault, FaultKind
from tests.fixtures.connect import ConnectStage
from tests.fixtures.connect_pages import connect, heading, press

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


def mine(stage: ConnectStage) -> str:
    return f"/connect/{stage.app.slug}/mine"


def ways_out(stage: ConnectStage) -> str:
    with stage.runtime.database.reading() as session:
        [row] = session.exec(select(Connection)).all()
    return f"{mine(stage)}/{row.id}/disconnect"


def test_the_browser_that_connected_sees_its_connection(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)

    page = user.get(mine(stage))

    assert (page.status_code, heading(page)) == (200, "Your connection")
    for words in (
        "Ana Nowak",
        "ana@example.com",
        "Your connection works.",
        "2026-11-23 12:00:00",
    ):
        assert words in page.text
    assert "see your connection" in user.get(f"/connect/{stage.app.slug}").text


def test_another_browser_sees_nothing_and_ends_nothing(
    app: Flask, user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    other = app.test_client()
    where = ways_out(stage)

    page = other.get(mine(stage), base_url="https://dashboard.example.com")
    asked = other.get(where, base_url="https://dashboard.example.com")
    ended = other.post(where, base_url="https://dashboard.example.com")

    assert heading(page) == "No connection here"
    assert "Ana" not in page.text
    assert {asked.location, ended.location} == {mine(stage)}
    assert len(stage.credentials()) == 1


def test_who_has_a_connection_cannot_end_anothers(
    user: FlaskClient, stage: ConnectStage
) -> None:
    bo = stage.sandbox.zoom_world.add_user(email="bo@example.org")
    foreign = stage.connect(bo)
    connect(user, stage)

    ended = user.post(f"{mine(stage)}/{foreign.id}/disconnect")

    assert ended.location == mine(stage)
    assert len(stage.credentials()) == 2


def test_a_user_disconnects_here_and_in_recall(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    where = ways_out(stage)

    asked = user.get(where)
    gone = user.post(where, follow_redirects=True)
    after = user.get(mine(stage))

    assert (heading(asked), heading(gone)) == ("Disconnect?", "You are disconnected")
    assert "Added Apps" in gone.text
    assert heading(after) == "No connection here"
    assert "your connection has ended" in after.text
    assert stage.credentials() == []
    with stage.runtime.database.reading() as session:
        acts = [
            (one.actor, one.act)
            for one in session.exec(
                select(AuditEntry).order_by(col(AuditEntry.id))
            ).all()
        ]
    assert ("user", "connection.deleted") in acts


def test_when_recall_does_not_delete_nothing_is_deleted_here(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    where = ways_out(stage)
    refusing = Fault(kind=FaultKind.DOWN, path=CREDENTIALS, method="DELETE")
    stage.sandbox.recall_faults.set([refusing])

    page = user.post(where)

    assert (page.status_code, heading(page)) == (424, "Not disconnected yet")
    assert heading(user.get(mine(stage))) == "Your connection"


def test_who_left_for_zoom_and_came_back_by_hand_is_told_what_zoom_may_have_shown(
    user: FlaskClient, stage: ConnectStage
) -> None:
    fresh = user.get(f"/connect/{stage.app.slug}")

    press(user, stage)
    page = user.get(f"/connect/{stage.app.slug}")

    assert "Invalid redirect" not in fresh.text
    assert "Invalid redirect (4,700)" in page.text
    assert "Reference" in page.text
