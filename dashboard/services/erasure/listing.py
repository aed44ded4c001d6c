"""Erasures for staff: what has to go by when, and how far it is. Names nobody."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from dashboard.models.erasure import Erasure
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.erasure.erasures import DEADLINE
from dashboard.services.status.attention_items import TROUBLE, WAITING, Action, Item

LISTED = 200
"""The newest; an older one that is under way is among them all the same."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An erasure as listed."""

    erasure: Erasure
    app: ZoomApp

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be deleted, as far as anything came."""
        return (
            self.erasure.here_done_at is not None
            and self.erasure.recall_done_at is not None
        )


def listed(session: Session) -> Sequence[Row]:
    """Return the erasures, those under way first, then the newest."""
    query = (
        select(Erasure, ZoomApp)
        .join(ZoomApp, col(ZoomApp.id) == col(Erasure.zoom_app_id))
        .order_by(
            col(Erasure.ended_at).is_not(None),
            col(Erasure.removed_at).desc(),
            col(Erasure.id),
        )
        .limit(LISTED)
    )
    return [Row(erasure=erasure, app=app) for erasure, app in session.exec(query)]


def about_erasures(session: Session, *, now: datetime) -> Iterator[Item]:
    """Say that users' data is still there: with trouble, or half the time gone."""
    owed = or_(
        col(Erasure.recall_done_at).is_(None), col(Erasure.here_done_at).is_(None)
    )
    late = or_(
        col(Erasure.trouble) != "", col(Erasure.deadline_at) <= now + DEADLINE / 2
    )
    number, deadline_at, since = session.exec(
        select(
            func.count(),
            func.min(Erasure.deadline_at),
            func.min(Erasure.removed_at),
        ).where(col(Erasure.ended_at).is_(None), owed, late)
    ).one()
    if not number:
        return
    is_near = deadline_at <= now + DEADLINE / 2
    whose = "a user who" if number == 1 else f"{number:,} users who"
    yield Item(
        tone=TROUBLE if is_near else WAITING,
        sentence=f"The data of {whose} left is not deleted everywhere yet.",
        detail=f"It has to be by {deadline_at:%Y-%m-%d %H:%M} UTC.",
        since=since,
        action=Action.SEE_ERASURES,
    )
