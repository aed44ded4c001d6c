"""The queues: what each zoom app has due, and what pauses it. Reads only.

`WEBHOOK` and `REDELIVERY` are for Recall; `DELIVERY` is for the customer's endpoints
(`relay.outgoing`), so that nothing of it is read on the way to Recall.

While Recall has yet to be given a new secret token, webhooks signed with it wait.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Label,
    Select,
    Table,
    TextClause,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    text,
)
from sqlmodel import Session, SQLModel

from dashboard.db.columns import UtcDateTime
from dashboard.models.circuit import OpenCircuit
from dashboard.models.endpoint import EndpointDelivery
from dashboard.models.resend import Redelivery
from dashboard.models.webhook import Webhook, WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import SecretChange, ZoomApp


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A zoom app that is in Recall.

    Attributes:
        webhook_due_at: When the first of its webhooks is due, if any.
        redelivery_due_at: The same for its resends.
        app_probe_at: When a probe may be sent; None while the app is not paused.
        workspace_probe_at: The same for its workspace.
        token_since: When its secret token was last changed, if ever.
        is_behind: Whether Recall has yet to be given it: what is signed with it is not
            sent.
    """

    zoom_app_id: UUID
    recall_app_id: UUID
    workspace_id: UUID
    region: str
    webhook_due_at: datetime | None
    redelivery_due_at: datetime | None
    app_probe_at: datetime | None
    workspace_probe_at: datetime | None
    token_since: datetime | None = None
    is_behind: bool = False

    def is_due(self, now: datetime) -> bool:
        """Whether it has something to send and is not paused."""
        due_at = self.due_at
        if due_at is None or due_at > now:
            return False
        return all(at is None or at <= now for at in self._probes_at)

    @property
    def due_at(self) -> datetime | None:
        """Return when the first of its two queues is due."""
        dues = (self.webhook_due_at, self.redelivery_due_at)
        return min((at for at in dues if at is not None), default=None)

    @property
    def probes(self) -> frozenset[UUID]:
        """Return the open circuits that a delivery of it would probe."""
        ids = (self.zoom_app_id, self.workspace_id)
        pairs = zip(ids, self._probes_at, strict=True)
        return frozenset(its_id for its_id, at in pairs if at is not None)

    @property
    def _probes_at(self) -> tuple[datetime | None, datetime | None]:
        return self.app_probe_at, self.workspace_probe_at


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


WEBHOOK, REDELIVERY = _table(Webhook), _table(Redelivery)
DELIVERY = _table(EndpointDelivery)
_BODY, _APP, _WORKSPACE = _table(WebhookBody), _table(ZoomApp), _table(Workspace)
_CHANGE = _table(SecretChange)
_TOKEN_SINCE = bindparam("token_since", type_=UtcDateTime)
SIGNED_NEWLY = and_(
    WEBHOOK.c.verdict == "current", WEBHOOK.c.received_at >= _TOKEN_SINCE
)
"""Signed with the secret token stored at `token_since`, as far as rows say."""

SIGNED_BEFORE = or_(
    WEBHOOK.c.verdict != "current", WEBHOOK.c.received_at < _TOKEN_SINCE
)
"""Signed with a former one."""


def is_waiting(table: Table) -> TextClause:
    """Return the due index's condition, literally.

    A plan that is kept for any parameter could not use a partial index.
    """
    return text(f"{table.name}.outcome = 'waiting'")


def _first_due(queue: Table) -> Label[datetime | None]:
    return (
        select(queue.c.due_at)
        .where(queue.c.zoom_app_id == _APP.c.id, is_waiting(queue))
        .order_by(queue.c.due_at)
        .limit(1)
        .scalar_subquery()
        .label(f"{queue.name}_due_at")
    )


def _newest_token(value: ColumnElement[Any], name: str) -> Label[Any]:
    return (
        select(value)
        .where(_CHANGE.c.zoom_app_id == _APP.c.id, _CHANGE.c.has_secret_token)
        .order_by(_CHANGE.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label(name)
    )


_APP_HOLD, _WORKSPACE_HOLD = (_table(OpenCircuit).alias(name) for name in ("ha", "hw"))
TARGETS = (
    select(
        _APP.c.id.label("zoom_app_id"),
        _APP.c.recall_app_id,
        _WORKSPACE.c.id.label("workspace_id"),
        _WORKSPACE.c.region,
        _first_due(WEBHOOK),
        _first_due(REDELIVERY),
        _APP_HOLD.c.probe_at.label("app_probe_at"),
        _WORKSPACE_HOLD.c.probe_at.label("workspace_probe_at"),
        _newest_token(_CHANGE.c.stored_at, "token_since"),
        _newest_token(
            and_(
                _CHANGE.c.ended_at.is_(None),
                _CHANGE.c.recall_at.is_(None),
                _CHANGE.c.recall_due_at.is_not(None),
            ),
            "is_behind",
        ),
    )
    .join(_WORKSPACE, _WORKSPACE.c.id == _APP.c.workspace_id)
    .outerjoin(_APP_HOLD, and_(_APP_HOLD.c.id == _APP.c.id, _APP_HOLD.c.is_holding))
    .outerjoin(
        _WORKSPACE_HOLD,
        and_(_WORKSPACE_HOLD.c.id == _WORKSPACE.c.id, _WORKSPACE_HOLD.c.is_holding),
    )
    .where(_APP.c.recall_app_id.is_not(None))
)


def _due(queue: Table, redelivery_id: ColumnElement[Any]) -> Select[Any]:
    joined = select(
        WEBHOOK.c.id.label("webhook_id"),
        redelivery_id.label("redelivery_id"),
        queue.c.claim,
        queue.c.attempts,
        queue.c.refused_at,
        WEBHOOK.c.event,
        WEBHOOK.c.verdict,
        WEBHOOK.c.received_at,
        _BODY.c.headers,
        _BODY.c.body,
    )
    if queue is REDELIVERY:
        joined = joined.join_from(queue, WEBHOOK, WEBHOOK.c.id == queue.c.webhook_id)
    return (
        joined.join(_BODY, _BODY.c.webhook_id == WEBHOOK.c.id)
        .where(
            queue.c.zoom_app_id == bindparam("app_id"),
            is_waiting(queue),
            queue.c.due_at <= bindparam("now", type_=UtcDateTime),
        )
        .limit(bindparam("at_most"))
        .with_for_update(of=queue, skip_locked=True)
    )


_ALL = {
    WEBHOOK: _due(WEBHOOK, null()),
    REDELIVERY: _due(REDELIVERY, REDELIVERY.c.id),
}
DUE = {queue: _ALL[queue].order_by(queue.c.due_at, queue.c.id) for queue in _ALL}
DUE_BEFORE = {queue: DUE[queue].where(SIGNED_BEFORE) for queue in DUE}
DUE_NEWLY = {
    queue: _ALL[queue].where(SIGNED_NEWLY).order_by(queue.c.id.desc()) for queue in _ALL
}
"""Newest first: for a probe, which tests whether Recall accepts the current token."""


def _first_before(queue: Table) -> Select[Any]:
    query = select(func.min(queue.c.due_at)).where(
        queue.c.zoom_app_id == bindparam("app_id"), is_waiting(queue), SIGNED_BEFORE
    )
    if queue is REDELIVERY:
        query = query.join_from(queue, WEBHOOK, WEBHOOK.c.id == queue.c.webhook_id)
    return query


_FIRST_BEFORE = {queue: _first_before(queue) for queue in (WEBHOOK, REDELIVERY)}


def targets_of(session: Session) -> list[Target]:
    """Return every zoom app that is in Recall."""
    rows = session.connection().execute(TARGETS).mappings()
    targets = [Target(**row) for row in rows]
    return [_behind(session, each) if each.is_behind else each for each in targets]


def _behind(session: Session, target: Target) -> Target:
    """Read again what is due, without what waits for Recall's new token."""
    values = {"app_id": target.zoom_app_id, "token_since": target.token_since}
    webhook_due_at, redelivery_due_at = (
        session.connection().execute(_FIRST_BEFORE[queue], values).scalar_one()
        for queue in (WEBHOOK, REDELIVERY)
    )
    return replace(
        target, webhook_due_at=webhook_due_at, redelivery_due_at=redelivery_due_at
    )
