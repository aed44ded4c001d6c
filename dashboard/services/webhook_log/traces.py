"""One webhook with all that happened to it, from Zoom's event to Recall's answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.errors import NotFoundError
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.resend import Redelivery, Resend
from dashboard.models.webhook import Arrival, Attempt, Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.erasure.redaction import of_webhook


@dataclass(frozen=True, kw_only=True)
class Resent:
    """Once more owed to Recall: the delivery of its own, and who asked for it."""

    redelivery: Redelivery
    resend: Resend


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One webhook from Zoom's event to Recall's answer.

    Attributes:
        attempts: Oldest first, as are the repeats; those of resends among them.
        repeats: Further arrivals of the same webhook.
        connection: The person it is about, when connected; None otherwise.
        mapping: Recall's mapping of the meeting, as last seen; None without one.
        mapped: The connection of that mapping.
        resends: Oldest first.
        holds: What its deliveries stand still for now.
    """

    webhook: Webhook
    app: ZoomApp
    attempts: Sequence[Attempt]
    repeats: Sequence[Arrival]
    connection: Connection | None
    mapping: MeetingMapping | None = None
    mapped: Connection | None = None
    resends: Sequence[Resent] = ()
    holds: Sequence[OpenCircuit] = ()

    @property
    def is_mapped(self) -> bool:
        """Whether Recall maps the meeting to a connection, as last seen."""
        return self.mapping is not None

    @property
    def zoom_delay(self) -> timedelta | None:
        """From Zoom's `event_ts` to the arrival; None when it says nothing usable."""
        if self.webhook.event_ts is None:
            return None
        arrived_ms = self.webhook.received_at.timestamp() * 1000
        return timedelta(milliseconds=arrived_ms - self.webhook.event_ts)

    @property
    def resend_trouble(self) -> str:
        """Why it cannot be sent again; "" when it can."""
        if self.webhook.erased_at is not None:
            return of_webhook(self.webhook.erased_at)
        match self.webhook.outcome:
            case Outcome.WAITING if self.app.recall_app_id is None:
                return "It waits until this zoom app is in Recall."
            case Outcome.WAITING:
                return "It is waiting to be sent already."
            case Outcome.KEPT:
                return "It was only kept: Zoom posted it to Recall itself."
            case _:
                return ""


def get(session: Session, webhook_id: int) -> Trace:
    """Return one webhook with its attempts and what it is about.

    Raises:
        NotFoundError: There is none, or it was pruned.
    """
    webhook = session.get(Webhook, webhook_id)
    if webhook is None:
        raise NotFoundError("webhook")
    app = session.get_one(ZoomApp, webhook.zoom_app_id)
    attempts = (
        select(Attempt)
        .where(col(Attempt.webhook_id) == webhook_id)
        .order_by(col(Attempt.id))
    )
    repeats = (
        select(Arrival)
        .where(col(Arrival.webhook_id) == webhook_id)
        .order_by(col(Arrival.id))
    )
    mapping, mapped = _mapping_of(session, webhook) or (None, None)
    return Trace(
        webhook=webhook,
        app=app,
        attempts=session.exec(attempts).all(),
        repeats=session.exec(repeats).all(),
        connection=_connection_of(session, webhook) or mapped,
        mapping=mapping,
        mapped=mapped,
        resends=resends_of(session, webhook_id),
        holds=_holds_of(session, app),
    )


def _connection_of(session: Session, webhook: Webhook) -> Connection | None:
    if webhook.zoom_user_id is None:
        return None
    query = select(Connection).where(
        col(Connection.zoom_app_id) == webhook.zoom_app_id,
        col(Connection.zoom_user_id) == webhook.zoom_user_id,
    )
    return session.exec(query).first()


def _mapping_of(
    session: Session, webhook: Webhook
) -> tuple[MeetingMapping, Connection] | None:
    if webhook.meeting_id is None:
        return None
    query = (
        select(MeetingMapping, Connection)
        .join(Connection, col(MeetingMapping.connection_id) == col(Connection.id))
        .where(
            col(MeetingMapping.meeting_id) == webhook.meeting_id,
            col(Connection.zoom_app_id) == webhook.zoom_app_id,
        )
        .order_by(col(MeetingMapping.synced_at).desc())
    )
    return session.exec(query).first()


def resends_of(session: Session, webhook_id: int) -> Sequence[Resent]:
    """Return each time a webhook was sent again, oldest first."""
    query = (
        select(Redelivery, Resend)
        .join(Resend, col(Resend.id) == col(Redelivery.resend_id))
        .where(col(Redelivery.webhook_id) == webhook_id)
        .order_by(col(Redelivery.id))
    )
    return [
        Resent(redelivery=redelivery, resend=resend)
        for redelivery, resend in session.exec(query)
    ]


def _holds_of(session: Session, app: ZoomApp) -> Sequence[OpenCircuit]:
    held: list[UUID] = [each for each in (app.id, app.workspace_id) if each is not None]
    query = select(OpenCircuit).where(
        col(OpenCircuit.id).in_(held), col(OpenCircuit.is_holding)
    )
    return session.exec(query.order_by(col(OpenCircuit.since))).all()
