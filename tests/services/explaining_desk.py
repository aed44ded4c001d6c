"""A database with one zoom app, and somebody of support who asks about it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.ids import new_id
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.services.explain import explain as explaining
from dashboard.services.explain.explain import Answer
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, saved_app

ANA, OTHER = "zUsEr0001AAAAAAAAAAAAA", "zUsEr0002BBBBBBBBBBBBB"
MEETING, PMI, OLD_PMI = 91234567890, 5551234567, 5559876543


class Desk:
    """A database with one zoom app, and somebody who asks."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database, self.vault = database, vault
        with database.writing() as session:
            self.app_id = saved_app(session, vault, environment=Environment.PRODUCTION)
        self.app = self.get(ZoomApp, self.app_id)
        self._validate(self.app)

    def get(self, model: Any, row_id: object) -> Any:
        with self.database.reading() as session:
            return session.get_one(model, row_id)

    def add(self, *rows: Any) -> None:
        with self.database.writing() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def other_app(self, **over: Any) -> ZoomApp:
        with self.database.writing() as session:
            app_id = saved_app(session, self.vault, **over)
        found: ZoomApp = self.get(ZoomApp, app_id)
        self._validate(found)
        return found

    def _validate(self, app: ZoomApp) -> None:
        with self.database.writing() as session:
            evidence.record(
                session,
                zoom_app_id=app.id,
                source=Source.ZOOM_CHALLENGE,
                finding=Finding.GOOD,
                detail="Answered.",
                at=NOON,
            )

    def ana(self, app: ZoomApp | None = None, **over: Any) -> Connection:
        row = a_connection(app or self.app, **{"zoom_user_id": ANA, **over})
        self.add(row)
        return row

    def hook(self, **over: Any) -> Webhook:
        values = {"outcome": Outcome.DELIVERED, "zoom_user_id": ANA, **over}
        row = a_webhook(self.app, **values)
        self.add(row)
        return row

    def mapped(self, row: Connection, **over: Any) -> None:
        values = {"meeting_id": MEETING, "synced_at": NOON, "seen_at": NOON, **over}
        self.add(MeetingMapping(id=new_id(NOON), connection_id=row.id, **values))

    def invited(self, state: InvitationState, **over: Any) -> Invitation:
        values = {
            "email": "ana@example.com",
            "created_at": NOON,
            "expires_at": NOON + timedelta(days=7),
            "token_hash": uuid4().hex,
            **over,
        }
        row = Invitation(zoom_app_id=self.app_id, state=state, **values)
        self.add(row)
        return row

    def explain(self, text: object) -> Answer:
        with self.database.reading() as session:
            return explaining.explain(session, self.vault, str(text), now=NOON)

    def verdict(self, text: object) -> str:
        return self.explain(text).verdict.id
