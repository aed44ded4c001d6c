"""What was asked of Recall lately, counted for all processes together."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class RateSlot(SQLModel, table=True):
    """Calls of one operation with one workspace's key in one slot of a few seconds.

    Attributes:
        scope: "region:fingerprint of the API key".
        operation: Of `runtime.recall.budgets`, as "apps.list".
        slot: Number of the slot since the epoch.
        used: Calls begun in it.
    """

    __tablename__ = "rate_slot"

    scope: str = Field(max_length=80, primary_key=True)
    operation: str = Field(max_length=40, primary_key=True)
    slot: int = Field(sa_type=BigId, primary_key=True)
    used: int


class RatePause(SQLModel, table=True):
    """Recall answered 429: until when this operation is not called.

    Attributes:
        said_at: When Recall said so.
        until: What its `Retry-After` amounts to, or our own guess without one.
    """

    __tablename__ = "rate_pause"

    scope: str = Field(max_length=80, primary_key=True)
    operation: str = Field(max_length=40, primary_key=True)
    said_at: datetime = Field(sa_type=UtcDateTime)
    until: datetime = Field(sa_type=UtcDateTime)
