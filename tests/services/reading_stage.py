"""Events of Zoom as the receiver stores them, not acted on yet."""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.webhook import Webhook
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Services
from tests.connect_stage import ConnectStage, a_connect_stage
from tests.makers import NOON, FakeClock, a_body, a_connection, a_webhook

USER = "zUsEr0001AAAAAAAAAAAAA"


@pytest.fixture
def stage(
    services: Services, sandbox: RunningSandbox, database: Database, clock: FakeClock
) -> ConnectStage:
    clock.advance(minutes=10)
    return a_connect_stage(services, sandbox, database=database)


def add(stage: ConnectStage, **over: Any) -> Connection:
    row = a_connection(stage.app, **{"zoom_user_id": USER, **over})
    with stage.services.database.writing() as session:
        session.add(row)
    return row


def tell(
    stage: ConnectStage, event: str, at: datetime, payload: object, **over: Any
) -> int:
    """Store an event as the receiver does, unread; return its id."""
    values = {"event": event, "received_at": at, "is_unread": True, **over}
    values.setdefault("zoom_user_id", USER)
    hook = a_webhook(stage.app, **values)
    body = json.dumps({"event": event, "payload": payload}).encode()
    with stage.services.database.writing() as session:
        session.add(hook)
        session.flush()
        session.add(a_body(stage.services.vault, hook, body=body))
    return hook.id


def updated(stage: ConnectStage, at: datetime = NOON, **about: Any) -> int:
    return tell(stage, "user.updated", at, {"object": about})


def deauthorized(stage: ConnectStage, at: datetime, **over: Any) -> int:
    values = {"client_id": stage.app.client_id, "user_id": USER, **over}
    return tell(stage, "app_deauthorized", at, values)


def unread(stage: ConnectStage) -> list[int]:
    query = select(Webhook.id).where(text("is_unread")).order_by(col(Webhook.id))
    with stage.services.database.reading() as session:
        return list(session.exec(query))
