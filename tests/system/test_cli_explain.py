"""`dashboard explain`, as a process beside a dashboard that runs."""

import json

from dashboard import schema
from dashboard.db import Database
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.encryption.keys import open_vault
from dashboard.settings import load
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import a_connection, a_webhook, saved_app

__all__ = ["terminal"]


def test_the_terminal_says_what_the_page_says_while_the_dashboard_runs(
    terminal: Terminal,
) -> None:
    settings = load(instance=terminal.folder)
    database = Database(settings.sqlalchemy_url)
    schema.upgrade(database)
    vault = open_vault(settings, database)
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault))
        ana = a_connection(app, display_name="Ana \x1b[31mNowak")
        hook = a_webhook(app, zoom_user_id=ana.zoom_user_id, outcome=Outcome.DEAD)
        session.add_all([ana, hook])
    database.lock()  # as `serve` does
    link = "https://example.zoom.us/j/91234567890?pwd=hunter2"

    said = terminal.run("explain", "ana@example.com", link)
    told = terminal.run("explain", link, "--ask", "--json")
    odd = terminal.run("explain", "what", "is", "wrong")
    database.close()

    assert said.stdout.startswith("We could not deliver the meeting.created webhook")
    assert "Ana ?[31mNowak connected" in said.stdout
    assert "[meeting-dead]\nAction needed by an admin: Resend what" in said.stdout
    assert f"https://dashboard.example.com/webhooks/{hook.id}\n" in said.stdout
    found = json.loads(told.stdout)
    assert set(found) == {
        *("asked", "not_understood", "verdict", "sentence", "who", "next_step", "link"),
        *("also", "possible_reasons", "evidence", "recall"),
    }
    assert (found["asked"], found["verdict"]) == ("912 3456 7890", "meeting-dead")
    assert found["evidence"][0].keys() == {"at", "source", "words", "link"}
    assert "could not be asked" in found["recall"][0]["words"]
    assert "hunter2" not in said.stdout + told.stdout + said.stderr + told.stderr
    assert "[not-understood]" in odd.stdout
    assert [done.returncode for done in (said, told, odd)] == [0, 0, 0]
