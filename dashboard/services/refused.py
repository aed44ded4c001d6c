"""The refused requests of the log: counts of all, a bounded sample to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.services.paging import Place, Turn, turn

COUNTED = 100


@dataclass(frozen=True, kw_only=True)
class CauseCount:
    """How many requests were refused for one cause; `cause` is a word."""

    cause: str
    requests: int


def page(
    session: Session, *, place: Place, zoom_app_id: UUID | None = None
) -> Turn[Refusal]:
    """Return a page of the sample, newest first."""
    query = select(Refusal)
    if zoom_app_id is not None:
        query = query.where(col(Refusal.zoom_app_id) == zoom_app_id)
    return turn(session, query, Refusal.id, place)


def count(session: Session, *, zoom_app_id: UUID | None = None) -> int:
    """Return how many the sample holds, at most `COUNTED` + 1."""
    some = select(Refusal.id).limit(COUNTED + 1)
    if zoom_app_id is not None:
        some = some.where(col(Refusal.zoom_app_id) == zoom_app_id)
    return session.exec(select(func.count()).select_from(some.subquery())).one()


def by_cause(
    session: Session, *, since: datetime, zoom_app_id: UUID | None = None
) -> Sequence[CauseCount]:
    """Return how many requests were refused since then, the commonest cause first.

    Counted by the hour: the hour in which `since` lies is counted whole.
    """
    hour = since.replace(minute=0, second=0, microsecond=0)
    total = func.sum(col(RefusalCount.requests))
    query = (
        select(RefusalCount.cause, total)
        .where(col(RefusalCount.hour_at) >= hour)
        .group_by(col(RefusalCount.cause))
        .order_by(total.desc(), col(RefusalCount.cause))
    )
    if zoom_app_id is not None:
        query = query.where(col(RefusalCount.zoom_app_id) == zoom_app_id)
    return [
        CauseCount(cause=cause, requests=int(requests))
        for cause, requests in session.exec(query)
    ]
