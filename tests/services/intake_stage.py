"""An intake on a database, and what comes to it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.services.receiver import events
from dashboard.services.receiver.batches import Received
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.refusals import Refused
from dashboard.services.receiver.signatures import Cause
from dashboard.services.receiver.writer import Intake
from dashboard.settings import Settings
from dashboard.vault import Vault
from tests.makers import NOON, FakeClock, saved_app

BODY = (
    b'{"event":"meeting.created","event_ts":1,"payload":{"object":{"id":91234567890}}}'
)
CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"t"}}'


@pytest.fixture
def limits(tmp_path: Path) -> Settings:
    return Settings(instance=tmp_path, refused_sample=12)


@pytest.fixture
def intake(
    database: Database, vault: Vault, clock: FakeClock, limits: Settings
) -> Iterator[Intake]:
    clock_: Any = clock
    made = Intake(database, vault, clock_, limits)
    yield made
    made.close()


@pytest.fixture
def zoom_app(database: Database, vault: Vault, intake: Intake) -> AppCredentials:
    with database.writing() as session:
        app_id = saved_app(session, vault)
    found = intake.keyring.find(app_id)
    assert found is not None
    return found


def received(app: AppCredentials, body: bytes = BODY, **over: Any) -> Received:
    values: dict[str, Any] = {
        "app": app,
        "body": body,
        "headers": (("x-zm-signature", "v0=ab"), ("user-agent", "Zoom")),
        "event": events.parse(body),
        "sent_at_s": 1760000000,
        "verdict": "current",
        "received_at": NOON,
        "began": time.perf_counter(),
    }
    return Received(**(values | over))


def refused(app_id: UUID, **over: Any) -> Refused:
    values: dict[str, Any] = {
        "zoom_app_id": app_id,
        "cause": Cause.SIGNATURE,
        "detail": "Another secret signed it.",
        "status": 401,
        "body_bytes": 2,
        "user_agent": "curl\0/8",
        "address": "203.0.113.9",
        "received_at": NOON,
    }
    return Refused(**(values | over))
