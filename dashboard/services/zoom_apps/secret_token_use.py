"""Which secret token Zoom was seen signing with, from the webhooks it sent.

From rows, so the door pays nothing for it. A row's word is proven by its bytes where it
matters: a process may take a second to know of a change (services/receiver/keyring.py).
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, TextClause, func, or_, select, update
from sqlmodel import Session, SQLModel

from dashboard.db import announce
from dashboard.errors import VaultError
from dashboard.models.circuit import OpenCircuit
from dashboard.models.ids import first_id
from dashboard.models.webhook import Refusal, WebhookBody
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services.receiver.signatures import MISMATCHES, signing_secret
from dashboard.services.relay.queues import WEBHOOK, is_waiting
from dashboard.services.zoom_apps import apps, secret_changes
from dashboard.vault import Vault

TRIES = 7
"""So often a webhook signed with a former secret token is tried before Recall is given
the new one all the same: some four minutes (services/relay/retries.py)."""

_KNOWN_AFTER = timedelta(seconds=5)
"""When every process knows of a change: longer than the keyring keeps what it knows."""


class FormerWebhooks(StrEnum):
    """What Recall is to get before a new secret token."""

    NONE = "none"
    FIRST = "first"
    ONCE_MORE = "once_more"


_LOOKED_AT = 200
_BODY = SQLModel.metadata.tables[str(WebhookBody.__tablename__)]
_HOLD = SQLModel.metadata.tables[str(OpenCircuit.__tablename__)]
_REFUSAL = SQLModel.metadata.tables[str(Refusal.__tablename__)]


def is_in_use(session: Session, vault: Vault, zoom_app: ZoomApp) -> bool:
    """Whether Zoom may be signing with the secret token stored here.

    It is not if a change to it is under way, and Zoom was not seen using it since.
    """
    change = secret_changes.latest(session, zoom_app.id)
    if change is None or change.ended_at is not None or not change.has_secret_token:
        return True
    if change.zoom_seen_at is not None:
        return True
    since = change.stored_at
    return seen_with_current(session, vault, zoom_app, since=since) is not None


def seen_with_current(
    session: Session, vault: Vault, zoom_app: ZoomApp, *, since: datetime
) -> datetime | None:
    """Return when Zoom was seen signing with the secret token stored here; or None.

    Looks at the newest 200 webhooks: the first of them, or one soon after.

    Args:
        session: Reading.
        vault: Opens what the signature is proven with.
        zoom_app: Whose.
        since: When the secret token was stored; aware.
    """
    newest = (
        select(WEBHOOK.c.id, WEBHOOK.c.verdict)
        .where(WEBHOOK.c.zoom_app_id == zoom_app.id, WEBHOOK.c.id >= first_id(since))
        .order_by(WEBHOOK.c.id.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    first, last = (
        session.connection()
        .execute(
            select(func.min(newest.c.id), func.max(newest.c.id)).where(
                newest.c.verdict == "current"
            )
        )
        .one()
    )
    for webhook_id in (first, last):
        if webhook_id is not None and is_by_current(
            session, vault, zoom_app, webhook_id
        ):
            at: datetime | None = session.connection().scalar(
                select(WEBHOOK.c.received_at).where(WEBHOOK.c.id == webhook_id)
            )
            return at
    return None


def seen_with_former(
    session: Session, zoom_app_id: UUID, *, since: datetime
) -> datetime | None:
    """Return when Zoom was last seen signing with the former secret token; or None."""
    at: datetime | None = session.connection().scalar(
        select(WEBHOOK.c.received_at)
        .where(
            WEBHOOK.c.zoom_app_id == zoom_app_id,
            WEBHOOK.c.id >= first_id(since),
            WEBHOOK.c.verdict == "previous",
        )
        .order_by(WEBHOOK.c.id.desc())
        .limit(1)
    )
    return at


def seen_with_neither(
    session: Session, zoom_app_id: UUID, *, since: datetime
) -> datetime | None:
    """Return when a request was last refused for its signature; or None."""
    at: datetime | None = session.connection().scalar(
        select(_REFUSAL.c.received_at)
        .where(
            _REFUSAL.c.zoom_app_id == zoom_app_id,
            _REFUSAL.c.id >= first_id(since),
            _REFUSAL.c.cause.in_(sorted(cause.value for cause in MISMATCHES)),
        )
        .order_by(_REFUSAL.c.id.desc())
        .limit(1)
    )
    return at


def is_by_current(
    session: Session, vault: Vault, zoom_app: ZoomApp, webhook_id: int
) -> bool:
    """Whether the bytes of a webhook are signed with the secret token stored here."""
    row = (
        session.connection()
        .execute(
            select(_BODY.c.headers, _BODY.c.body).where(
                _BODY.c.webhook_id == webhook_id
            )
        )
        .one_or_none()
    )
    if row is None:
        return False
    place: dict[str, Any] = {"table": _BODY.name, "row": webhook_id}
    try:
        headers = json.loads(vault.open(row.headers, column="headers", **place))
        body = vault.open(row.body, column="body", **place)
        [current, *_] = apps.secret_tokens(vault, zoom_app)
    except VaultError:
        return False
    return signing_secret(headers, body, [current]) is not None


def with_wrong_verdict(
    session: Session, vault: Vault, zoom_app: ZoomApp, change: SecretChange
) -> list[int]:
    """Return the webhooks of the first seconds after a change that have the wrong word.

    A process that did not know of it yet called the former secret token the current
    one: such a webhook would wait for Recall to be given another.
    """
    doubtful = session.connection().scalars(
        select(WEBHOOK.c.id).where(
            WEBHOOK.c.zoom_app_id == zoom_app.id,
            WEBHOOK.c.id >= first_id(change.stored_at),
            WEBHOOK.c.id < first_id(change.stored_at + _KNOWN_AFTER),
            WEBHOOK.c.verdict == "current",
        )
    )
    return [
        webhook_id
        for webhook_id in doubtful.all()
        if not is_by_current(session, vault, zoom_app, webhook_id)
    ]


def correct_verdicts(session: Session, webhook_ids: Sequence[int]) -> None:
    """Give them the right word; the caller commits."""
    session.connection().execute(
        update(WEBHOOK).where(WEBHOOK.c.id.in_(webhook_ids)).values(verdict="previous")
    )


def former_webhooks(
    session: Session, zoom_app: ZoomApp, change: SecretChange
) -> FormerWebhooks:
    """Say whether Recall should get webhooks first that only the former one proves.

    Not for what it refuses; and for what it does not take after some tries once more,
    for it may have been down. But as long as the workspace as a whole stands still,
    all of them: nothing else could be delivered either.
    """
    if not change.has_secret_token or change.recall_at is not None:
        return FormerWebhooks.NONE
    held = set(
        session.connection().scalars(
            select(_HOLD.c.id).where(
                _HOLD.c.id.in_([zoom_app.id, zoom_app.workspace_id]),
                _HOLD.c.is_holding,
            )
        )
    )
    is_down = zoom_app.workspace_id in held
    if zoom_app.id in held and not is_down:
        return FormerWebhooks.NONE
    tried = session.connection().scalar(
        select(func.min(WEBHOOK.c.claim)).where(*_former(zoom_app, change))
    )
    if tried is None:
        return FormerWebhooks.NONE
    return (
        FormerWebhooks.FIRST if is_down or tried < TRIES else FormerWebhooks.ONCE_MORE
    )


def make_former_due(
    session: Session, zoom_app: ZoomApp, change: SecretChange, *, now: datetime
) -> None:
    """Make due what only the former secret token proves; the caller commits."""
    session.connection().execute(
        update(WEBHOOK)
        .where(*_former(zoom_app, change), WEBHOOK.c.lease_until.is_(None))
        .values(due_at=now)
    )
    announce(session.connection())


def _former(
    zoom_app: ZoomApp, change: SecretChange
) -> tuple[ColumnElement[bool] | TextClause, ...]:
    return (
        WEBHOOK.c.zoom_app_id == zoom_app.id,
        is_waiting(WEBHOOK),
        or_(WEBHOOK.c.verdict != "current", WEBHOOK.c.received_at < change.stored_at),
    )
