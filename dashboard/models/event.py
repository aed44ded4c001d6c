"""Events for the customer's software: an outbox, written with what they are about."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime

UNPUBLISHED = "number IS NULL"
"""The condition of the index of what has no place yet, to be named literally."""


class Event(SQLModel, table=True):
    """Something that changed; never altered but for `refs` and `number`.

    Its ids refer to rows that may be gone.

    Attributes:
        id: From `models.ids.new_id(at)`; in the message as `evt_` and the number.
        number: Its place in the feed, given by a worker after the commit, so that
            nothing is ever published before what a reader has seen; None until then.
        kind: One of `services.events.outbox.EventType`.
        data: JSON object: what changed, without a secret and without personal data.
        refs: JSON object: the customer's own reference and tags; emptied when
            the user's data is deleted.
    """

    __table_args__ = (
        Index(
            "ix_event_unpublished",
            "id",
            sqlite_where=text(UNPUBLISHED),
            postgresql_where=text(UNPUBLISHED),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    number: int | None = Field(default=None, unique=True, sa_type=BigId)
    kind: str = Field(max_length=40)
    zoom_app_id: UUID | None = None
    connection_id: UUID | None = Field(default=None, index=True)
    invitation_id: UUID | None = None
    data: str = Field(default="{}", sa_type=Text)
    refs: str = Field(default="{}", sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
