"""What a line of evidence is."""

from dataclasses import dataclass
from datetime import datetime

from dashboard.models.connection import Connection
from dashboard.services.explaining_verdicts import Target

ZOOM, RECALL, HERE = "Zoom", "Recall", "Dashboard"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One piece of evidence.

    Attributes:
        at: When it happened or was seen; None when no time is known.
        source: Who told: "Zoom", "Recall" or "Dashboard".
        words: One or two sentences; hold no secret.
        target: What it can be read in, with its id; none for most of Recall's.
    """

    at: datetime | None
    source: str
    words: str
    target: Target = Target.NONE
    target_id: str = ""


def at_connection(
    row: Connection, at: datetime | None, source: str, words: str
) -> Line:
    """Return a line that can be read on the page of a connection."""
    return Line(
        at=at,
        source=source,
        words=words,
        target=Target.CONNECTION,
        target_id=str(row.id),
    )
