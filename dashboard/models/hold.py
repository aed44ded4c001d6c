"""Why deliveries stand still: a workspace that is down, a zoom app Recall refuses."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type


class HoldKind(StrEnum):
    """What is held."""

    WORKSPACE = "workspace"  # its circuit breaker: Recall is down there, or busy
    ZOOM_APP = "zoom_app"  # a refusal that a person can mend


class Hold(SQLModel, table=True):
    """Failures in a row; with enough of them nothing is sent but a probe at a time.

    Gone with the first delivery that Recall takes. Shared by all workers.

    Attributes:
        id: Of the workspace or zoom app.
        failures: In a row; see `runtime.relay.holds` for how many hold it.
        is_holding: Whether deliveries stand still: only probes are sent.
        reason: What Recall said, and who must do what; a sentence.
        status: Recall's last HTTP status; None when there was no answer.
        since: When the first of the failures happened.
        probe_at: When the next delivery may be tried.
        probes: How many were tried since it holds.
    """

    id: UUID = Field(primary_key=True)
    kind: HoldKind = Field(sa_type=enum_type(HoldKind))
    failures: int = 0
    is_holding: bool = False
    reason: str = Field(default="", max_length=500)
    status: int | None = None
    since: datetime = Field(sa_type=UtcDateTime)
    probe_at: datetime = Field(sa_type=UtcDateTime)
    probes: int = 0
