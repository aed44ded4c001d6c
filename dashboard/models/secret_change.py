"""One change of a zoom app's secrets, here, in Recall and as seen of Zoom."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class SecretChange(SQLModel, table=True):
    """How far a change of secrets has come; the newest of a zoom app is under way.

    Attributes:
        asked_by: E-mail of the person, or "command line".
        has_client_secret: Whether the client secret is new.
        has_secret_token: Whether the secret token is.
        stored_at: When it was stored here.
        recall_at: When Recall took it; None while it has not.
        recall_error: Why Recall has not; a sentence, "" while it was not tried.
        recall_due_at: When Recall is given it next; None when nothing is left to do.
        zoom_seen_at: When Zoom was first seen signing with the new secret token.
        previous_until: Until when the former secret token is accepted; None while
            Zoom was not seen using the new one.
        ended_at: When nothing was left to do, or a later change took its place.
    """

    __tablename__ = "secret_change"
    __table_args__ = (Index(None, "zoom_app_id", "id"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    asked_by: str = Field(max_length=254)
    has_client_secret: bool
    has_secret_token: bool
    stored_at: datetime = Field(sa_type=UtcDateTime)
    recall_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recall_error: str = Field(default="", max_length=300)
    recall_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    zoom_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    previous_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
