"""A Recall region with its API key, and the calls counted against its rate limits."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlmodel import Field, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type


class Verdict(StrEnum):
    """A vendor's verdict on credentials or a key. No answer is not "wrong"."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Workspace(SQLModel, table=True):
    """A Recall region with its API key; everything in Recall is local to it.

    Attributes:
        region: "us-east-1", "us-west-2", "eu-central-1" or "ap-northeast-1".
        api_key: Sealed. Its place is (workspace, api_key, id).
        api_key_print: Fingerprint of the key; unique with the region.
        verification_secret: Sealed `whsec_...`; None until one was entered. Its place
            is (workspace, verification_secret, id); `_print`, `_length` and `_set_at`
            go with it.
        requires_signature: Whether Recall's unsigned token requests are rejected.
        mappings_due_at: When Recall's list of mapped meetings is read next.
        mappings_seen_at: Recall's instant of the newest mapping that was read.
        mappings_read_at: When the list was last read up to the present.
        verdict: The result of a read-only call with the key, at `checked_at`; the same
            since `verdict_since`.
        key_due_at: When Recall is asked about the key next; None: now.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(max_length=80)
    region: str = Field(max_length=32)
    api_key: bytes
    api_key_print: str = Field(max_length=8)
    api_key_length: int
    api_key_set_at: datetime = Field(sa_type=UtcDateTime)
    verification_secret: bytes | None = None
    verification_secret_print: str = Field(default="", max_length=8)
    verification_secret_length: int = 0
    verification_secret_set_at: datetime | None = Field(
        default=None, sa_type=UtcDateTime
    )
    requires_signature: bool = False
    mappings_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    mappings_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    mappings_read_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verdict: Verdict = Field(default=Verdict.UNKNOWN, sa_type=enum_type(Verdict))
    verdict_reason: str = Field(default="", max_length=300)
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verdict_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    key_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class RateSlot(SQLModel, table=True):
    """Calls of one operation with one workspace's key in one slot of a few seconds.

    Attributes:
        scope: "region:fingerprint of the API key".
        operation: Of `clients.recall.operations`, as "apps.list".
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
