"""The list of trips to Zoom: filter and page."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.services import newest
from dashboard.services.newest import Page


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches."""

    outcome: AttemptOutcome | None = None
    zoom_app_id: UUID | None = None


def page(
    session: Session, filters: Filters, *, cursor: str | None
) -> Page[ConnectAttempt]:
    """Return trips, newest first."""
    return newest.page(
        session,
        ConnectAttempt,
        state=None if filters.outcome is None else ("outcome", filters.outcome),
        zoom_app_id=filters.zoom_app_id,
        cursor=cursor,
    )
