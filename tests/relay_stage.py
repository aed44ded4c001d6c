"""A zoom app known here and at the simulated Recall, and webhooks between them."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlmodel import col, select

from dashboard.models.webhook import Attempt, Webhook
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.recall.records import Received as ReceivedThere
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.receiver import events
from dashboard.services.receiver.batches import Received
from dashboard.services.receiver.signatures import sign, signed_bytes
from dashboard.services.runtime import Services
from tests.makers import SECRET_TOKEN, a_workspace, a_zoom_app

# A raw BMP character, an escaped pair, spaces and an odd order: nothing survives
# parsing and writing again.
BODY = (
    '{"payload": {"object":{"id":91234567890,"topic":"Übung … \\uD83D\\uDE92"}},'
    '"event_ts":1760000100456 ,"event":"meeting.created"}'
).encode()
CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}'
RECEIVER = "/api/v2/zoom-oauth-apps/"


@pytest.fixture
def recall_app(sandbox: RunningSandbox) -> App:
    return in_recall(sandbox)


def in_recall(sandbox: RunningSandbox, secret: SecretStr = SECRET_TOKEN) -> App:
    world = sandbox.recall_world
    return world.add_app(
        world.add_workspace(),
        kind=Kind.USER_LEVEL,
        client_id="simC000000000000000001",
        client_secret="test-client-secret-0001",
        webhook_secret=secret.get_secret_value(),
    )


@pytest.fixture
def app_id(services: Services, recall_app: App) -> UUID:
    with services.database.writing() as session:
        workspace = a_workspace(services.vault)
        session.add(workspace)
        session.flush()
        app = a_zoom_app(
            services.vault,
            recall_app_id=UUID(recall_app.id),
            workspace_id=workspace.id,
        )
        session.add(app)
        return app.id


def arrive(
    services: Services,
    app_id: UUID,
    body: bytes = BODY,
    *,
    tracking_id: str = "WEB_1",
    secret: SecretStr = SECRET_TOKEN,
) -> int:
    """Take a signed webhook in, as the receiver does."""
    now = services.clock.now()
    timestamp = str(int(now.timestamp()))
    signature = sign(signed_bytes(timestamp, body), secret).decode()
    app = services.intake.keyring.find(app_id)
    assert app is not None
    headers = {
        "host": "dashboard.example.com",
        "user-agent": "Zoom Marketplace/1.0a",
        "content-type": "application/json; charset=utf-8",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": signature,
        "x-zm-trackingid": tracking_id,
        "clientid": "simC000000000000000001",
        "authorization": "(removed)",
        "traceparent": "00-1",
    }
    received = Received(
        app=app,
        body=body,
        headers=tuple(headers.items()),
        event=events.parse(body),
        sent_at_s=int(timestamp),
        verdict="current",
        received_at=now,
        began=time.perf_counter(),
    )
    return services.intake.accept(received).webhook_id


def find(services: Services, webhook_id: int) -> Webhook:
    with services.database.reading() as session:
        return session.get_one(Webhook, webhook_id)


def attempts(services: Services, webhook_id: int) -> list[Attempt]:
    query = select(Attempt).where(col(Attempt.webhook_id) == webhook_id)
    with services.database.reading() as session:
        return list(session.exec(query.order_by(col(Attempt.id))))


def at_recall(sandbox: RunningSandbox) -> list[ReceivedThere]:
    with sandbox.recall_world.lock:
        return list(sandbox.recall_world.received)


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does; a test that waits in vain fails elsewhere."""
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)


class With:
    """The services, but for some."""

    def __init__(self, services: Services, **over: Any) -> None:
        self._services = services
        self.__dict__.update(over)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)
