"""A Recall region with its API key."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type


class Verdict(StrEnum):
    """What a vendor said of a pair or a key. Not being able to ask is not "wrong"."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Workspace(SQLModel, table=True):
    """A Recall region with its API key; everything in Recall is local to it.

    Attributes:
        region: "us-east-1", "us-west-2", "eu-central-1" or "ap-northeast-1".
        api_key: Sealed. Its place is (workspace, api_key, id).
        api_key_print: Fingerprint of the key; unique with the region.
        verification_secret: Sealed `whsec_...`; None until Recall made one. Its place
            is (workspace, verification_secret, id); `_print`, `_length` and `_set_at`
            go with it.
        requires_signature: Whether Recall's unsigned calls for tokens are refused.
        mappings_due_at: When Recall's list of mapped meetings is read next.
        mappings_seen_at: Recall's instant of the newest mapping that was read.
        verdict: What a harmless call with the key said, at `checked_at`.
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
    verdict: Verdict = Field(default=Verdict.UNKNOWN, sa_type=enum_type(Verdict))
    verdict_reason: str = Field(default="", max_length=300)
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
