"""Webhooks that are due, and a worker's steps with them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.clients.delivery import Answer
from dashboard.db import Database
from dashboard.models.webhook import Attempt, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.relay import results as forwarding
from dashboard.services.relay.deliveries import Delivery, Result, conclude
from dashboard.vault import Vault
from tests.makers import NOON, a_body, a_webhook, saved_app

TOOK_IT = Answer(status=200, latency_ms=12.5)
BUSY = Answer(status=503, body=b"<h1>503</h1>")
RETENTION = timedelta(days=30)

Add = Callable[..., int]


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


@pytest.fixture
def add(database: Database, vault: Vault, app_id: UUID) -> Add:
    def add(**over: Any) -> int:
        with database.writing() as session:
            app = session.get_one(ZoomApp, over.pop("zoom_app_id", app_id))
            webhook = a_webhook(app, **over)
            session.add(webhook)
            session.flush()
            session.add(a_body(vault, webhook))
            return webhook.id

    return add


def take(database: Database, now: datetime = NOON, **over: Any) -> list[Delivery]:
    with database.writing() as session:
        values: dict[str, Any] = {"limit": 10, "worker": "test:1"}
        return forwarding.take(session, now=now, **(values | over))


def record(database: Database, *results: Result, now: datetime = NOON) -> int:
    with database.writing() as session:
        return forwarding.record(session, results, now=now, retention=RETENTION)


def tried(delivery: Delivery, answer: Answer = TOOK_IT, **over: Any) -> Result:
    values: dict[str, Any] = {"sent": b"{}", "started_at": NOON, "secrets": []}
    return conclude(delivery, answer, **(values | over))


def find(database: Database, webhook_id: int) -> Webhook:
    with database.reading() as session:
        return session.get_one(Webhook, webhook_id)


def attempts(database: Database, webhook_id: int) -> list[Attempt]:
    query = select(Attempt).where(col(Attempt.webhook_id) == webhook_id)
    with database.reading() as session:
        return list(session.exec(query.order_by(col(Attempt.id))))
