"""The users of a connected Zoom account, as Zoom lists them."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class AccountMember(SQLModel, table=True):
    """One user of an account_level connection.

    Attributes:
        pmi: Personal meeting id; `previous_pmi` and `pmi_changed_at` as a connection's.
        status: Zoom's word: "active", "inactive", "pending".
        seen_at: When Zoom listed them last.
    """

    __tablename__ = "account_member"
    __table_args__ = (
        Index(None, "zoom_user_id"),
        Index(None, "email"),
        Index(None, "pmi"),
        Index(None, "previous_pmi"),
    )

    connection_id: UUID = Field(
        primary_key=True, foreign_key="connection.id", ondelete="CASCADE"
    )
    zoom_user_id: str = Field(primary_key=True, max_length=64)
    display_name: str = Field(default="", max_length=200)
    email: str = Field(default="", max_length=254)
    pmi: int | None = Field(default=None, sa_type=BigId)
    previous_pmi: int | None = Field(default=None, sa_type=BigId)
    pmi_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status: str = Field(default="", max_length=20)
    seen_at: datetime = Field(sa_type=UtcDateTime)
