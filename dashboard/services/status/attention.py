"""Needs attention: what a person should mend, one sentence and one action each."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from dashboard.models.workspace import Verdict, Workspace
from dashboard.services.status.attention_apps import about_app
from dashboard.services.status.attention_items import (
    LOOKED_AT,
    OFF,
    ORDER,
    TROUBLE,
    Action,
    Item,
)
from dashboard.services.status.attention_others import about_erasures, about_rotations
from dashboard.services.status.attention_webhooks import about_webhooks
from dashboard.services.status.overview import AppOverview
from dashboard.settings import public_url_trouble

__all__ = ["LOOKED_AT", "Action", "Item", "items"]


def items(
    session: Session, apps: Sequence[AppOverview], *, public_url: str, now: datetime
) -> Sequence[Item]:
    """Return what needs attention, the worst first.

    Args:
        session: Reading.
        apps: From `overview.list_apps`.
        public_url: Where Zoom and Recall are told to reach the dashboard.
        now: The present instant.
    """
    found = [
        *_about_workspaces(session),
        *_about_address(public_url),
        *about_webhooks(session, [each.app for each in apps], now=now),
        *about_rotations(session, now=now),
        *about_erasures(session, now=now),
    ]
    for each in apps:
        found += about_app(session, each, now=now)
    return sorted(found, key=lambda item: ORDER.index(item.tone))


def _about_workspaces(session: Session) -> Iterator[Item]:
    wrong = col(Workspace.verdict) == Verdict.WRONG
    for workspace in session.exec(select(Workspace).where(wrong)):
        yield Item(
            tone=TROUBLE,
            sentence=f"Recall refuses the API key of the workspace {workspace.name}.",
            detail=workspace.verdict_reason,
            since=workspace.checked_at,
            action=Action.OPEN_WORKSPACES,
        )


def _about_address(public_url: str) -> Iterator[Item]:
    trouble = public_url_trouble(public_url)
    if trouble is not None:
        yield Item(
            tone=OFF,
            sentence=f"The real Zoom would refuse {public_url}: {trouble}.",
            detail="Set DASHBOARD_PUBLIC_URL to an https address with a host name.",
            action=Action.SET_PUBLIC_URL,
        )
