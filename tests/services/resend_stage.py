"""Webhooks to be sent again, and the worker's steps with a resend, without a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.resends import collecting, resends
from dashboard.services.webhook_log.log import WebhookFilter
from dashboard.vault import Vault
from tests.makers import NOON, FakeClock, a_webhook, saved_app

DEAD = WebhookFilter(outcome=Outcome.DEAD)
ANY = WebhookFilter()
ANA = "ana@example.com"


@dataclass(kw_only=True)
class Stage:
    """One zoom app, and what a chore works with."""

    database: Database
    clock: FakeClock
    app: ZoomApp

    def add(self, number: int = 1, **over: Any) -> list[int]:
        """Store webhooks of an hour ago, a second apart, oldest first; return ids."""
        began = over.pop("received_at", NOON - timedelta(hours=1))
        values = {"outcome": Outcome.DEAD, **over}
        rows = [
            a_webhook(self.app, received_at=began + timedelta(seconds=each), **values)
            for each in range(number)
        ]
        with self.database.writing() as session:
            session.add_all(rows)
        return [row.id for row in rows]

    def begin(self, filters: WebhookFilter = DEAD, **over: Any) -> int:
        values = {"resend_id": new_id(self.clock.now()), "expected": 0, **over}
        with self.database.writing() as session:
            resends.begin(
                session,
                filters=filters,
                asked_by=ANA,
                now=self.clock.now(),
                **values,
            )
        return int(values["resend_id"])

    def tend(self, batch: int = 1000) -> int:
        chore: Any = self
        return collecting.tend(chore, batch=batch)

    def gather_once(self, batch: int) -> None:
        chore: Any = self
        collecting._gather_next(chore, batch)

    def progress(self, resend_id: int) -> resends.Progress:
        with self.database.reading() as session:
            return resends.progress(session, resend_id)

    def resend(self, resend_id: int) -> Resend:
        return self.progress(resend_id).resend

    def owed(self, resend_id: int) -> list[Redelivery]:
        query = select(Redelivery).where(col(Redelivery.resend_id) == resend_id)
        with self.database.reading() as session:
            return list(session.exec(query.order_by(col(Redelivery.id))))

    def webhooks_of(self, resend_id: int) -> list[int]:
        return [each.webhook_id for each in self.owed(resend_id)]

    def end(self, ids: Sequence[int], outcome: RedeliveryOutcome, **over: Any) -> None:
        """Let the worker have written this back."""
        values = {"outcome": outcome, "ended_at": self.clock.now(), **over}
        with self.database.writing() as session:
            session.connection().execute(
                update(Redelivery).where(col(Redelivery.id).in_(ids)).values(**values)
            )

    def change(self, model: type[Any], key: object, **values: object) -> None:
        with self.database.writing() as session:
            row = session.get_one(model, key)
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)

    def webhook(self, webhook_id: int) -> dict[str, Any]:
        with self.database.reading() as session:
            return session.get_one(Webhook, webhook_id).model_dump()


@pytest.fixture
def stage(database: Database, vault: Vault, clock: FakeClock) -> Stage:
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault))
    return Stage(database=database, clock=clock, app=app)
