"""`examples/backend`: a customer's backend against real servers, from end to end."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2
import orjson
import pytest
from bs4 import BeautifulSoup
from standardwebhooks import Webhook
from werkzeug.serving import make_server

from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.api_tokens.tokens import Scope
from dashboard.services.runtime import Runtime
from examples.backend.app import Config, create_app
from tests.fixtures.api import a_token
from tests.fixtures.connect import ConnectStage, query_of
from tests.fixtures.exchange_here import a_holding_stage

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCOPES = (Scope.CONNECTIONS_READ, Scope.INVITATIONS_WRITE, Scope.TOKENS_READ)


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[ConnectStage]:
    with a_holding_stage(runtime, sandbox) as found:
        yield found


@pytest.fixture
def backend(stage: ConnectStage) -> Iterator[Config]:
    """Serve the example; its own address is an allowed return address."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    config = Config(
        dashboard=stage.runtime.public_url,
        token=a_token(stage.runtime, SCOPES).token,
        secret=SECRET,
        zoom_app_id=str(stage.app.id),
        own_url=f"http://127.0.0.1:{server.port}",
        zoom_api=stage.sandbox.zoom_url,
    )
    with stage.runtime.database.writing() as session:
        row = session.get_one(ZoomApp, stage.app.id)
        row.return_origins = config.own_url
        session.add(row)
    server.app = create_app(config)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield config
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_example_is_short() -> None:
    path = Path(__file__).parents[2] / "examples" / "backend" / "app.py"

    assert len(path.read_text().splitlines()) <= 60


def test_a_user_connects_comes_back_and_their_token_is_used(
    stage: ConnectStage, backend: Config
) -> None:
    own = backend.own_url
    with httpx2.Client(follow_redirects=False) as browser:
        before = browser.get(f"{own}/users/u-1041/zoom").json()
        none_yet = browser.get(f"{own}/users/u-1041/meeting-id")
        link = browser.get(f"{own}/users/u-1041/connect").headers["Location"]
        shown = browser.get(link)
        pressed = browser.post(link)
        asked = dict(parse_qsl(urlsplit(pressed.headers["Location"]).query))
        del asked["response_type"]
        back = query_of(stage.sandbox.zoom_world.authorize(stage.ana.id, **asked))
        callback = f"{backend.dashboard}/oauth/zoom/callback"
        ended = browser.get(callback, params=back, follow_redirects=True)
        [button] = BeautifulSoup(ended.text, "html.parser").select("a.btn-primary")
        after = browser.get(str(button["href"]))
        meeting = browser.get(f"{own}/users/u-1041/meeting-id")

    assert before == {"state": "not_connected"}
    assert none_yet.status_code == 409
    assert shown.status_code == 200
    assert str(button["href"]).startswith(f"{own}/users/u-1041/zoom?status=connected")
    assert after.json() == {"state": "healthy"}
    assert meeting.json() == {"meeting_id": stage.ana.pmi}


def test_an_event_is_taken_once_and_only_when_it_is_signed(backend: Config) -> None:
    """Signed as Standard Webhooks says, by hand."""
    body = orjson.dumps(
        {
            "id": "evt_1",
            "type": "connection.needs_reconnect",
            "version": 1,
            "timestamp": "2026-11-30T20:00:00.000Z",
            "data": {"reference": "u-1041", "tags": None},
        }
    )
    at = datetime.now(UTC)  # noqa: TID251 - the library compares it with the real time
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1", at, body.decode()),
    }

    where = f"{backend.own_url}/events"
    statuses = [
        httpx2.post(where, content=body, headers=headers).status_code,
        httpx2.post(where, content=body, headers=headers).status_code,
        httpx2.post(where, content=body + b" ", headers=headers).status_code,
    ]

    assert statuses == [200, 200, 401]
    assert backend.events == {"evt_1": "connection.needs_reconnect"}
