"""What Zoom's own log says of its deliveries."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class DeliveryLog(SQLModel, table=True):
    """How far Zoom's log of one zoom app was read; no row: never.

    Attributes:
        state: Of `marketplace.delivery_log.State`.
        reason: Why it could not be read; "" after it was.
        tried_at: When it was asked for last.
        read_at: When it was last read.
        since: From when on it was read then; None until it was.
        deliveries: How many tries it held then; `failed` how many of them failed.
    """

    __tablename__ = "delivery_log"

    zoom_app_id: UUID = Field(
        primary_key=True, foreign_key="zoom_app.id", ondelete="CASCADE"
    )
    state: str = Field(max_length=32)
    reason: str = Field(default="", max_length=500)
    tried_at: datetime = Field(sa_type=UtcDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deliveries: int = 0
    failed: int = 0


class FailedDelivery(SQLModel, table=True):
    """One try of Zoom's that failed by its own log; nothing of the body is kept.

    Attributes:
        id: From `models.ids.new_id(sent_at)`.
        key: SHA-256 of what tells it from other tries.
        dedupe: `Webhook.dedupe` of the same event, to find it if it arrived; None when
            the log holds no body.
        is_to_recall: Whether it was sent to Recall's webhook URL, not to ours.
        host: Of that URL.
        status: HTTP status of the answer; None where the log has none.
        code: Zoom's number for the failure; None where the log has none.
        answered_by: "page" for a web page, "dashboard" for a text that the dashboard
            answers with, "" when neither tells.
    """

    __tablename__ = "failed_delivery"
    __table_args__ = (
        Index(None, "zoom_app_id", "id"),
        Index(None, "zoom_user_id", "id"),
        Index(None, "meeting_id", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id", ondelete="CASCADE")
    key: bytes = Field(unique=True)
    dedupe: bytes | None = Field(default=None, index=True)
    event: str = Field(max_length=80)
    is_to_recall: bool = False
    host: str = Field(max_length=255)
    status: int | None = None
    code: int | None = None
    answered_by: str = Field(default="", max_length=16)
    zoom_user_id: str | None = Field(default=None, max_length=64)
    zoom_account_id: str | None = Field(default=None, max_length=64)
    meeting_id: int | None = Field(default=None, sa_type=BigId)
    sent_at: datetime = Field(sa_type=UtcDateTime)
