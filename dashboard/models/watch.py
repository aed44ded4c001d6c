"""When each zoom app is checked automatically, its rhythm and its set-up milestones."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class ProbeSchedule(SQLModel, table=True):
    """When each kind of check of one zoom app is due; one row an app, made when needed.

    Attributes:
        watched_until: Its page is open until about then: checks are frequent.
        poll_due_at: When Recall's record of the app is read next.
        polled_at: When it was read last, whatever it said.
        log_due_at: When Recall's log of the app is read next.
        log_seen_at: Recall's instant of the newest entry that was kept.
        probe_due_at: When both tests run next: of the public URL and of Recall.
        unhealthy_due_at: When Recall's list of unhealthy credentials is read next.
        failures: Checks in a row that got no answer; they space the next ones.
        claimed_until: Some process is checking it, until then at most.
        claim: Grows with each claim; a late process changes nothing.
    """

    __tablename__ = "watch"

    zoom_app_id: UUID = Field(foreign_key="zoom_app.id", primary_key=True)
    watched_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    poll_due_at: datetime = Field(sa_type=UtcDateTime)
    polled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    log_due_at: datetime = Field(sa_type=UtcDateTime)
    log_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    probe_due_at: datetime = Field(sa_type=UtcDateTime)
    unhealthy_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failures: int = 0
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0


class HeardHour(SQLModel, table=True):
    """Genuine events of one zoom app in one hour: its rhythm. Silent hours have no row.

    Attributes:
        hour: Begin of the hour.
        events: Genuine ones received in it, challenges apart.
    """

    __tablename__ = "heard_hour"

    zoom_app_id: UUID = Field(foreign_key="zoom_app.id", primary_key=True)
    hour: datetime = Field(sa_type=UtcDateTime, primary_key=True)
    events: int


class Milestone(SQLModel, table=True):
    """The first time that a step of the set-up was seen; outlives what proved it.

    Attributes:
        key: Of `runtime.setup.checklist`.
        proof: One sentence on what was seen; holds no secret.
        webhook_id: The webhook that was it, when it was one; may be pruned since.
        connection_id: The connection that was it, likewise.
    """

    zoom_app_id: UUID = Field(foreign_key="zoom_app.id", primary_key=True)
    key: str = Field(max_length=32, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    proof: str = Field(max_length=300)
    webhook_id: int | None = Field(default=None, sa_type=BigId)
    connection_id: UUID | None = None
