"""`dashboard test-bot`, at the simulated Recall."""

import json
from uuid import UUID

import pytest

from dashboard import schema
from dashboard.db import Database
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.recall.records import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.encryption.keys import open_vault
from dashboard.settings import load
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import API_KEY, a_connection, a_workspace, saved_app

__all__ = ["terminal"]

PMI = 5551234567


@pytest.fixture
def app_id(terminal: Terminal, sandbox: RunningSandbox) -> UUID:
    """An app in Recall with a user whose personal meeting is known."""
    sandbox.clock.set(None)  # the command waits in real time
    recall = sandbox.recall_world
    there = recall.add_app(
        recall.add_workspace("us-east-1", API_KEY.get_secret_value()),
        kind=Kind.USER_LEVEL,
        client_id="simulated",
        client_secret="simulated",
        webhook_secret="simulated",
    )
    settings = load(instance=terminal.folder)
    database = Database(settings.sqlalchemy_url)
    schema.upgrade(database)
    vault = open_vault(settings, database)
    with database.writing() as session:
        workspace = a_workspace(vault, region="us-east-1")
        session.add(workspace)
        session.flush()
        app = session.get_one(ZoomApp, saved_app(session, vault))
        app.workspace_id, app.recall_app_id = workspace.id, UUID(there.id)
        session.add(a_connection(app, pmi=PMI))
        app_id = app.id
    database.close()
    return app_id


def test_the_result_is_printed_and_is_the_status(
    terminal: Terminal, app_id: UUID
) -> None:
    refused = terminal.run("test-bot", str(app_id), "--meeting", str(PMI), "--json")
    stranger = terminal.run("test-bot", str(app_id), "--meeting", "81234567890")

    found = json.loads(refused.stdout)
    assert (found["state"], found["who"]) == ("denied", "admin")
    assert found["sub_code"] == "zoom_host_not_present"
    assert found["steps"][0]["code"] == "joining_call"
    assert "is known to host this meeting" in stranger.stderr
    assert [one.returncode for one in (refused, stranger)] == [1, 1]
