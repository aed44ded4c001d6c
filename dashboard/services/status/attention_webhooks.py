"""Needs attention, about webhooks: those that wait, are paused or failed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import literal_column
from sqlmodel import Session, col, func, select

from dashboard.models.circuit import CircuitKind
from dashboard.models.webhook import DEAD, Outcome, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.relay import circuit
from dashboard.services.status.attention_items import (
    LOOKED_AT,
    TROUBLE,
    WAITING,
    Action,
    Item,
    name,
    webhooks,
)

_SLOW = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class _Backlog:
    count: int
    oldest_at: datetime

    @property
    def words(self) -> str:
        return webhooks(self.count, is_more=self.count >= LOOKED_AT)


def about_webhooks(
    session: Session, apps: Sequence[ZoomApp], *, now: datetime
) -> Iterator[Item]:
    """Say of which webhooks somebody should know; what stands paused is said once."""
    backlogs = _backlogs(session)
    paused = circuit.list_paused(session, at_most=LOOKED_AT)
    yield from _about_paused(session, paused)
    paused_ids = {each.state.id for each in paused}
    for app in apps:
        if not paused_ids & {app.id, app.workspace_id}:
            yield from _about_backlog(app, backlogs.get(app.id), now)
        yield from _about_dead(session, app)


def _about_backlog(
    app: ZoomApp, backlog: _Backlog | None, now: datetime
) -> Iterator[Item]:
    if backlog is None:
        return
    if app.recall_app_id is None and app.routing is Routing.RELAY:
        yield Item(
            tone=WAITING,
            sentence=f"{backlog.words} of {name(app)} wait: the app is not in Recall.",
            detail="They are forwarded as soon as it is.",
            since=backlog.oldest_at,
            action=Action.CREATE_IN_RECALL,
            zoom_app_id=app.id,
        )
    elif now - backlog.oldest_at > _SLOW:
        yield Item(
            tone=WAITING,
            sentence=f"Recall has not taken {backlog.words} of {name(app)}.",
            detail="They are kept and tried again.",
            since=backlog.oldest_at,
            action=Action.SEE_WAITING,
            zoom_app_id=app.id,
        )


def _about_paused(
    session: Session, paused: Sequence[circuit.PausedDelivery]
) -> Iterator[Item]:
    for each in paused:
        state = each.state
        wait = webhooks(each.waiting, is_more=each.waiting >= LOOKED_AT)
        is_workspace = state.kind is CircuitKind.WORKSPACE
        if is_workspace:
            where = f"the workspace {session.get_one(Workspace, state.id).name}"
        else:
            where = name(session.get_one(ZoomApp, state.id))
        yield Item(
            tone=TROUBLE,
            sentence=f"Deliveries stand paused for {where}: {wait} waiting.",
            detail=f"{state.reason} They are kept and go by themselves when a "
            "probe succeeds.",
            since=state.since,
            action=Action.OPEN_WORKSPACES if is_workspace else Action.OPEN_APP,
            zoom_app_id=None if is_workspace else state.id,
        )


def _about_dead(session: Session, app: ZoomApp) -> Iterator[Item]:
    query = (
        select(Webhook.id)
        .where(
            literal_column(DEAD),
            col(Webhook.zoom_app_id) == app.id,
            col(Webhook.delivered_at).is_(None),  # a resend may have brought it
        )
        .limit(LOOKED_AT)
    )
    dead = session.exec(select(func.count()).select_from(query.subquery())).one()
    if dead:
        number = webhooks(dead, is_more=dead >= LOOKED_AT)
        yield Item(
            tone=TROUBLE,
            sentence=f"{number} of {name(app)} could not be delivered.",
            detail="Recall's answer is with each; an admin can resend them.",
            action=Action.SEE_DEAD,
            zoom_app_id=app.id,
        )


def _backlogs(session: Session) -> dict[UUID, _Backlog]:
    oldest = (
        select(Webhook.zoom_app_id, Webhook.received_at)
        .where(col(Webhook.outcome) == Outcome.WAITING)
        .order_by(col(Webhook.id))
        .limit(LOOKED_AT)
        .subquery()
    )
    query = select(
        oldest.c.zoom_app_id, func.count(), func.min(oldest.c.received_at)
    ).group_by(oldest.c.zoom_app_id)
    return {
        app_id: _Backlog(count=number, oldest_at=at)
        for app_id, number, at in session.exec(query)
    }
