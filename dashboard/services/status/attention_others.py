"""Needs attention, about changes of secrets that stopped half-way."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlmodel import Session

from dashboard.models.zoom_app import ZoomApp
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
