"""Links made for one person: invitations, and links to reconnect."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type


class InvitationState(StrEnum):
    """How far the invited person has come."""

    MADE = "made"
    OPENED = "opened"
    DECLINED = "declined"
    WRONG_ACCOUNT = "wrong_account"
    DONE = "done"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Invitation(SQLModel, table=True):
    """A link made for one named user; expires; works once.

    Attributes:
        connection_id: The connection it is to renew, or the one it made.
        zoom_user_id: Only this Zoom user may use it; None binds it to `email` if there
            is one, and to nobody otherwise.
        token_hash: SHA-256 of the secret in its address, hex; unique.
        user_ref: Your own id of the user; "" when there is none.
        tags: Your own words for it, sorted, space separated.
        return_url: Where the button back leads after connecting; "" for none.
        opened_at: When somebody pressed its button for the first time.
        made_by: Who made it, as the audit log names people.
        tried_as: Which Zoom account came instead, masked; for staff.
    """

    __table_args__ = (
        Index(None, "zoom_app_id", "created_at", "id"),
        Index(None, "state", "expires_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    connection_id: UUID | None = Field(
        default=None, foreign_key="connection.id", ondelete="SET NULL", index=True
    )
    zoom_user_id: str | None = Field(default=None, max_length=64, index=True)
    token_hash: str = Field(unique=True, max_length=64)
    user_ref: str = Field(default="", max_length=200, index=True)
    tags: str = Field(
        default="", max_length=420, sa_column_kwargs={"server_default": text("''")}
    )
    return_url: str = Field(
        default="", max_length=500, sa_column_kwargs={"server_default": text("''")}
    )
    email: str = Field(default="", max_length=254, index=True)
    state: InvitationState = Field(
        default=InvitationState.MADE, sa_type=enum_type(InvitationState)
    )
    made_by: str = Field(default="", max_length=254)
    tried_as: str = Field(default="", max_length=254)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
