"""What the simulated Recall stores, and its form in answers."""

import base64
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

_SECRETS_OVERLAP = timedelta(hours=24)  # docs/contracts/recall.md 6


class Kind(StrEnum):
    """Whether an app is added by one user, or by an admin for an account."""

    USER_LEVEL = "user_level"
    ACCOUNT_LEVEL = "account_level"


class Health(StrEnum):
    """Status of a credential; Recall has only these two."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Sync(StrEnum):
    """Status of the meeting sync of a credential."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


def to_iso(instant: datetime | None) -> str | None:
    """Return an aware UTC instant as the API writes it: microseconds and a `Z`."""
    if instant is None:
        return None
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(kw_only=True)
class VerificationSecret:
    """A `whsec_…` key; `until` is set when a newer one replaces it."""

    text: str
    until: datetime | None = None


@dataclass(kw_only=True)
class Workspace:
    """A workspace: a region and an API key."""

    region: str
    api_key: str
    secrets: list[VerificationSecret] = field(default_factory=list)

    def as_json(self) -> dict[str, str | None]:
        """Return what the control API shows, with the newest verification secret."""
        newest = self.secrets[-1].text if self.secrets else None
        return {
            "region": self.region,
            "api_key": self.api_key,
            "verification_secret": newest,
        }

    def renew_secret(self, *, now: datetime) -> str:
        """Add a verification secret and return it; old ones sign for 24 hours more."""
        for old in self.secrets:
            old.until = old.until or now + _SECRETS_OVERLAP
        # The part after the prefix is base64, as in a real secret.
        random = base64.b64encode(b"simulated!" + secrets.token_bytes(23)).decode()
        self.secrets.append(VerificationSecret(text=f"whsec_{random}"))
        return self.secrets[-1].text

    def signature_headers(self, body: bytes, *, now: datetime) -> dict[str, str]:
        """Return the three `webhook-` headers; none before the first secret.

        Source: docs/contracts/recall.md 6.
        """
        valid = [key for key in self.secrets if key.until is None or key.until > now]
        if not valid:
            return {}
        message_id = "msg_sim" + secrets.token_urlsafe(18)
        timestamp = str(int(now.timestamp()))
        text = f"{message_id}.{timestamp}.".encode() + body
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(_signature(key.text, text) for key in valid),
        }


@dataclass(kw_only=True)
class App:
    """A Zoom OAuth App (docs/contracts/recall.md 3.1)."""

    seq: int
    workspace: Workspace
    id: str
    kind: Kind
    client_id: str
    client_secret: str
    webhook_secret: str
    created_at: datetime
    webhook_last_validation: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the API's object, secrets in clear text as documented."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "webhook_secret": self.webhook_secret,
            "webhook_last_validation": to_iso(self.webhook_last_validation),
            "created_at": to_iso(self.created_at),
        }


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Tokens of a Zoom user, and the user's IDs."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime
    user_id: str
    account_id: str


@dataclass(kw_only=True)
class Credential:
    """A Zoom OAuth Credential (docs/contracts/recall.md 3.5).

    Attributes:
        errors: Token failures in a row; the third makes it unhealthy.
        refreshing: Held while its tokens are refreshed.
    """

    seq: int
    workspace: Workspace
    app: App
    id: str
    grant: Grant
    access_token_callback_url: str | None
    created_at: datetime
    status: Health = Health.HEALTHY
    meeting_sync_status: Sync = Sync.NOT_STARTED
    errors: int = 0
    refreshing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def user_id(self) -> str | None:
        """The Zoom user, for user-level apps only."""
        return self.grant.user_id if self.app.kind is Kind.USER_LEVEL else None

    @property
    def account_id(self) -> str | None:
        """The Zoom account, for account-level apps only."""
        return self.grant.account_id if self.app.kind is Kind.ACCOUNT_LEVEL else None

    def as_json(self) -> dict[str, Any]:
        """Return the API's object."""
        return {
            "id": self.id,
            "oauth_app": self.app.id,
            "status": str(self.status),
            "user_id": self.user_id,
            "account_id": self.account_id,
            "access_token_callback_url": self.access_token_callback_url,
            "created_at": to_iso(self.created_at),
            "meeting_sync_status": str(self.meeting_sync_status),
        }


@dataclass(kw_only=True)
class Mapping:
    """A meeting number and the credential that is used for it."""

    seq: int
    workspace: Workspace
    meeting_id: int
    credential: str
    synced_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return the API's object; it has no ID."""
        return {
            "meeting_id": self.meeting_id,
            "credential": self.credential,
            "synced_at": to_iso(self.synced_at),
        }


@dataclass(frozen=True, kw_only=True)
class BotChange:
    """A step of a bot, perhaps still to come."""

    at: datetime
    code: str
    sub_code: str | None = None
    message: str | None = None


@dataclass(kw_only=True)
class Bot:
    """A bot and its way."""

    workspace: Workspace
    id: str
    link: str
    meeting_id: int
    meeting_password: str | None
    name: str
    changes: list[BotChange]

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return the API's object, with what has happened until now."""
        return {
            "id": self.id,
            "meeting_url": {
                "meeting_id": str(self.meeting_id),
                "meeting_password": self.meeting_password,
                "platform": "zoom",
            },
            "bot_name": self.name,
            "join_at": None,
            "status_changes": [
                {
                    "code": one.code,
                    "sub_code": one.sub_code,
                    "message": one.message,
                    "created_at": to_iso(one.at),
                }
                for one in self.changes
                if one.at <= now
            ],
        }


@dataclass(kw_only=True)
class LogEntry:
    """A warning or error; `about` is the key of `subject` in the answer."""

    seq: int
    workspace: Workspace
    about: str
    subject: str
    message: str
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return the API's object; it has no ID and no level."""
        return {
            self.about: self.subject,
            "message": self.message[:2000],
            "created_at": to_iso(self.created_at),
        }


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request to the webhook receiver.

    Attributes:
        headers: Names in lower case.
        body: The exact bytes.
        status: HTTP status of the answer.
        note: What was done, in a few words.
    """

    app: str
    at: datetime
    headers: dict[str, str]
    body: bytes
    status: int
    note: str


@dataclass(frozen=True, kw_only=True)
class StoredAnswer:
    """The first answer under an idempotency key, errors included."""

    at: datetime
    status: int
    content_type: str | None
    body: bytes


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, text, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
