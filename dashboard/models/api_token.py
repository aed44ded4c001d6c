"""What the customer's own software signs its calls of the API with, and its replays."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import UtcDateTime


class ApiToken(SQLModel, table=True):
    """A token of the API; its text is shown once and never stored.

    Attributes:
        token_hash: SHA-256 of the token, hex; unique.
        hint: Its last four characters, so that people tell tokens apart.
        scopes: Of services.api_tokens.Scope, sorted, space separated.
        zoom_app_id: The only zoom app it sees; None: all of them.
        made_by: Who made it, as the audit log names people.
        last_used_at: To the minute; with `last_used_from`, the address.
    """

    __tablename__ = "api_token"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(max_length=80)
    token_hash: str = Field(unique=True, max_length=64)
    hint: str = Field(max_length=4)
    scopes: str = Field(max_length=300)
    zoom_app_id: UUID | None = Field(
        default=None, foreign_key="zoom_app.id", ondelete="CASCADE", index=True
    )
    made_by: str = Field(max_length=254)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_from: str = Field(default="", max_length=64)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ApiReplay(SQLModel, table=True):
    """The answer to a request with an `Idempotency-Key`, for those that repeat it.

    Attributes:
        id: SHA-256 of the token's id and the key, hex.
        request_hash: SHA-256 of what was asked, hex: another request is refused.
        status: Of the answer; None while the request is carried out.
        body: Sealed, for it may hold a link. Its place is (api_replay, body, id).
        lease_until: Until when whoever carries it out has the request for itself.
    """

    __tablename__ = "api_replay"
    __table_args__ = (Index(None, "created_at"),)

    id: str = Field(primary_key=True, max_length=64)
    token_id: UUID = Field(foreign_key="api_token.id", ondelete="CASCADE", index=True)
    request_hash: str = Field(max_length=64)
    status: int | None = None
    content_type: str = Field(default="", max_length=60)
    body: bytes | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime = Field(sa_type=UtcDateTime)
