"""Things with unremarkable values; a test names only what it is about."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session

from dashboard.models.connection import Connection, TokenState
from dashboard.models.ids import new_id
from dashboard.models.webhook import Webhook, WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Environment, Kind, ScopeStyle, ZoomApp
from dashboard.vault import Vault, fingerprint

LATER = datetime(2028, 1, 1, tzinfo=UTC)
"""After all that a test stores: nothing is ahead of it."""

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET_TOKEN = SecretStr("test-secret-token-0001")
CLIENT_SECRET = SecretStr("test-client-secret-0001")
API_KEY = SecretStr("test-api-key-0001")


class FakeClock:
    """A clock that a test moves; `.now()` like `dashboard.clock.Clock`."""

    def __init__(self, instant: datetime = NOON) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def __call__(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        """Wait for nothing: what is asked again is asked at once."""

    def drift_s(self) -> float:
        """Nobody sets the host's clock: time is only moved on."""
        return 0.0

    def set(self, instant: datetime | None) -> None:
        self.instant = instant or NOON

    def advance(self, **amount: float) -> None:
        self.instant += timedelta(**amount)


def a_workspace(vault: Vault, **over: Any) -> Workspace:
    workspace_id = over.pop("id", None) or uuid4()
    values: dict[str, Any] = {
        "name": "Test workspace",
        "region": "us-east-1",
        "api_key": vault.seal_text(
            API_KEY, table="workspace", column="api_key", row=workspace_id
        ),
        "api_key_print": fingerprint(API_KEY),
        "api_key_length": len(API_KEY.get_secret_value()),
        "api_key_set_at": NOON,
        "created_at": NOON,
    }
    return Workspace(id=workspace_id, **(values | over))


@dataclass(frozen=True)
class AskingApp:
    """What decides the scopes of a zoom app, without the zoom app."""

    kind: Kind = Kind.USER_LEVEL
    scope_style: ScopeStyle = ScopeStyle.GRANULAR
    joins_external: bool = False


def a_zoom_app(
    vault: Vault,
    *,
    secret_token: SecretStr = SECRET_TOKEN,
    client_secret: SecretStr = CLIENT_SECRET,
    **over: Any,
) -> ZoomApp:
    app_id = over.pop("id", None) or uuid4()
    sealed = {
        column: vault.seal_text(value, table="zoom_app", column=column, row=app_id)
        for column, value in (
            ("client_secret", client_secret),
            ("secret_token", secret_token),
        )
    }
    values: dict[str, Any] = {
        "name": "Notetaker",
        "environment": Environment.DEVELOPMENT,
        "kind": Kind.USER_LEVEL,
        "client_id": f"simC{uuid4().hex[:18]}",
        "client_secret_print": fingerprint(client_secret),
        "client_secret_length": len(client_secret.get_secret_value()),
        "client_secret_set_at": NOON,
        "secret_token_print": fingerprint(secret_token),
        "secret_token_length": len(secret_token.get_secret_value()),
        "secret_token_set_at": NOON,
        "slug": f"notetaker-{uuid4().hex[:8]}",
        "created_at": NOON,
    }
    return ZoomApp(id=app_id, **(values | sealed | over))


def a_connection(app: ZoomApp, **over: Any) -> Connection:
    values: dict[str, Any] = {
        "zoom_app_id": app.id,
        "recall_credential_id": uuid4(),
        "zoom_user_id": f"zUsEr{uuid4().hex[:17]}",
        "zoom_account_id": "AbCdEfGhIjKlMnOpQrStUv",
        "display_name": "Ana Nowak",
        "email": "ana@example.com",
        "pmi": 5551234567,
        "token_state": TokenState.HEALTHY,
        "token_reason": "Zoom answered a call made with the token.",
        "token_checked_at": NOON,
        "connected_at": NOON,
        "due_at": NOON + timedelta(hours=6),
    }
    return Connection(**(values | over))


_GIVEN = set[int]()


def another_id(instant: datetime) -> int:
    """Return an id of that instant that no other row got.

    Tests go back to one instant again and again, where random bits meet in time.
    """
    while (row_id := new_id(instant)) in _GIVEN:
        pass
    _GIVEN.add(row_id)
    return row_id


def a_webhook(app: ZoomApp, **over: Any) -> Webhook:
    received_at = over.get("received_at", NOON)
    if not isinstance(received_at, datetime):
        raise TypeError("received_at")
    values: dict[str, Any] = {
        "id": another_id(received_at),
        "zoom_app_id": app.id,
        "dedupe": uuid4().bytes * 2,
        "event": "meeting.created",
        "event_ts": int(received_at.timestamp() * 1000),
        "sent_at_s": int(received_at.timestamp()),
        "verdict": "current",
        "zoom_user_id": "zUsEr0001AAAAAAAAAAAAA",
        "zoom_account_id": "AbCdEfGhIjKlMnOpQrStUv",
        "meeting_id": 91234567890,
        "body_bytes": 2,
        "body_sha256": "0" * 64,
        "received_at": received_at,
        "due_at": received_at,
    }
    return Webhook(**(values | over))


def a_body(
    vault: Vault, webhook: Webhook, *, body: bytes = b"{}", headers: bytes = b"[]"
) -> WebhookBody:
    place: dict[str, Any] = {"table": "webhook_body", "row": webhook.id}
    return WebhookBody(
        webhook_id=webhook.id,
        headers=vault.seal(headers, column="headers", **place),
        body=vault.seal(body, column="body", **place),
    )


def saved_app(session: Session, vault: Vault, **over: Any) -> UUID:
    """Add a zoom app with its workspace and Recall record; return its id."""
    workspace = a_workspace(vault)
    app = a_zoom_app(vault, **{"recall_app_id": uuid4(), **over})
    session.add(workspace)
    session.flush()
    app.workspace_id = workspace.id
    session.add(app)
    session.flush()
    return app.id
