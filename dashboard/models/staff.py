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
        disabled_at: Set when the person may no longer sign in.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str = Field(unique=True, max_length=254)
    role: Role = Field(sa_type=enum_type(Role))
    password_hash: str = Field(max_length=255)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_sign_in_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class StaffSession(SQLModel, table=True):
    """A person signed in with one browser; goes when the session ends.

    Attributes:
        id: SHA-256 of the secret in the cookie, hex.
        last_used_at: When the person did something last, to the minute; what a page
            asks by itself does not count.
        address: Where they signed in from.
        user_agent: What the browser called itself then.
    """

    __tablename__ = "staff_session"

    id: str = Field(primary_key=True, max_length=64)
    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    address: str = Field(default="", max_length=64)
    user_agent: str = Field(default="", max_length=200)


class Throttle(SQLModel, table=True):
    """How often something was tried, counted across processes.

    Attributes:
        key: What is counted, hashed: no address or e-mail is readable in it.
        window_at: When the counting began.
    """

    key: str = Field(primary_key=True, max_length=64)
    tries: int = 0
    window_at: datetime = Field(sa_type=UtcDateTime)
