"""Tokens stored by the dashboard: token custody `dashboard`."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, text
from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime

_ZERO = {"server_default": text("0")}


class HeldGrant(SQLModel, table=True):
    """One connection's grant at Zoom; one process at a time refreshes it.

    Attributes:
        key_hash: SHA-256, hex, of the key in the address that Recall calls; unique.
        access_token: Sealed, as is `refresh_token`. Each one's place is
            (held_grant, <column>, connection_id).
        api_url: API host that Zoom named with the tokens; "": the app's.
        version: Grows with each stored pair of tokens. A refresh replaces the version
            it started from, and no other.
        expires_at: When the access token expires.
        refresh_due_at: When it is refreshed, ahead of need.
        asked_at: When the running refresh was sent to Zoom; stays if the process dies.
            Zoom may have ended the refresh token since.
        lease_until: A process is refreshing it, until then at most.
        claim: Grows with each claim and never falls.
        failures: Refreshes in a row without an answer; they delay the next ones.
        failure: The last error; contains no secret.
        lost_at: When Zoom rejected the refresh token: the user must reconnect.
        served_at: When Recall last fetched the token.
        unsigned_at: When Recall last asked without a signature, refused or not.
        served_count: How often Recall fetched a token.
        rejected_count: How often a request was rejected for its signature, or for
            having none.
    """

    __tablename__ = "held_grant"

    connection_id: UUID = Field(
        primary_key=True, foreign_key="connection.id", ondelete="CASCADE"
    )
    key_hash: str = Field(unique=True, max_length=64)
    access_token: bytes
    refresh_token: bytes
    api_url: str = Field(
        default="", max_length=100, sa_column_kwargs={"server_default": text("''")}
    )
    version: int = 1
    expires_at: datetime = Field(sa_type=UtcDateTime)
    obtained_at: datetime = Field(sa_type=UtcDateTime)
    refresh_due_at: datetime = Field(sa_type=UtcDateTime, index=True)
    asked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
    failures: int = 0
    failed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failure: str = Field(default="", max_length=300)
    lost_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    served_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    unsigned_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    served_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
    rejected_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_ZERO)
