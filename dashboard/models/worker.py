"""The processes that work in the background, and what happened to their hosts."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime


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
