"""Circuit breakers: why delivery to a workspace or for a zoom app is paused."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type


class CircuitKind(StrEnum):
    """What the circuit is of."""

    WORKSPACE = "workspace"  # Recall is down there, or busy
    ZOOM_APP = "zoom_app"  # Recall rejects it until a person fixes it
    ENDPOINT = "endpoint"  # one of the customer's, which fails


class OpenCircuit(SQLModel, table=True):
    """Failures in a row; with enough of them delivery is paused and only probed.

    The first successful delivery deletes it. Shared by all workers.

    Attributes:
        id: Of the workspace, zoom app or endpoint.
        failures: In a row; `services.relay.circuit` says how many pause delivery.
        is_holding: Whether delivery is paused: only probes are sent.
        reason: What Recall said, and who must do what; a sentence.
        status: Recall's last HTTP status; None when there was no answer.
        since: When the first of the failures happened.
        probe_at: When the next probe may be sent.
        probes: How many were sent since delivery was paused.
    """

    __tablename__ = "hold"

    id: UUID = Field(primary_key=True)
    kind: CircuitKind = Field(sa_type=enum_type(CircuitKind, name="holdkind"))
    failures: int = 0
    is_holding: bool = False
    reason: str = Field(default="", max_length=500)
    status: int | None = None
    since: datetime = Field(sa_type=UtcDateTime)
    probe_at: datetime = Field(sa_type=UtcDateTime)
    probes: int = 0
