"""How far the sweep is: how many were looked at within a day, and what holds it up.

Counted from indexes each time: some milliseconds at 50,000 connections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, or_, select

from dashboard.clients.recall.operations import Operation
from dashboard.db.columns import Unindexed
from dashboard.models.connection import Connection
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.recall import budget_counts, budgets

DAY = timedelta(days=1)
MOST_WAITING = 1000
_WINDOW = timedelta(seconds=budget_counts.SLOT_S * budget_counts.SLOTS)


@dataclass(frozen=True, kw_only=True)
class SweepProgress:
    """Of the connections of zoom apps that Recall has; the others cannot be checked.

    Attributes:
        total: How many there are.
        checked: How many of them were looked at within a day.
        oldest_at: When the one was looked at whose look is the longest ago.
        unseen: How many were never looked at.
        waiting: How many are due and wait for room in Recall's budget; at most 1,001.
        waits_until: When there is room again, at the latest.
    """

    total: int
    checked: int
    oldest_at: datetime | None
    unseen: int
    waiting: int = 0
    waits_until: datetime | None = None


def progress(session: Session, *, now: datetime) -> SweepProgress:
    """Return how far the sweep is."""
    elsewhere = session.exec(
        select(ZoomApp.id).where(
            or_(
                col(ZoomApp.recall_app_id).is_(None),
                col(ZoomApp.workspace_id).is_(None),
            )
        )
    ).all()
    total = _count(session) - (_count_of(session, elsewhere) if elsewhere else 0)
    checked_at = col(Connection.token_checked_at)
    here = [Unindexed(col(Connection.zoom_app_id)).not_in(elsewhere)] * bool(elsewhere)
    unseen = select(func.count()).where(checked_at.is_(None), *here)
    old = select(func.count()).where(checked_at < now - DAY, *here)
    oldest = select(checked_at).where(checked_at.is_not(None), *here)
    never = session.exec(unseen).one()
    waiting, until = _waiting(session, now)
    return SweepProgress(
        total=total,
        checked=total - never - session.exec(old).one(),
        oldest_at=session.exec(oldest.order_by(checked_at).limit(1)).first(),
        unseen=never,
        waiting=waiting,
        waits_until=until,
    )


def _waiting(session: Session, now: datetime) -> tuple[int, datetime | None]:
    """Return how many are due whose workspace has no room, and until when."""
    asked = Operation.CREDENTIALS_ACCESS_TOKEN
    full = {
        scope: use.until or now + _WINDOW
        for scope, uses in budget_counts.uses(session, now=now).items()
        for use in uses
        if use.operation is asked and budgets.is_full(use)
    }
    if not full:
        return 0, None
    rows = session.exec(
        select(ZoomApp.id, Workspace.region, Workspace.api_key_print).join(
            Workspace, col(Workspace.id) == col(ZoomApp.workspace_id)
        )
    ).all()
    until = {
        app_id: full[scope]
        for app_id, region, key_print in rows
        if (scope := budgets.scope_of(region, key_print)) in full
    }
    some = (
        select(Connection.id)
        .where(
            col(Connection.due_at) <= now,
            Unindexed(col(Connection.zoom_app_id)).in_(until),
        )
        .limit(MOST_WAITING + 1)
        .subquery()
    )
    number = session.exec(select(func.count()).select_from(some)).one()
    return (number, max(until.values())) if number else (0, None)


def _count(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Connection)).one()


def _count_of(session: Session, zoom_app_ids: Sequence[UUID]) -> int:
    mine = col(Connection.zoom_app_id).in_(zoom_app_ids)
    return session.exec(select(func.count()).where(mine)).one()
