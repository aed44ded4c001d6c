"""Test bots in the browser: sent by an admin, watched until the result."""

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.connection import Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.bot_tests import runs
from dashboard.services.recall import workspaces
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON

PMI = 5551234567


@pytest.fixture
def url(stage: ConnectStage) -> str:
    """The page of an app with a user whose personal meeting is known."""
    row = stage.connect()
    with stage.runtime.database.writing() as session:
        session.get_one(Connection, row.id).pmi = PMI
    (credential,) = stage.credentials()
    stage.sandbox.recall_world.map_meeting(PMI, credential)
    return f"/zoom-apps/{stage.app.id}/test-bot"


def text_of(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())


def part_of(client: FlaskClient, page: str) -> str:
    """Ask for the newest run as the page does by itself."""
    section = BeautifulSoup(page, "html.parser").select_one("section[hx-get]")
    assert section is not None
    return client.get(str(section["hx-get"])).text


def run_on(stage: ConnectStage) -> None:
    for _ in range(4):
        stage.sandbox.clock.advance(5)
        stage.runtime.clock.advance(seconds=5)  # type: ignore[attr-defined]
        runs.run_due(stage.runtime)


def test_the_page_follows_a_bot_to_its_proof(
    admin: FlaskClient, stage: ConnectStage, url: str
) -> None:
    stage.sandbox.recall_world.set_switches({"bots": "zoom_host_not_present"})

    page = admin.post(url, data={"meeting": str(PMI)}, follow_redirects=True).text
    begun = part_of(admin, page)
    run_on(stage)
    ended = part_of(admin, page)

    assert "Joining" in text_of(begun)
    assert "hx-trigger" in begun
    assert "Not allowed to record" in text_of(ended)
    assert "An admin must act." in text_of(ended)
    assert "zoom_host_not_present" in ended
    assert "hx-trigger" not in ended
    assert NOON.strftime("%Y-%m-%d") in ended


def test_what_can_not_be_sent_is_said_at_the_field(
    admin: FlaskClient, stage: ConnectStage, url: str
) -> None:
    link = "https://zoom.us/j/81234567890?pwd=hunter2"

    answer = admin.post(url, data={"meeting": link})

    field = BeautifulSoup(answer.text, "html.parser").select_one("#meeting")
    assert answer.status_code == 422
    assert "is known to host this meeting" in text_of(answer.text)
    assert field is not None
    assert field["value"] == link
    assert stage.sandbox.recall_world.bots == {}


def test_a_second_bot_waits_for_the_first(admin: FlaskClient, url: str) -> None:
    admin.post(url, data={"meeting": str(PMI)})

    answer = admin.post(url, data={"meeting": str(PMI)})

    assert answer.status_code == 422
    assert "A test bot of this zoom app is under way." in text_of(answer.text)


def test_support_watches_and_sends_none(
    support: FlaskClient, admin: FlaskClient, url: str
) -> None:
    admin.post(url, data={"meeting": str(PMI)})

    assert "Joining" in text_of(support.get(url).text)
    assert support.post(url, data={"meeting": str(PMI)}).status_code == 403


def test_the_zoom_apps_page_leads_here(
    admin: FlaskClient, stage: ConnectStage, url: str
) -> None:
    page = BeautifulSoup(admin.get(f"/zoom-apps/{stage.app.id}").text, "html.parser")

    assert page.select_one(f"a[href='{url}']") is not None


def test_the_connections_page_shows_its_last_test_bot(
    admin: FlaskClient, stage: ConnectStage, url: str
) -> None:
    with stage.runtime.database.reading() as session:
        (row,) = session.exec(select(Connection)).all()
    page = f"/connections/{row.id}"
    before = text_of(admin.get(page).text)
    stage.sandbox.recall_world.set_switches({"bots": "zoom_requires_rtms"})
    admin.post(url, data={"meeting": str(PMI)})
    run_on(stage)

    after = text_of(admin.get(page).text)

    assert "Last test bot" not in before
    assert "Last test bot" in after
    assert "real-time media streams only" in after
    assert "The host must act." in after


def test_the_answer_changes_when_recall_lists_a_bot_that_was_refused(
    admin: FlaskClient, stage: ConnectStage, url: str
) -> None:
    assert url
    stage.sandbox.recall_world.set_switches({"bots": "meeting_requires_sign_in"})
    with stage.runtime.database.reading() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        recall, _ = workspaces.recall_of(stage.runtime, session, app)
    link = f"https://example.zoom.us/j/{PMI}"
    recall.create_bot(link, name="Notetaker", idempotency_key="one")
    stage.sandbox.clock.advance(5)

    asked = text_of(admin.post("/explain/recall", data={"q": str(PMI)}).text)

    assert "Only people signed in to Zoom may join this meeting" in asked
    assert "Action needed by the host" in asked
    assert "A bot of" in asked
