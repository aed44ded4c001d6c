"""The list of links made for one person: filter, page, and the words for each state."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from dashboard.models.invitation import Invitation, InvitationState
from dashboard.services.paging import Page, page_by_time

WORDS = {
    InvitationState.MADE: ("waiting", "Not opened yet"),
    InvitationState.OPENED: ("waiting", "Opened"),
    InvitationState.DECLINED: ("off", "Declined"),
    InvitationState.WRONG_ACCOUNT: ("trouble", "Wrong account"),
    InvitationState.DONE: ("good", "Connected"),
    InvitationState.EXPIRED: ("off", "Expired"),
    InvitationState.REVOKED: ("off", "Revoked"),
}
"""Tone and words of each state."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches."""

    state: InvitationState | None = None
    zoom_app_id: UUID | None = None


def page(session: Session, filters: Filters, *, cursor: str | None) -> Page[Invitation]:
    """Return links, newest first; those of one state by when they end."""
    return page_by_time(
        session,
        Invitation,
        state=None if filters.state is None else ("state", filters.state),
        zoom_app_id=filters.zoom_app_id,
        cursor=cursor,
    )
