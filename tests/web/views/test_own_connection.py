"""What a user sees of their own connection, and how they end it."""

from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection
from dashboard.sandbox.faults import Fault, FaultKind
from tests.fixtures.connect import ConnectStage, query_of
from tests.fixtures.connect_pages import CALLBACK, allow, connect, heading, press
from tests.makers import FakeClock

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
        "a***@example.com",
        "Your connection works.",
        "2026-11-23 12:00:00",
    ):
        assert words in page.text
    for words in ("ana@example.com", "555 123 4567"):  # the next person reads it too
        assert words not in page.text
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


def test_who_connects_next_does_not_see_the_one_before(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    where = ways_out(stage)
    stage.ana = stage.sandbox.zoom_world.add_user(
        email="carla@example.org", display_name="Carla Ruiz"
    )
    connect(user, stage)

    page = user.get(mine(stage))
    user.post(where)

    assert "c***@example.org" in page.text
    assert "Ana Nowak" not in page.text
    assert len(stage.credentials()) == 2


def test_who_declines_next_leaves_the_connection_to_its_browser(
    user: FlaskClient, stage: ConnectStage
) -> None:
    connect(user, stage)
    state = query_of(press(user, stage).location)["state"]
    user.get(CALLBACK, query_string={"state": state, "error": "access_denied"})

    assert heading(user.get(mine(stage))) == "Your connection"


def test_a_browser_is_forgotten_after_30_days(
    user: FlaskClient, stage: ConnectStage, clock: FakeClock
) -> None:
    back = user.get(CALLBACK, query_string=allow(stage, press(user, stage)))
    kept = [one for one in back.headers.getlist("Set-Cookie") if "connected=" in one]
    clock.advance(days=29, hours=23)
    before = user.get(mine(stage))
    clock.advance(hours=1)
    after = user.get(mine(stage))
    where = ways_out(stage)
    user.post(where)

    assert [f"Max-Age={30 * 24 * 3600}" in one for one in kept] == [True]
    assert heading(before) == "Your connection"
    assert heading(after) == "No connection here"
    assert len(stage.credentials()) == 1


def test_a_browser_is_forgotten_when_its_user_says_so(
    app: Flask, user: FlaskClient, stage: ConnectStage
) -> None:
    address = connect(user, stage).request.path
    names = ("__Host-connect", "__Host-connected")
    copied = {
        name: known.value
        for name in names
        if (known := user.get_cookie(name, domain="dashboard.example.com"))
    }
    where = ways_out(stage)

    answer = user.post(f"{mine(stage)}/forget", follow_redirects=True)

    assert heading(answer) == "No connection here"
    assert len(copied) == 2
    for name in names:
        assert user.get_cookie(name, domain="dashboard.example.com") is None
    thief = app.test_client()
    for name, value in copied.items():
        thief.set_cookie(name, value, domain="dashboard.example.com", secure=True)
    base = "https://dashboard.example.com"
    assert heading(thief.get(mine(stage), base_url=base)) == "No connection here"
    assert thief.get(address, base_url=base).status_code == 404
    thief.post(where, base_url=base)
    assert len(stage.credentials()) == 1


def test_nobody_is_told_to_be_disconnected_who_is_not(
    user: FlaskClient, stage: ConnectStage
) -> None:
    gone = f"/connect/{stage.app.slug}/disconnected"

    stranger = user.get(gone)
    connect(user, stage)
    connected = user.get(gone)
    user.post(ways_out(stage))
    disconnected = [heading(user.get(gone)) for _ in range(2)]
    connect(user, stage)

    assert [stranger.location, connected.location] == [mine(stage)] * 2
    assert disconnected == ["You are disconnected"] * 2
    assert user.get(gone).location == mine(stage)


def test_who_left_for_zoom_and_came_back_by_hand_is_told_what_zoom_may_have_shown(
    user: FlaskClient, stage: ConnectStage
) -> None:
    fresh = user.get(f"/connect/{stage.app.slug}")

    press(user, stage)
    page = user.get(f"/connect/{stage.app.slug}")

    assert "Invalid redirect" not in fresh.text
    assert "Invalid redirect (4,700)" in page.text
    assert "Reference" in page.text
