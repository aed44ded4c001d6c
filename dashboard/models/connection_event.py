"""What happened to a connection, line by line: its timeline."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class ConnectionEvent(SQLModel, table=True):
    """One line of a connection's timeline; goes with the connection.

    Attributes:
        id: From `models.ids.new_id(at)`.
        at: When it happened, by the clock of its source.
        source: "dashboard", "zoom" or "recall".
        kind: "state", "pmi", "sync", "mapping", "grant", "log" or "act".
        words: One sentence; holds no secret.
        mark: Tells one line of a source from the next, so that none is kept twice.
    """

    __tablename__ = "connection_event"
    __table_args__ = (
        Index(None, "connection_id", "at", "id"),
        UniqueConstraint("connection_id", "mark"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=UtcDateTime)
    source: str = Field(max_length=16)
    kind: str = Field(max_length=16)
    words: str = Field(max_length=500)
    mark: str | None = Field(default=None, max_length=64)
