"""Webhooks exactly as received from Zoom, their delivery, and refused requests."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import UniqueConstraint, false, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type


class Outcome(StrEnum):
    """The state of a webhook's delivery."""

    WAITING = "waiting"  # queued for Recall
    DELIVERED = "delivered"  # Recall answered 2xx
    DEAD = "dead"  # failed; an admin can resend it
    KEPT = "kept"  # not forwarded: routing is direct


class Mark(StrEnum):
    """What is odd about a request whose signature is valid (docs/webhooks.md)."""

    LATE = "late"  # signed longer ago than Zoom's retries explain
    CLOCK = "clock"  # signed more than 5 minutes ahead of this server's clock
    UNREADABLE = "unreadable"  # the body is no JSON object in UTF-8


WAITING = "outcome = 'waiting'"
"""The condition of the index of what is due, for a query to name literally."""

DEAD = "outcome = 'dead'"
"""The condition of the index of failed webhooks, for a query to name literally."""

MISTIMED = "timing IS NOT NULL"
"""The condition of the index of late webhooks and those ahead of the clock."""

UNREADABLE = "is_unreadable"
"""The condition of the index of unreadable webhooks."""


def _partial(name: str, *columns: str, where: str) -> Index:
    """Return an index of a few rows; a query names `where` literally to use it."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Webhook(SQLModel, table=True):
    """One request received from Zoom; the list's row. Its bytes are a `WebhookBody`.

    Attributes:
        id: From `models.ids.new_id(received_at)`: newest first is by id, falling.
        dedupe: SHA-256 of zoom app and content: Zoom's retries have the same.
        event: Zoom's event name, at most 80 characters; "" when it has none.
        event_ts: Milliseconds since the epoch as Zoom wrote it; None when unusable.
        sent_at_s: `x-zm-request-timestamp`, whole seconds since the epoch.
        verdict: Which secret matched: "current" or "previous".
        timing: LATE or CLOCK, as it was on arrival; None for nearly all.
        is_unreadable: Whether the body is no JSON object in UTF-8. It is forwarded as
            it came all the same.
        arrivals: How often Zoom sent it.
        answered_ms: From the first byte read to the commit, in milliseconds.
        is_unread: Whether the dashboard itself has still to act on what it says:
            those of `receiver.events.READ_HERE`.
        attempts: Forwarding attempts that count towards giving up.
        refused_at: When Recall first rejected it while it passed our signed test; it
            has failed when that happens again an hour later.
        due_at: Earliest instant of the next attempt; of the end, once it has failed.
        claim: Grows with every claim and never falls: the number of the lease.
        delivered_at: When Recall first accepted it, maybe by a resend.
        erased_at: When its bytes and all that identifies its user were deleted, because
            that user removed the app.
    """

    __table_args__ = (
        # By zoom app first: the rows of a paused one need not be read over.
        _partial("ix_webhook_due_at", "zoom_app_id", "due_at", where=WAITING),
        _partial("ix_webhook_unread", "id", where="is_unread"),
        _partial("ix_webhook_dead", "zoom_app_id", "id", where=DEAD),
        _partial("ix_webhook_timing", "timing", "id", where=MISTIMED),
        _partial("ix_webhook_unreadable", "is_unreadable", "id", where=UNREADABLE),
        Index(None, "zoom_app_id", "id"),
        Index(None, "event", "id"),
        Index(None, "zoom_user_id", "id"),
        Index(None, "zoom_account_id", "id"),
        Index(None, "meeting_id", "id"),
        Index("ix_webhook_outcome_id", "outcome", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    dedupe: bytes = Field(unique=True)
    event: str = Field(max_length=80)
    event_ts: int | None = Field(default=None, sa_type=BigId)
    sent_at_s: int = Field(sa_type=BigId)
    verdict: str = Field(max_length=16)
    timing: Mark | None = Field(default=None, sa_type=enum_type(Mark, is_checked=False))
    is_unreadable: bool = Field(
        default=False, sa_column_kwargs={"server_default": false()}
    )
    zoom_user_id: str | None = Field(default=None, max_length=64)
    zoom_account_id: str | None = Field(default=None, max_length=64)
    meeting_id: int | None = Field(default=None, sa_type=BigId)
    body_bytes: int
    body_sha256: str = Field(max_length=64)
    received_at: datetime = Field(sa_type=UtcDateTime)
    arrivals: int = 1
    answered_ms: float = 0.0
    outcome: Outcome = Field(default=Outcome.WAITING, sa_type=enum_type(Outcome))
    outcome_reason: str = Field(default="", max_length=500)
    is_unread: bool = False
    attempts: int = 0
    refused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
    delivered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    erased_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What is odd about it; empty for nearly all."""
        timing = () if self.timing is None else (self.timing,)
        return (*timing, Mark.UNREADABLE) if self.is_unreadable else timing


class WebhookBody(SQLModel, table=True):
    """The bytes of a webhook, sealed, apart from the list.

    Attributes:
        headers: Sealed JSON list of [name, value] pairs as received, names lower case.
            Its place is (webhook_body, headers, webhook_id).
        body: Sealed request body, byte for byte. Its place is
            (webhook_body, body, webhook_id).
    """

    __tablename__ = "webhook_body"

    webhook_id: int = Field(
        primary_key=True, foreign_key="webhook.id", ondelete="CASCADE", sa_type=BigId
    )
    headers: bytes
    body: bytes


class Arrival(SQLModel, table=True):
    """A repeat of a webhook that is already stored: answered 200, not forwarded."""

    id: int = Field(primary_key=True, sa_type=BigId)
    webhook_id: int = Field(
        foreign_key="webhook.id", ondelete="CASCADE", index=True, sa_type=BigId
    )
    sent_at_s: int = Field(sa_type=BigId)
    received_at: datetime = Field(sa_type=UtcDateTime)


class Attempt(SQLModel, table=True):
    """One try at forwarding one webhook to Recall.

    Attributes:
        redelivery_id: The resend's `Redelivery` it was made for; None for the webhook's
            own forwarding.
        claim: The lease it was made under.
        worker: Whose lease that was, "host:process".
        status: Recall's HTTP status; None when there was no answer.
        latency_ms: From sending to the end of the answer, in milliseconds.
        answer: First 2 KB of Recall's answer as text, redacted.
        verdict: What follows from it: a sentence.
        sent_sha256: SHA-256 of the bytes sent, hex; "" when none were.
        sent_bytes: How many they were.
        headers_passed: Names of Zoom's headers that went with them, space separated.
    """

    id: int = Field(primary_key=True, sa_type=BigId)
    webhook_id: int = Field(
        foreign_key="webhook.id", ondelete="CASCADE", index=True, sa_type=BigId
    )
    redelivery_id: int | None = Field(default=None, sa_type=BigId)
    claim: int = 0
    worker: str = Field(default="", max_length=80)
    started_at: datetime = Field(sa_type=UtcDateTime)
    latency_ms: float
    status: int | None = None
    answer: str = Field(default="", max_length=2048)
    verdict: str = Field(default="", max_length=500)
    sent_sha256: str = Field(max_length=64)
    sent_bytes: int = 0
    headers_passed: str = Field(default="", max_length=300)


class Refusal(SQLModel, table=True):
    """One refused request, out of a bounded sample for each zoom app.

    Attributes:
        cause: A word for counting: `signature`, `missing_header`, `too_old`, ...
        detail: One sentence on why, and who fixes it where. Contains no secret.
    """

    __table_args__ = (Index(None, "zoom_app_id", "id"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    cause: str = Field(max_length=32)
    detail: str = Field(max_length=500)
    status: int
    body_bytes: int
    user_agent: str = Field(default="", max_length=120)
    address: str = Field(default="", max_length=64)
    received_at: datetime = Field(sa_type=UtcDateTime)


class RefusalCount(SQLModel, table=True):
    """How many requests were refused for one cause in one hour."""

    __tablename__ = "refusal_count"
    __table_args__ = (UniqueConstraint("zoom_app_id", "cause", "hour_at"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    cause: str = Field(max_length=32)
    hour_at: datetime = Field(sa_type=UtcDateTime)
    requests: int
