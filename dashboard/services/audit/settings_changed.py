"""Which columns are settings, and what of them changed in a transaction.

So an act names what it changed without saying so itself: `entries` attaches what this
found to the transaction's first entry. A column is named here or ruled out in
`tests/services/audit/test_settings_changed.py`.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import event, inspect
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Session, SQLModel

from dashboard.models.alert import AlertChannel
from dashboard.models.domain import DomainProof
from dashboard.models.endpoint import Endpoint
from dashboard.models.invitation import Invitation
from dashboard.models.own_server import OwnServer
from dashboard.models.staff import Staff
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import PageDesign, ZoomApp
from dashboard.services.audit.changes import Changes, changed

_FOUND = "dashboard.audit.settings"

SETTINGS: Mapping[type[SQLModel], Mapping[str, str]] = {
    Workspace: {
        "name": "name",
        "region": "region",
        "api_key_print": "API key (fingerprint)",
        "verification_secret_print": "verification secret (fingerprint)",
        "requires_signature": "signature required",
    },
    ZoomApp: {
        "name": "name",
        "environment": "environment",
        "kind": "kind",
        "scope_style": "scopes",
        "joins_external": "joins external meetings",
        "routing": "routing",
        "token_custody": "token storage",
        "zoom_cloud": "Zoom service",
        "client_id": "client ID",
        "client_secret_print": "client secret (fingerprint)",
        "secret_token_print": "secret token (fingerprint)",
        "is_switched_off": "switched off",
        "slug": "address of the connect page",
        "workspace_id": "workspace ID",
        "recall_app_id": "app ID in Recall",
        "succeeds_id": "follows zoom app ID",
        "retired_at": "retired",
        "marketplace_app_id": "Marketplace app ID",
        "return_origins": "origins of the way back",
    },
    PageDesign: {
        "organisation": "organization",
        "intro": "introduction",
        "contact": "contact",
        "logo_print": "logo (fingerprint)",
    },
    OwnServer: {"host": "host of the own server"},
    DomainProof: {
        "file_name": "verification file",
        "file_content": "content of the verification file",
        "tag": "verification tag",
    },
    Staff: {
        "email": "email",
        "role": "role",
        "is_limited": "limited to zoom apps",
        "disabled_at": "deactivated",
    },
    AlertChannel: {
        "kind": "kind",
        "name": "name",
        "shown": "address (masked)",
        "kinds": "kinds of alerts",
        "zoom_app_ids": "zoom apps",
        "severity": "severity",
        "lasts_minutes": "lasts (minutes)",
        "quiet_from": "quiet from (minute)",
        "quiet_to": "quiet to (minute)",
        "time_zone": "time zone",
        "pace": "pace",
        "daily_at": "digest at (minute)",
    },
    Endpoint: {
        "host": "host",
        "events": "events",
        "zoom_apps": "zoom apps",
        "paused_at": "paused",
    },
    Invitation: {"state": "state", "expires_at": "expires"},
}
"""Names as a person reads them; a secret is named by its fingerprint."""


def watch() -> None:
    """Notice what any session is about to write; once for the process."""
    if not event.contains(Session, "before_flush", _notice):
        event.listen(Session, "before_flush", _notice)


def taken(session: Session) -> Changes:
    """Return what this transaction changed, once."""
    before, after = session.info.pop(_FOUND, ({}, {}))
    return changed(before, after)


def _notice(session: Session, _context: UOWTransaction, _instances: object) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        names = SETTINGS.get(type(row))
        if names is not None:
            before, after = session.info.setdefault(_FOUND, ({}, {}))
            for label, old, new in _of(row, names, is_gone=row in session.deleted):
                before.setdefault(label, old)  # of two flushes the first knows it
                after[label] = new


def _of(
    row: SQLModel, names: Mapping[str, str], *, is_gone: bool
) -> list[tuple[str, Any, Any]]:
    state: Any = inspect(row)
    found = []
    for name, label in names.items():
        history = state.attrs[name].history
        now = cast("Any", getattr(row, name))
        if is_gone:
            found.append((label, now, None))
        elif history.has_changes():
            old = history.deleted[0] if history.deleted else None
            found.append((label, old, now))
    return found
