"""The customer's endpoints: what they get, and each delivery to one of them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Text, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type


class EndpointKind(StrEnum):
    """What an endpoint gets."""

    EVENTS = "events"  # the dashboard's own, signed with the endpoint's secret
    COPIES = "copies"  # a zoom app's webhooks, as Recall gets them: a destination


class Endpoint(SQLModel, table=True):
    """Where events, or copies of a zoom app's webhooks, are sent.

    Attributes:
        zoom_app_id: Whose webhooks are copied; None for events.
        url: Sealed, for it may hold a secret. Its place is (endpoint, url, id).
        host: Of the URL, for pages.
        events: Which, by name, space separated; "" for copies.
        zoom_apps: IDs of those whose events are sent, space separated; "" for all.
        secret: Sealed signing secret, `whsec_` and base64; None for copies. Its place
            is (endpoint, secret, id).
        previous_secret: The former one, which signs as well until `previous_until`.
        created_by: Email of the person, or "command line"; so is `paused_by`, which is
            "" when the dashboard paused it.
        paused_at: While paused, deliveries wait.
        failing_since: The first failure since the last success.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: EndpointKind = Field(sa_type=enum_type(EndpointKind))
    zoom_app_id: UUID | None = Field(
        default=None, foreign_key="zoom_app.id", index=True, ondelete="CASCADE"
    )
    url: bytes
    host: str = Field(max_length=255)
    events: str = Field(default="", max_length=1000)
    zoom_apps: str = Field(default="", sa_type=Text)
    secret: bytes | None = None
    previous_secret: bytes | None = None
    previous_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=254)
    paused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    paused_by: str = Field(default="", max_length=254)
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DeliveryOutcome(StrEnum):
    """The state of one delivery to an endpoint."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class EndpointDelivery(SQLModel, table=True):
    """One event or one webhook on its way to one endpoint; the row is the queue.

    Attributes:
        event_id: None for a copy, and for a test.
        webhook_id: Whose bytes are sent; None for an event, and for a test.
        attempts: Those that count towards giving up.
        refused_at: As a webhook's own; stays None.
        due_at: Earliest instant of the next attempt.
        claim: Grows with every claim and never falls: the number of the lease.
        ended_at: When it was delivered or failed.
    """

    __tablename__ = "endpoint_delivery"
    __table_args__ = (
        Index(
            "ix_endpoint_delivery_due_at",
            "endpoint_id",
            "due_at",
            sqlite_where=text("outcome = 'waiting'"),
            postgresql_where=text("outcome = 'waiting'"),
        ),
        Index(None, "endpoint_id", "id"),
        Index(None, "endpoint_id", "outcome", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    endpoint_id: UUID = Field(foreign_key="endpoint.id", ondelete="CASCADE")
    event_id: int | None = Field(
        default=None,
        foreign_key="event.id",
        ondelete="CASCADE",
        index=True,
        sa_type=BigId,
    )
    webhook_id: int | None = Field(
        default=None,
        foreign_key="webhook.id",
        ondelete="CASCADE",
        index=True,
        sa_type=BigId,
    )
    made_at: datetime = Field(sa_type=UtcDateTime)
    outcome: DeliveryOutcome = Field(
        default=DeliveryOutcome.WAITING, sa_type=enum_type(DeliveryOutcome)
    )
    outcome_reason: str = Field(default="", max_length=500)
    attempts: int = 0
    refused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class EndpointAttempt(SQLModel, table=True):
    """One try at one delivery; the fields as those of a webhook's `Attempt`."""

    __tablename__ = "endpoint_attempt"

    id: int = Field(primary_key=True, sa_type=BigId)
    delivery_id: int = Field(
        foreign_key="endpoint_delivery.id",
        ondelete="CASCADE",
        index=True,
        sa_type=BigId,
    )
    claim: int = 0
    worker: str = Field(default="", max_length=80)
    started_at: datetime = Field(sa_type=UtcDateTime)
    latency_ms: float
    status: int | None = None
    answer: str = Field(default="", max_length=2048)
    verdict: str = Field(default="", max_length=500)
    sent_sha256: str = Field(max_length=64)
    sent_bytes: int = 0
