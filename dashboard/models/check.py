"""One piece of evidence about validation."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type


class Source(StrEnum):
    """Where the evidence comes from."""

    ZOOM_CHALLENGE = "zoom_challenge"  # Zoom's validation request reached us
    ZOOM_EVENT = "zoom_event"  # an event with a valid signature reached us
    OUTSIDE_PROBE = "outside_probe"  # self-test of the public URL
    RECALL_CHALLENGE = (
        "recall_challenge"  # Recall answered a forwarded validation request
    )
    RECALL_PROBE = "recall_probe"  # Recall answered a test request
    RECALL_API = "recall_api"  # Recall's `webhook_last_validation`
    RECALL_LOG = "recall_log"  # an entry of Recall's log of the app


class Finding(StrEnum):
    """What the evidence says."""

    GOOD = "good"
    SECRET_MISMATCH = "secret_mismatch"  # noqa: S105 - a word, no password
    FAILED = "failed"
    NOT_SEEN = "not_seen"
    GONE = "gone"  # the app was deleted in Recall
    NOTED = "noted"  # a log entry, which proves nothing


class Check(SQLModel, table=True):
    """One piece of evidence about a zoom app's validation; append-only.

    Attributes:
        at: When the thing was seen.
        detail: One sentence on what was seen; holds no secret.
        took_ms: How long the answer took, in milliseconds, where that has a meaning.
        webhook_id: The webhook that is the evidence, when it is one.
        told_at: The instant that the evidence speaks of, when that is not the one at
            which it was seen: Recall's `webhook_last_validation`, a log entry's time.
    """

    __tablename__ = "validation_check"
    __table_args__ = (Index(None, "zoom_app_id", "source", "id"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    source: Source = Field(sa_type=enum_type(Source))
    finding: Finding = Field(sa_type=enum_type(Finding))
    detail: str = Field(max_length=300)
    took_ms: float | None = None
    webhook_id: int | None = Field(default=None, sa_type=BigId)
    at: datetime = Field(sa_type=UtcDateTime)
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
