"""Needs attention: what a person should mend, one sentence and one action each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import literal_column
from sqlmodel import Session, col, func, select

from dashboard.models.connection import TokenState
from dashboard.models.hold import HoldKind
from dashboard.models.webhook import DEAD, Outcome, Webhook
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services import holds
from dashboard.services.overview import AppOverview
from dashboard.services.validation_states import State
from dashboard.settings import public_url_trouble

LOOKED_AT = 1000
"""So many of the oldest waiting webhooks are looked at; more is said as "1,000+"."""

_SLOW = timedelta(minutes=10)
_TROUBLE, _WAITING, _OFF = "trouble", "waiting", "off"
_ORDER = [_TROUBLE, _WAITING, _OFF]


class Action(StrEnum):
    """The one thing to do; the page knows its address and its words."""

    OPEN_APP = "open_app"
    EDIT_APP = "edit_app"
    CREATE_IN_RECALL = "create_in_recall"
    SEE_DEAD = "see_dead"
    SEE_WAITING = "see_waiting"
    SEE_CONNECTIONS = "see_connections"
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


@dataclass(frozen=True, kw_only=True)
class _Backlog:
    count: int
    oldest_at: datetime

    @property
    def words(self) -> str:
        return _webhooks(self.count, is_more=self.count >= LOOKED_AT)


_CONNECTIONS = {
    TokenState.RECONNECT_NEEDED: (
        _TROUBLE,
        "must reconnect: Zoom no longer honours the grant.",
        "Send a reconnect link.",
    ),
    TokenState.UNHEALTHY_IN_RECALL: (
        _TROUBLE,
        "must reconnect: Recall calls the credential unhealthy.",
        "Send a reconnect link.",
    ),
    TokenState.MISSING_SCOPES: (
        _TROUBLE,
        "did not grant every scope that is needed.",
        "Add the scopes in Zoom, then let them reconnect.",
    ),
}


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
    backlogs = _backlogs(session)
    found = [
        *_about_workspaces(session),
        *_about_address(public_url),
    ]
    still = holds.list_still(session, at_most=LOOKED_AT)
    found += _about_holds(session, still)
    held = {each.standing.id for each in still}
    for each in apps:
        found += _about_pair(each.app)
        found += _about_validation(each)
        if not held & {each.app.id, each.app.workspace_id}:
            found += _about_backlog(each.app, backlogs.get(each.app.id), now)
        found += _about_dead(session, each.app)
        found += _about_connections(each)
    return sorted(found, key=lambda item: _ORDER.index(item.tone))


def _about_pair(app: ZoomApp) -> Iterator[Item]:
    if app.verdict is Verdict.WRONG:
        yield Item(
            tone=_TROUBLE,
            sentence=f"Zoom refuses the client ID and client secret of {_name(app)}.",
            detail="Nobody can connect until it is mended.",
            since=app.checked_at,
            action=Action.EDIT_APP,
            zoom_app_id=app.id,
        )
    elif app.verdict is Verdict.UNKNOWN:
        yield Item(
            tone=_WAITING,
            sentence=f"The client ID and secret of {_name(app)} are unchecked.",
            detail=app.verdict_reason,
            action=Action.OPEN_APP,
            zoom_app_id=app.id,
        )


def _about_validation(each: AppOverview) -> Iterator[Item]:
    words = {
        State.SECRET_MISMATCH: "Secret tokens differ for",
        State.FAILING: "Validation fails for",
        State.RECALL_DISAGREES: "Recall disagrees about the validation of",
        State.OVERDUE: "Validation is overdue for",
    }
    state = each.status.state
    if state in words:
        yield Item(
            tone=_WAITING if state is State.OVERDUE else _TROUBLE,
            sentence=f"{words[state]} {_name(each.app)}.",
            detail=each.status.sentence,
            since=each.status.since,
            action=Action.OPEN_APP,
            zoom_app_id=each.app.id,
        )


def _about_backlog(
    app: ZoomApp, backlog: _Backlog | None, now: datetime
) -> Iterator[Item]:
    if backlog is None:
        return
    if app.recall_app_id is None and app.routing is Routing.RELAY:
        yield Item(
            tone=_WAITING,
            sentence=f"{backlog.words} of {_name(app)} wait: the app is not in Recall.",
            detail="They are forwarded as soon as it is.",
            since=backlog.oldest_at,
            action=Action.CREATE_IN_RECALL,
            zoom_app_id=app.id,
        )
    elif now - backlog.oldest_at > _SLOW:
        yield Item(
            tone=_WAITING,
            sentence=f"Recall has not taken {backlog.words} of {_name(app)}.",
            detail="They are kept and tried again.",
            since=backlog.oldest_at,
            action=Action.SEE_WAITING,
            zoom_app_id=app.id,
        )


def _about_holds(session: Session, still: Sequence[holds.Still]) -> Iterator[Item]:
    for each in still:
        standing = each.standing
        wait = _webhooks(each.waiting, is_more=each.waiting >= LOOKED_AT)
        is_workspace = standing.kind is HoldKind.WORKSPACE
        if is_workspace:
            where = f"the workspace {session.get_one(Workspace, standing.id).name}"
        else:
            where = _name(session.get_one(ZoomApp, standing.id))
        yield Item(
            tone=_TROUBLE,
            sentence=f"Deliveries stand still for {where}: {wait} waiting.",
            detail=f"{standing.reason} They are kept and go by themselves when a "
            "probe succeeds.",
            since=standing.since,
            action=Action.OPEN_WORKSPACES if is_workspace else Action.OPEN_APP,
            zoom_app_id=None if is_workspace else standing.id,
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
        number = _webhooks(dead, is_more=dead >= LOOKED_AT)
        yield Item(
            tone=_TROUBLE,
            sentence=f"{number} of {_name(app)} could not be delivered.",
            detail="Recall's answer is with each; an admin can resend them.",
            action=Action.SEE_DEAD,
            zoom_app_id=app.id,
        )


def _about_connections(each: AppOverview) -> Iterator[Item]:
    for state, (tone, words, detail) in _CONNECTIONS.items():
        number = each.connections[state]
        if number:
            who = "1 user" if number == 1 else f"{number:,} users"
            yield Item(
                tone=tone,
                sentence=f"{who} of {_name(each.app)} {words}",
                detail=detail,
                action=Action.SEE_CONNECTIONS,
                zoom_app_id=each.app.id,
                token_state=state,
            )


def _about_workspaces(session: Session) -> Iterator[Item]:
    wrong = col(Workspace.verdict) == Verdict.WRONG
    for workspace in session.exec(select(Workspace).where(wrong)):
        yield Item(
            tone=_TROUBLE,
            sentence=f"Recall refuses the API key of the workspace {workspace.name}.",
            detail=workspace.verdict_reason,
            since=workspace.checked_at,
            action=Action.OPEN_WORKSPACES,
        )


def _about_address(public_url: str) -> Iterator[Item]:
    trouble = public_url_trouble(public_url)
    if trouble is not None:
        yield Item(
            tone=_OFF,
            sentence=f"The real Zoom would refuse {public_url}: {trouble}.",
            detail="Set DASHBOARD_PUBLIC_URL to an https address with a host name.",
            action=Action.SET_PUBLIC_URL,
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


def _webhooks(number: int, *, is_more: bool) -> str:
    if number == 1:
        return "1 webhook"
    return f"{number:,}{'+' if is_more else ''} webhooks"


def _name(app: ZoomApp) -> str:
    return f"{app.name} ({app.environment})"
