"""A person who signs in, what proves them, and the counters that slow guessing down."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, text
from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type

_EMPTY = {"server_default": text("''")}


class Role(StrEnum):
    """What a person may do; see services/staff/permissions.py."""

    VIEWER = "viewer"
    SUPPORT = "support"
    OPERATOR = "operator"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Staff(SQLModel, table=True):
    """A person who signs in.

    Attributes:
        email: Lower case; unique.
        password_hash: Argon2id, in its own text form; "" before the first is chosen.
        disabled_at: Set when the person may no longer sign in.
        is_limited: To the zoom apps of `StaffZoomApp`; with none there, to none.
        time_zone: In which their pages write times, as "Europe/Paris"; "" is UTC.
        theme: "light" or "dark"; "" follows the system.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    email: str = Field(unique=True, max_length=254)
    role: Role = Field(sa_type=enum_type(Role))
    password_hash: str = Field(max_length=255)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_sign_in_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    is_limited: bool = False
    time_zone: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    theme: str = Field(default="", max_length=8, sa_column_kwargs=_EMPTY)


class StaffZoomApp(SQLModel, table=True):
    """A zoom app that a limited person works with."""

    __tablename__ = "staff_zoom_app"

    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", primary_key=True)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id", primary_key=True)


class StaffSession(SQLModel, table=True):
    """A person signed in with one browser; goes when the session ends.

    Attributes:
        id: SHA-256 of the secret in the cookie, hex.
        last_used_at: When the person did something last, to the minute; what a page
            asks by itself does not count.
        address: Where they signed in from.
        user_agent: What the browser called itself then.
        second_factor: How the person proved themselves besides a password; "" when
            they did not.
        proven_at: When they did last, with a password or a second factor.
    """

    __tablename__ = "staff_session"

    id: str = Field(primary_key=True, max_length=64)
    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    address: str = Field(default="", max_length=64)
    user_agent: str = Field(default="", max_length=200)
    second_factor: str = Field(default="", max_length=20)
    proven_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Passkey(SQLModel, table=True):
    """A WebAuthn credential of a person.

    Attributes:
        credential_id: The authenticator's own name for it, URL-safe base64.
        public_key: COSE, as the authenticator gave it.
        sign_count: What the authenticator counted last; 0 from those that do not count.
        name: What the person calls it.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", index=True)
    credential_id: str = Field(unique=True, max_length=1400)
    public_key: bytes
    sign_count: int = Field(default=0, sa_type=BigInteger)
    name: str = Field(max_length=60)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Authenticator(SQLModel, table=True):
    """An authenticator app of a person: one secret for time-based codes.

    Attributes:
        secret: Base32, sealed.
        confirmed_at: When the person first typed a code of it; until then it opens
            nothing.
        last_step: The half minute of the code used last: none is taken twice.
    """

    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", primary_key=True)
    secret: bytes
    created_at: datetime = Field(sa_type=UtcDateTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_step: int = Field(default=0, sa_type=BigInteger)


class RecoveryCode(SQLModel, table=True):
    """A code that stands in for a lost second factor, once; goes when it is used.

    Attributes:
        code_hash: SHA-256 of 80 random bits, hex.
    """

    __tablename__ = "recovery_code"

    code_hash: str = Field(primary_key=True, max_length=64)
    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


class StaffLink(SQLModel, table=True):
    """A link with which a person chooses a password, once; goes when it is used.

    Attributes:
        staff_id: One link for each person: a new one replaces the former.
        secret_hash: SHA-256 of the link's secret, hex.
    """

    __tablename__ = "staff_link"

    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", primary_key=True)
    secret_hash: str = Field(unique=True, max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class SpentProof(SQLModel, table=True):
    """A challenge or sign-in step that succeeded: nobody succeeds with it again.

    Attributes:
        key: SHA-256 of it, hex.
        expires_at: When it would not be taken anyway.
    """

    __tablename__ = "spent_proof"

    key: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class Throttle(SQLModel, table=True):
    """How often something was tried, counted across processes.

    Attributes:
        key: What is counted, hashed: no address or e-mail is readable in it.
        window_at: When the counting began.
    """

    key: str = Field(primary_key=True, max_length=64)
    tries: int = 0
    window_at: datetime = Field(sa_type=UtcDateTime)
