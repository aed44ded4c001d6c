"""People limited to chosen zoom apps: what their requests see and may name.

What they read comes through a `LimitedDatabase`. What an address names is looked for
there before the view runs: closed unless it is listed here.
"""

from collections.abc import Iterable
from http import HTTPStatus
from uuid import UUID

from flask import abort, request
from sqlmodel import SQLModel, select

from dashboard.models.alert import Alert
from dashboard.models.bot_test import BotTest
from dashboard.models.connection import Connection
from dashboard.models.invitation import Invitation
from dashboard.models.resend import Resend
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.live import topics
from dashboard.web import context

_ROWS: dict[str, type[SQLModel]] = {
    "alert_id": Alert,
    "connection_id": Connection,
    "invitation_id": Invitation,
    "resend_id": Resend,
    "run_id": BotTest,
    "webhook_id": Webhook,
    "zoom_app_id": ZoomApp,
}
"""What the parts of an address name; any other is 404 for people who are limited."""

_NO_ROW = frozenset({"which"})


def apply(zoom_apps: frozenset[UUID]) -> None:
    """Limit this request to these zoom apps, or end it with 404."""
    context.limit(zoom_apps)
    for name, value in (request.view_args or {}).items():
        if name not in _NO_ROW and not _is_seen(_ROWS.get(name), value):
            abort(HTTPStatus.NOT_FOUND)


def may_follow(names: Iterable[str]) -> bool:
    """Whether all these topics are about what this request sees."""
    return all(
        _is_seen(_ROWS[f"{kind}_id"], value)
        for name in names
        for kind, value in topics.about(name)
    )


def _is_seen(model: type[SQLModel] | None, value: object) -> bool:
    if model is None:
        return False
    key = SQLModel.metadata.tables[str(model.__tablename__)].c.id
    query = select(model).with_only_columns(key).where(key == value)
    return context.db().execute(query).first() is not None
