"""The processes that work in the background, and what happened to their hosts."""

from datetime import datetime

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class WorkerHeartbeat(SQLModel, table=True):
    """A worker that runs: `dashboard worker`, or the one in `dashboard serve`.

    Its row goes when it stops cleanly.

    Attributes:
        name: "host:process", as in the rows of attempts.
        at: When it last said that it works.
        started_at: When it began.
        version: Of its program.
    """

    __tablename__ = "worker_heartbeat"

    name: str = Field(primary_key=True, max_length=80)
    at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime = Field(sa_type=UtcDateTime)
    version: str = Field(max_length=40)


class SettingSecret(SQLModel, table=True):
    """A secret of the settings, whose age is known from when it was first seen.

    Attributes:
        name: The setting's.
        fingerprint: Of its value, to notice another one.
        seen_at: When a background worker first ran with this value.
    """

    __tablename__ = "setting_secret"

    name: str = Field(primary_key=True, max_length=60)
    fingerprint: str = Field(max_length=8)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class HostEvent(SQLModel, table=True):
    """Something that makes what is stored doubtful: the clock jumped, or a restore.

    Attributes:
        id: From `models.ids.new_id(at)`.
        kind: "clock" or "restore".
        at: When it was noticed, by the clock as it was then.
        seconds: How far the clock jumped; below 0 is back.
        about_at: Of a restore: the newest thing that the copy knows.
    """

    __tablename__ = "host_event"
    __table_args__ = (Index(None, "kind", "at"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    kind: str = Field(max_length=16)
    at: datetime = Field(sa_type=UtcDateTime)
    seconds: float = 0
    about_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
