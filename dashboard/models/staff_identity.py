"""Who a member of staff is at the company's identity provider."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime


class StaffIdentity(SQLModel, table=True):
    """Links an account to a person at the identity provider.

    Attributes:
        issuer: The provider's own name, as it says it.
        subject: Its name for the person, which it never gives to another.
        unmapped_at: When the provider last gave them no role here. The account was
            disabled at that instant, and is enabled when they have a role again.
    """

    __tablename__ = "staff_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    staff_id: UUID = Field(foreign_key="staff.id", ondelete="CASCADE", index=True)
    issuer: str = Field(max_length=255)
    subject: str = Field(max_length=255)
    linked_at: datetime = Field(sa_type=UtcDateTime)
    unmapped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
