"""A bot sent to a meeting to see that it records without asking."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Field, Index, SQLModel, Text

from dashboard.db.columns import BigId, UtcDateTime


class BotTest(SQLModel, table=True):
    """One test bot, and what Recall says of it; goes with the connection.

    Attributes:
        meeting_id: Number of a meeting that the connection's user hosts.
        idempotency_key: Stored before Recall is asked, so that a lost answer never
            sends a second bot.
        recall_bot_id: None until Recall has answered.
        steps: JSON: a list of `code`, `sub_code` and `at` (ISO 8601, UTC), as Recall
            names them, oldest first.
        trouble: Why Recall could not be asked, or sent no bot; "" while it could.
        asked_by: Email of the person, or "command line".
        due_at: When Recall is asked again; None when the bot has ended.
    """

    __tablename__ = "bot_test"
    __table_args__ = (Index(None, "zoom_app_id", "begun_at"), Index(None, "due_at"))

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE")
    meeting_id: int = Field(sa_type=BigId)
    idempotency_key: str = Field(max_length=64)
    recall_bot_id: UUID | None = None
    steps: str = Field(default="[]", sa_type=Text)
    trouble: str = Field(default="", max_length=500)
    asked_by: str = Field(max_length=254)
    begun_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
