"""A webhook's page is told of its resends and of what holds it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from dashboard.db import Database
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, Resend
from dashboard.models.webhook import Attempt, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.live import topics
from dashboard.vault import Vault
from tests.makers import NOON, a_webhook, saved_app

LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def webhook(database: Database, vault: Vault) -> Webhook:
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault))
        hold = OpenCircuit(
            id=app.id, kind=CircuitKind.ZOOM_APP, since=NOON, probe_at=NOON
        )
        row = a_webhook(app)
        session.add(row)
        session.flush()
        for more in (
            hold,
            Resend(id=1, asked_by="ana@example.com", asked_at=NOON),
            a_redelivery(row, id=2),
        ):
            session.add(more)
            session.flush()
    return row


def a_redelivery(webhook: Webhook, **over: Any) -> Redelivery:
    values: dict[str, Any] = {
        "resend_id": 1,
        "webhook_id": webhook.id,
        "zoom_app_id": webhook.zoom_app_id,
        "due_at": NOON,
    }
    return Redelivery(**(values | over))


def it_is_resent_again(session: Session, webhook: Webhook) -> None:
    session.add(Resend(id=3, asked_by="ana@example.com", asked_at=LATER))
    session.flush()
    session.add(a_redelivery(webhook, id=4, resend_id=3))


def a_resend_was_claimed(session: Session, _webhook: Webhook) -> None:
    session.get_one(Redelivery, 2).claim += 1


def a_resend_ended(session: Session, _webhook: Webhook) -> None:
    session.get_one(Redelivery, 2).ended_at = LATER


def a_resend_was_tried(session: Session, webhook: Webhook) -> None:
    session.add(
        Attempt(
            id=new_id(LATER),
            webhook_id=webhook.id,
            redelivery_id=2,
            started_at=LATER,
            latency_ms=1,
            sent_sha256="",
        )
    )


def it_is_held(session: Session, webhook: Webhook) -> None:
    session.get_one(OpenCircuit, webhook.zoom_app_id).is_holding = True


CHANGES = [
    it_is_resent_again,
    a_resend_was_claimed,
    a_resend_ended,
    a_resend_was_tried,
    it_is_held,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_page_is_told(
    database: Database, webhook: Webhook, change: Callable[[Session, Webhook], None]
) -> None:
    topic = f"webhook-{webhook.id}"
    with database.reading() as session:
        before = topics.versions(session, [topic])

    with database.writing() as session:
        change(session, webhook)

    with database.reading() as session:
        assert topics.versions(session, [topic]) != before
        assert topics.versions(session, [topic]) == topics.versions(session, [topic])
