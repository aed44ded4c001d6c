"""Resends that staff asked for, and their redeliveries, one for each webhook."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import UniqueConstraint, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type


class ResendState(StrEnum):
    """The progress of a resend."""

    GATHERING = "gathering"  # its webhooks are still being listed
    SENDING = "sending"
    DONE = "done"
    CANCELLED = "cancelled"


class RedeliveryOutcome(StrEnum):
    """The state of one webhook of a resend."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Resend(SQLModel, table=True):
    """One act of staff: one webhook or many, sent to Recall again.

    Attributes:
        asked_by: Email of the person, or "command line".
        query: The log's query string that chose them; "" for a single webhook.
        expected: How many the preview counted.
        total: How many were gathered so far; final once it is sending.
        id: From `models.ids.new_id` of the preview: later webhooks are not included,
            and a form that is sent twice starts one resend.
        gathered_below: While gathering, and when cancelled meanwhile: webhooks with
            IDs below this were listed; oldest first, so that Recall gets them in
            Zoom's order.
        ended_at: When it was done or cancelled.
    """

    id: int = Field(primary_key=True, sa_type=BigId)
    asked_by: str = Field(max_length=254)
    query: str = Field(default="", max_length=1000)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    state: ResendState = Field(
        default=ResendState.GATHERING, sa_type=enum_type(ResendState), index=True
    )
    expected: int = 0
    total: int = 0
    gathered_below: int | None = Field(default=None, sa_type=BigId)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Redelivery(SQLModel, table=True):
    """One webhook of a resend: a delivery beside the webhook's first one.

    Attributes:
        zoom_app_id: The webhook's.
        attempts: Those that count towards giving up.
        refused_at: As the webhook's own.
        due_at: Earliest instant of the next attempt.
        claim: Grows with every claim and never falls: the number of the lease.
        ended_at: When it was delivered, failed or was cancelled.
    """

    __table_args__ = (
        UniqueConstraint("resend_id", "webhook_id"),
        Index(None, "resend_id", "outcome"),
        Index(
            "ix_redelivery_due_at",
            "zoom_app_id",
            "due_at",
            sqlite_where=text("outcome = 'waiting'"),
            postgresql_where=text("outcome = 'waiting'"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    resend_id: int = Field(foreign_key="resend.id", ondelete="CASCADE", sa_type=BigId)
    webhook_id: int = Field(
        foreign_key="webhook.id", ondelete="CASCADE", index=True, sa_type=BigId
    )
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    outcome: RedeliveryOutcome = Field(
        default=RedeliveryOutcome.WAITING, sa_type=enum_type(RedeliveryOutcome)
    )
    outcome_reason: str = Field(default="", max_length=500)
    attempts: int = 0
    refused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
