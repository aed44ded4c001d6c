"""Data deletion after a user left: what to delete, and its progress."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type


class ErasureReason(StrEnum):
    """Why a user's data is deleted."""

    REMOVED_IN_ZOOM = "removed_in_zoom"  # Zoom's webhook said so, a check confirmed it
    STAFF_DISCONNECTED = "staff_disconnected"
    USER_DISCONNECTED = "user_disconnected"
    WRONG_ACCOUNT = "wrong_account"  # a connect attempt that was rejected
    UNKNOWN = "unknown"  # begun before the reason was recorded


class Erasure(SQLModel, table=True):
    """Deleting one user's personal data and tokens, here and in Recall.

    Once it has ended, nothing in the row identifies the person.

    Attributes:
        zoom_user_id: Sealed. Its place is (erasure, zoom_user_id, id). Emptied at the
            end.
        zoom_account_id: Sealed likewise; only of an account_level app.
        email: Sealed likewise; invitations and audit entries may name it.
        recall_credential_id: To delete in Recall; emptied at the end.
        reason: Why it was begun.
        asked_by: Which staff disconnected the user, as the audit log names them; ""
            for any other reason.
        removed_at: When the user removed the app, by Zoom's clock, or was disconnected.
        deadline_at: When everything must be deleted.
        recall_done_at: When Recall had deleted the credential.
        here_done_at: When everything stored here was deleted for the first time.
        ended_at: When nothing more about the user could arrive.
        trouble: Why it is delayed: one sentence; "" when nothing is wrong.
        webhooks: Of how many webhooks the content was deleted.
        meetings: How many mapped meetings were.
        invitations: How many invitations were.
    """

    __table_args__ = (Index(None, "ended_at", "due_at"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id", index=True)
    zoom_user_id: bytes | None = None
    zoom_account_id: bytes | None = None
    email: bytes | None = None
    recall_credential_id: UUID | None = None
    reason: ErasureReason = Field(
        sa_type=enum_type(ErasureReason, is_checked=False),
        sa_column_kwargs={"server_default": text("'unknown'")},
    )
    asked_by: str = Field(
        default="", max_length=320, sa_column_kwargs={"server_default": text("''")}
    )
    removed_at: datetime = Field(sa_type=UtcDateTime)
    deadline_at: datetime = Field(sa_type=UtcDateTime)
    recall_done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    here_done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    trouble: str = Field(default="", max_length=300)
    webhooks: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    meetings: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    invitations: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
