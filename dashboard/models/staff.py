"""A person who signs in, and the counters that slow guessing down."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type


class Role(StrEnum):
    """What a person may do; see services/staff/permissions.py."""

    ADMIN = "admin"
    SUPPORT = "support"


class Staff(SQLModel, table=True):
    """A person who signs in.

    Attributes:
        email: Lower case; unique.
        password_hash: Argon2id, in its own text form.
        session_epoch: Grows when every session of this person must end.
        disabled_at: Set when the person may no longer sign in.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str = Field(unique=True, max_length=254)
    role: Role = Field(sa_type=enum_type(Role))
    password_hash: str = Field(max_length=255)
    session_epoch: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_sign_in_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Throttle(SQLModel, table=True):
    """How often something was tried, counted across processes.

    Attributes:
        key: What is counted, hashed: no address or e-mail is readable in it.
        window_at: When the counting began.
    """

    key: str = Field(primary_key=True, max_length=64)
    tries: int = 0
    window_at: datetime = Field(sa_type=UtcDateTime)
