"""The list of connect attempts: filter and page."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.services.paging import Page, page_by_time


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches."""

    outcome: AttemptOutcome | None = None
    zoom_app_id: UUID | None = None


def page(
    session: Session, filters: Filters, *, cursor: str | None
) -> Page[ConnectAttempt]:
    """Return connect attempts, newest first."""
    return page_by_time(
        session,
        ConnectAttempt,
        state=None if filters.outcome is None else ("outcome", filters.outcome),
        zoom_app_id=filters.zoom_app_id,
        cursor=cursor,
    )


@dataclass(frozen=True, kw_only=True)
class Told:
    """One way of ending.

    Attributes:
        tone: "good", "waiting", "trouble" or "off".
        word: Two or three of them.
        next_step: Who does what; "" when nobody has to.
    """

    tone: str
    word: str
    next_step: str = ""


_REDIRECT = (
    "Two things look like this: Zoom showed Invalid redirect (4,700), or the window "
    "was closed. If it happens to everybody, compare the redirect URL in Zoom with the "
    "one on the zoom app's page, letter by letter."
)

TOLD = {
    AttemptOutcome.OPEN: Told(
        tone="waiting", word="At Zoom now", next_step="It ends within ten minutes."
    ),
    AttemptOutcome.CONNECTED: Told(tone="good", word="Connected"),
    AttemptOutcome.DECLINED: Told(
        tone="off",
        word="Declined",
        next_step="The user pressed Decline at Zoom. Tell them what it is for.",
    ),
    AttemptOutcome.EXPIRED: Told(
        tone="waiting",
        word="Came back too late",
        next_step="The user starts again, within ten minutes.",
    ),
    AttemptOutcome.ABANDONED: Told(
        tone="waiting", word="Never came back", next_step=_REDIRECT
    ),
    AttemptOutcome.WRONG_ACCOUNT: Told(
        tone="trouble",
        word="Wrong Zoom account",
        next_step="The user signs out at Zoom and opens the same link again.",
    ),
    AttemptOutcome.BEGUN_AT_ZOOM: Told(
        tone="off",
        word="Begun at Zoom",
        next_step="Added in Zoom's Marketplace; the user was led to the connect page. "
        "Nothing was exchanged.",
    ),
    AttemptOutcome.REPLAYED: Told(
        tone="trouble",
        word="Used in another browser",
        next_step="The user begins and finishes in one browser. Many of these from "
        "strangers: somebody sends out links of their own connect attempts.",
    ),
    AttemptOutcome.REFUSED_BY_RECALL: Told(
        tone="trouble",
        word="Recall refused",
        next_step="An admin reads what Recall said: a redirect URL or client secret "
        "that differs is the usual cause.",
    ),
    AttemptOutcome.REFUSED_BY_ZOOM: Told(
        tone="trouble",
        word="Zoom refused the code",
        next_step="An admin compares client ID, client secret and redirect URL.",
    ),
    AttemptOutcome.UNREACHABLE: Told(
        tone="waiting",
        word="No answer",
        next_step="Nobody's fault: the user starts again.",
    ),
    AttemptOutcome.ZOOM_ERROR: Told(
        tone="trouble",
        word="Zoom did not allow it",
        next_step="The organisation's Zoom admin may have to approve the app.",
    ),
}
