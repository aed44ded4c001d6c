"""The list of links made for one person: filter, page, and the words for each state."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, or_

from dashboard.models.invitation import Invitation, InvitationState
from dashboard.services import newest
from dashboard.services.invitation_states import USABLE
from dashboard.services.newest import Page

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


def page(
    session: Session, filters: Filters, *, cursor: str | None, now: datetime
) -> Page[Invitation]:
    """Return links, newest first."""
    where = [] if filters.state is None else [_stands(filters.state, now)]
    return newest.page(
        session,
        Invitation,
        where=where,
        zoom_app_id=filters.zoom_app_id,
        cursor=cursor,
    )


def _stands(state: InvitationState, now: datetime) -> ColumnElement[bool]:
    """Match a state as `state_of` tells it: expired on the minute."""
    has_run_out = col(Invitation.expires_at) <= now
    stored = col(Invitation.state) == state
    if state is InvitationState.EXPIRED:
        return or_(stored, and_(col(Invitation.state).in_(USABLE), has_run_out))
    if state in USABLE:
        return and_(stored, col(Invitation.expires_at) > now)
    return stored
