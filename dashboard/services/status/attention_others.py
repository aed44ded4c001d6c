"""Needs attention, about changes of secrets that stopped half-way."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, or_, select

from dashboard.models.erasure import Erasure
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.erasure.erasures import DEADLINE
from dashboard.services.rotation import progress
from dashboard.services.status.attention_items import (
    TROUBLE,
    WAITING,
    Action,
    Item,
    name,
)
from dashboard.services.zoom_apps import secret_changes

_LONG = timedelta(minutes=10)


def about_rotations(session: Session, *, now: datetime) -> Iterator[Item]:
    """Say which half is missing, and why; at once where somebody must act."""
    for change in secret_changes.under_way(session):
        app = session.get_one(ZoomApp, change.zoom_app_id)
        shown = progress.card(session, app, now=now)
        for line in shown.lines if shown is not None else ():
            is_slow = line.key == "recall" and line.tone == WAITING
            if line.tone != TROUBLE and not (
                is_slow and _is_old(change.stored_at, now)
            ):
                continue
            yield Item(
                tone=line.tone,
                sentence=f"New secrets of {name(app)}: {_lowered(line.title)}.",
                detail=line.detail,
                since=line.at or change.stored_at,
                action=Action.OPEN_APP,
                zoom_app_id=app.id,
            )


def _is_old(at: datetime, now: datetime) -> bool:
    return now - at > _LONG


def _lowered(title: str) -> str:
    # "Recall" and "Zoom" are names.
    return (
        title if title.startswith(("Recall", "Zoom")) else title[0].lower() + title[1:]
    )


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
