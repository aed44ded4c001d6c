"""A user of whom every table holds something, and how they leave."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlmodel import SQLModel

from dashboard.models.audit import AuditEntry
from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    MeetingMapping,
)
from dashboard.models.connection_event import ConnectionEvent
from dashboard.models.hold import Hold, HoldKind
from dashboard.models.ids import new_id
from dashboard.models.invitation import Invitation
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend, ResendState
from dashboard.models.webhook import Attempt, Outcome, Webhook
from dashboard.sandbox.zoom.records import ZoomUser
from dashboard.services.erasure import steps
from dashboard.services.sweep import events, sweep
from tests.connect_stage import ConnectStage
from tests.makers import FakeClock, a_body, a_webhook

FORMER_PMI = 5559876543
SYNCED, UNNAMED = 91234567890, 93456789012
TOPIC = "Ana's raise"
BROWSER_HASH = "b" * 64


@dataclass(kw_only=True)
class Everything:
    """A connected user of whom every table holds something."""

    stage: ConnectStage
    clock: FakeClock
    row: Connection
    user: ZoomUser

    @property
    def needles(self) -> list[str]:
        """What must not be found anywhere afterwards."""
        return [
            self.user.id,
            self.user.email,
            self.user.display_name,
            *(str(n) for n in (self.user.pmi, FORMER_PMI, SYNCED, UNNAMED)),
            TOPIC,
            BROWSER_HASH,
            *([self.credential] if self.credential else []),
        ]

    @property
    def credential(self) -> str:
        """Recall's id of it, "" when there is none."""
        credential_id = self.row.recall_credential_id
        return str(credential_id) if credential_id is not None else ""

    def fill(self) -> None:
        """Store something of the user in every place there is."""
        services, app = self.stage.services, self.stage.app
        now, vault = services.clock.now(), services.vault
        with services.database.writing() as session:
            row = session.get_one(Connection, self.row.id)
            row.previous_pmi = FORMER_PMI
            session.add_all([row, *self._beside(row)])
            session.flush()
            for hook in self._webhooks():
                session.add(hook)
                session.flush()
                session.add(a_body(vault, hook, **self._bytes(hook)))
                session.add(self._attempt(hook))
            resend = Resend(
                id=new_id(now),
                asked_by="admin@example.com",
                asked_at=now,
                query=f"user={self.user.id}&meeting={SYNCED}",
                state=ResendState.DONE,
            )
            session.add(resend)
            session.flush()
            session.add(
                Redelivery(
                    id=new_id(now),
                    resend_id=resend.id,
                    webhook_id=hook.id,
                    zoom_app_id=app.id,
                    outcome=RedeliveryOutcome.DEAD,
                    outcome_reason=self._said,
                    due_at=now,
                )
            )

    @property
    def _said(self) -> str:
        user = self.user
        return (
            f"Said of {user.display_name} <{user.email.upper()}>, {user.id}, "
            f"{user.pmi}, {FORMER_PMI} and {SYNCED}."
        )

    def _beside(self, row: Connection) -> Iterator[SQLModel]:
        app, now = self.stage.app, self.stage.services.clock.now()
        yield MeetingMapping(
            id=new_id(now),
            connection_id=row.id,
            meeting_id=UNNAMED,
            synced_at=now,
            seen_at=now,
        )
        yield ConnectionEvent(
            id=new_id(now),
            connection_id=row.id,
            at=now,
            source="zoom",
            kind="pmi",
            words=self._said,
        )
        made: dict[str, Any] = {
            "zoom_app_id": app.id,
            "created_at": now,
            "expires_at": now,
        }
        by_email = uuid4()
        links: list[dict[str, Any]] = [
            {"zoom_user_id": self.user.id},
            {"connection_id": row.id, "user_ref": self.user.display_name},
            {"id": by_email, "email": self.user.email.upper()},
            {"email": "bo@example.com", "tried_as": self._said},
        ]
        for number, over in enumerate(links):
            yield Invitation(token_hash=f"{number}" * 64, **made, **over)
        trips: list[dict[str, Any]] = [
            {"connection_id": row.id, "browser_hash": BROWSER_HASH},
            {"invitation_id": by_email, "browser_hash": BROWSER_HASH},
            {"browser_hash": BROWSER_HASH},
            {"browser_hash": "c" * 64},
        ]
        for number, over in enumerate(trips):
            yield ConnectAttempt(
                state_hash=f"{number}" * 64,
                outcome=AttemptOutcome.ABANDONED,
                detail=self._said,
                **made,
                **over,
            )
        yield AuditEntry(
            id=new_id(now), at=now, actor="user", act="a.b", subject=self._said
        )
        yield Check(
            id=new_id(now),
            zoom_app_id=app.id,
            source=Source.RECALL_LOG,
            finding=Finding.NOTED,
            detail=self._said,
            at=now,
        )
        yield Hold(
            id=uuid4(),
            kind=HoldKind.ZOOM_APP,
            reason=self._said,
            since=now,
            probe_at=now,
        )

    def _webhooks(self) -> Iterator[Webhook]:
        app, now = self.stage.app, self.stage.services.clock.now()
        of_user: dict[str, Any] = {
            "zoom_user_id": self.user.id,
            "received_at": now,
            "outcome_reason": self._said,
        }
        of_meeting = {**of_user, "zoom_user_id": None, "event": "meeting.updated"}
        for outcome in (Outcome.DELIVERED, Outcome.DEAD, Outcome.KEPT):
            yield a_webhook(app, outcome=outcome, meeting_id=SYNCED, **of_user)
        yield a_webhook(
            app, outcome=Outcome.DELIVERED, meeting_id=UNNAMED, **of_meeting
        )
        yield a_webhook(
            app, outcome=Outcome.DELIVERED, meeting_id=FORMER_PMI, **of_meeting
        )

    def _bytes(self, hook: Webhook) -> dict[str, bytes]:
        body = {
            "event": hook.event,
            "payload": {"operator": self.user.email, "object": {"topic": TOPIC}},
        }
        headers = [["x-about", self._said]]
        return {
            "body": json.dumps(body).encode(),
            "headers": json.dumps(headers).encode(),
        }

    def _attempt(self, hook: Webhook) -> Attempt:
        now = self.stage.services.clock.now()
        return Attempt(
            id=new_id(now),
            webhook_id=hook.id,
            started_at=now,
            latency_ms=1.0,
            answer=f"No such meeting: {TOPIC}",
            verdict=self._said,
            sent_sha256="0" * 64,
        )


def leave(everything: Everything) -> None:
    """Let the user remove the app, Zoom say so, and the dashboard see it."""
    stage, user = everything.stage, everything.user
    everything.clock.advance(minutes=1)
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, user.id)
    told = deauthorized(everything)
    events.read_some(stage.services)
    settle(stage, told)
    sweep.check_due(stage.services)


def deauthorized(everything: Everything, **over: Any) -> int:
    """Store Zoom's word as the receiver does; return its id."""
    stage, user = everything.stage, everything.user
    now = stage.services.clock.now()
    hook = a_webhook(
        stage.app,
        **{
            "event": "app_deauthorized",
            "zoom_user_id": user.id,
            "received_at": now,
            "meeting_id": None,
            "is_unread": True,
            "outcome": Outcome.WAITING,
            **over,
        },
    )
    payload = {"client_id": stage.app.client_id, "user_id": user.id}
    body = json.dumps({"event": hook.event, "payload": payload}).encode()
    with stage.services.database.writing() as session:
        session.add(hook)
        session.flush()
        session.add(a_body(stage.services.vault, hook, body=body))
    return hook.id


def settle(stage: ConnectStage, webhook_id: int) -> None:
    """Let Recall take a webhook."""
    with stage.services.database.writing() as session:
        hook = session.get_one(Webhook, webhook_id)
        hook.outcome, hook.is_unread = Outcome.DELIVERED, False
        session.add(hook)


def wait(everything: Everything, **time: float) -> None:
    """Let time go by, and the worker do its chore meanwhile and then."""
    clock = everything.clock
    until = clock.now() + timedelta(**time)
    while True:
        steps.tend(everything.stage.services)
        if clock.now() >= until:
            return
        clock.set(min(clock.now() + timedelta(hours=1), until))
