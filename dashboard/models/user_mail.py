"""Mail to users: invitations, a reminder, and links to reconnect."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type
from dashboard.models.alert import MessageOutcome


class Letter(StrEnum):
    """What a mail to a user is."""

    INVITATION = "invitation"
    REMINDER = "reminder"
    RECONNECT = "reconnect"


class UserMail(SQLModel, table=True):
    """One mail to the person that a link is for; goes with the link.

    Attributes:
        secret: Of the link's address, sealed; forgotten once the mail is sent or given
            up.
        connection_id: The one to reconnect; None for an invitation.
        attempts: Those that failed.
        trouble: Why the last one did, as the mail server says it.
        due_at: Earliest instant of the next attempt.
        claim: Grows with every claim and never falls: the number of the lease.
        ended_at: When it was sent, dropped or given up.
    """

    __tablename__ = "user_mail"
    __table_args__ = (
        Index(
            "ix_user_mail_due_at",
            "due_at",
            sqlite_where=text("outcome = 'waiting'"),
            postgresql_where=text("outcome = 'waiting'"),
        ),
        Index(None, "connection_id", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    invitation_id: UUID = Field(
        foreign_key="invitation.id", ondelete="CASCADE", index=True
    )
    connection_id: UUID | None = Field(
        default=None, foreign_key="connection.id", ondelete="CASCADE"
    )
    letter: Letter = Field(sa_type=enum_type(Letter))
    secret: bytes | None = None
    outcome: MessageOutcome = Field(
        default=MessageOutcome.WAITING, sa_type=enum_type(MessageOutcome)
    )
    attempts: int = 0
    trouble: str = Field(default="", max_length=500)
    created_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
