"""Trips to Zoom in a test's browser."""

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.connect_stage import ConnectStage, query_of

CALLBACK = "/oauth/zoom/callback"


def press(user: FlaskClient, stage: ConnectStage) -> TestResponse:
    return user.post(f"/connect/{stage.app.slug}")


def allow(stage: ConnectStage, pressed: TestResponse) -> dict[str, str]:
    asked = query_of(pressed.location)
    del asked["response_type"]
    return query_of(stage.sandbox.zoom_world.authorize(stage.ana.id, **asked))


def connect(user: FlaskClient, stage: ConnectStage) -> TestResponse:
    """Go the whole way and follow to the page it ends at."""
    query = allow(stage, press(user, stage))
    return user.get(CALLBACK, query_string=query, follow_redirects=True)


def heading(response: TestResponse) -> str:
    found = BeautifulSoup(response.text, "html.parser").select("h1")
    assert len(found) == 1
    return str(found[0].get_text(strip=True))
