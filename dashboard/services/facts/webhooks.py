"""How the delivery of a webhook to Recall stands.

The log, a webhook's page, activity, timelines, commands, exports and Explain draw what
this says.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, literal_column
from sqlmodel import Session, col, select

from dashboard.models.circuit import OpenCircuit
from dashboard.models.webhook import DEAD, Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts.acting import Fact, Problem
from dashboard.services.facts.zoom_apps import (
    GOOD,
    OFF,
    TROUBLE,
    WAITING,
    delivery,
    worker,
)
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus

WORDS = {
    Outcome.WAITING: "Waiting",
    Outcome.DELIVERED: "Delivered",
    Outcome.DEAD: "Failed",
    Outcome.KEPT: "Not forwarded",
}
"""What pages call each outcome: filters, tabs and legends."""


def standing(
    webhook: Webhook,
    *,
    is_in_recall: bool = True,
    paused: Fact | None = None,
    idle: Fact | None = None,
) -> Fact:
    """Return how the delivery of one webhook stands. Pure.

    Args:
        webhook: Which.
        is_in_recall: Whether its zoom app is.
        paused: That the app's delivery is paused, if it is.
        idle: That no background worker runs, if none does.
    """
    match webhook.outcome:
        case Outcome.WAITING:
            return _waiting(
                webhook, is_in_recall=is_in_recall, paused=paused, idle=idle
            )
        case Outcome.DEAD if webhook.delivered_at is None:
            return Fact(
                problem=Problem.WEBHOOK_FAILED,
                word=WORDS[Outcome.DEAD],
                tone=TROUBLE,
                sentence="Recall never received it. Delivery failed.",
                reason=webhook.outcome_reason,
                since=webhook.due_at,
            )
        case Outcome.KEPT:
            return Fact(
                problem=Problem.NOT_FORWARDED,
                word=WORDS[Outcome.KEPT],
                tone=OFF,
                sentence="It was not forwarded: Zoom posts to Recall itself.",
                reason=webhook.outcome_reason,
                since=webhook.received_at,
            )
        case _:
            is_again = webhook.outcome is Outcome.DEAD
            return Fact(
                word="Resent" if is_again else WORDS[Outcome.DELIVERED],
                tone=GOOD,
                sentence="Recall accepted it by a resend."
                if is_again
                else "Recall accepted it.",
                reason=webhook.outcome_reason,
                since=webhook.delivered_at,
                proof_at=webhook.delivered_at,
            )


def _waiting(
    webhook: Webhook, *, is_in_recall: bool, paused: Fact | None, idle: Fact | None
) -> Fact:
    queued = Fact(
        problem=Problem.WEBHOOK_QUEUED,
        word=WORDS[Outcome.WAITING],
        tone=WAITING,
        sentence="Recall has not received it yet. It is queued.",
        reason=webhook.outcome_reason,
        since=webhook.received_at,
        next_check=webhook.due_at,
    )
    changes: dict[str, Any] = {}
    if not is_in_recall:
        changes = {
            "problem": Problem.WEBHOOK_WAITS_FOR_APP,
            "sentence": "It waits until this zoom app is in Recall.",
            "next_check": None,
        }
    elif idle is not None:
        changes = {
            "problem": idle.problem,
            "word": "Not sent",
            "tone": TROUBLE,
            "sentence": "It is queued, and nothing sends it now.",
            "reason": idle.sentence,
            "next_check": None,
        }
    elif paused is not None:
        changes = {
            "problem": paused.problem,
            "word": "Paused",
            "sentence": paused.sentence,
            "reason": paused.reason,
            "since": paused.since,
            "next_check": paused.next_check,
        }
    elif webhook.refused_at is not None:
        changes = {
            "problem": Problem.WEBHOOK_REJECTED,
            "word": "Rejected once",
            "sentence": "Recall rejected it, though it accepts others. It will be "
            "tried once more.",
            "since": webhook.refused_at,
        }
    return Fact(**(vars(queued) | changes))


def is_failed() -> ColumnElement[bool]:
    """Return the condition of those that failed and that no resend delivered."""
    return and_(literal_column(DEAD), col(Webhook.delivered_at).is_(None))


def is_owed() -> ColumnElement[bool]:
    """Return the condition of those that Recall has not got: waiting, or failed."""
    outcome = col(Webhook.outcome)
    got = and_(outcome == Outcome.DEAD, col(Webhook.delivered_at).is_not(None))
    return and_(outcome.in_([Outcome.WAITING, Outcome.DEAD]), ~got)


class Reader:
    """Says how webhooks stand; what they share is read when the first one waits.

    Args:
        session: Reading, as long as this is used.
        now: Aware.
        is_worked: Whether the background worker runs, if that was read already.
    """

    def __init__(
        self, session: Session, *, now: datetime, is_worked: WorkerStatus | None = None
    ) -> None:
        self._session = session
        self._now = now
        self._worker = is_worked
        self._is_loaded = False
        self._apps: dict[UUID, tuple[bool, Fact | None]] = {}
        self._idle: Fact | None = None

    def load(self) -> "Reader":
        """Read now what webhooks share, so that the session is needed no more."""
        if not self._is_loaded:
            self._is_loaded, self._apps = True, self._read()
            status = self._worker or heartbeats.find(self._session, now=self._now)
            self._idle = worker(status)
        return self

    def __call__(self, webhook: Webhook) -> Fact:
        """Return how one stands."""
        if webhook.outcome is not Outcome.WAITING:
            return standing(webhook)
        self.load()
        is_in_recall, paused = self._apps.get(webhook.zoom_app_id, (True, None))
        return standing(
            webhook, is_in_recall=is_in_recall, paused=paused, idle=self._idle
        )

    def _read(self) -> dict[UUID, tuple[bool, Fact | None]]:
        """Return whether each app is in Recall, and what pauses its delivery."""
        holding = select(OpenCircuit).where(col(OpenCircuit.is_holding))
        paused = {each.id: delivery(each) for each in self._session.exec(holding)}
        query = select(ZoomApp.id, ZoomApp.recall_app_id, ZoomApp.workspace_id)
        return {
            app_id: (
                recall_app_id is not None,
                paused.get(app_id)
                or (paused.get(workspace_id) if workspace_id else None),
            )
            for app_id, recall_app_id, workspace_id in self._session.exec(query)
        }
