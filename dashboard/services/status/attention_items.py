"""What an item of Needs attention is: one sentence and one action."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import ZoomApp

LOOKED_AT = 1000
"""So many webhooks are looked at; more is said as "1,000+"."""

TROUBLE, WAITING, OFF = "trouble", "waiting", "off"
ORDER = [TROUBLE, WAITING, OFF]


class Action(StrEnum):
    """The one thing to do; the page knows its address and its words."""

    OPEN_APP = "open_app"
    EDIT_APP = "edit_app"
    CREATE_IN_RECALL = "create_in_recall"
    SEE_DEAD = "see_dead"
    SEE_WAITING = "see_waiting"
    SEE_REFUSED = "see_refused"
    SEE_CONNECTIONS = "see_connections"
    SEE_ATTEMPTS = "see_attempts"
    SEE_ERASURES = "see_erasures"
    OPEN_WORKSPACES = "open_workspaces"
    SET_PUBLIC_URL = "set_public_url"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One row.

    Attributes:
        tone: "trouble", "waiting" or "off".
        sentence: What is the matter.
        detail: What follows from it or how to mend it; may be empty.
        since: When it began, if known.
        zoom_app_id: What the action is about.
        token_state: Which connections the action is about.
    """

    tone: str
    sentence: str
    action: Action
    detail: str = ""
    since: datetime | None = None
    zoom_app_id: UUID | None = None
    token_state: TokenState | None = None


def name(app: ZoomApp) -> str:
    """Name a zoom app within a sentence: "Notetaker (production)"."""
    return f"{app.name} ({app.environment})"


def webhooks(number: int, *, is_more: bool) -> str:
    """Count webhooks within a sentence: "1 webhook", "1,000+ webhooks"."""
    if number == 1:
        return "1 webhook"
    return f"{number:,}{'+' if is_more else ''} webhooks"
