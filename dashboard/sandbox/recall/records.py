"""What the simulated Recall remembers, and how each thing looks in an answer."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Who an app is installed by: one user, or an admin for an account."""

    USER_LEVEL = "user_level"
    ACCOUNT_LEVEL = "account_level"


class Health(StrEnum):
    """Status of a credential; Recall knows these two only."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Sync(StrEnum):
    """Where the reading of a credential's meetings stands."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


def written(instant: datetime | None) -> str | None:
    """Write an aware UTC instant as the API does: microseconds and a `Z`."""
    if instant is None:
        return None
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(kw_only=True)
class VerificationSecret:
    """A `whsec_…` key; `until` is set once a newer one has replaced it."""

    text: str
    until: datetime | None = None


@dataclass(kw_only=True)
class Workspace:
    """The data boundary: a region and the API key that opens it."""

    region: str
    api_key: str
    secrets: list[VerificationSecret] = field(default_factory=list)

    def as_json(self) -> dict[str, str | None]:
        """Return what the control API shows, newest verification secret included."""
        newest = self.secrets[-1].text if self.secrets else None
        return {
            "region": self.region,
            "api_key": self.api_key,
            "verification_secret": newest,
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

    @property
    def ordered_by(self) -> datetime:
        """The instant lists are ordered by."""
        return self.created_at

    def as_json(self) -> dict[str, Any]:
        """Return the API's object, secrets in clear text as documented."""
        return {
            "id": self.id,
            "kind": str(self.kind),
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "webhook_secret": self.webhook_secret,
            "webhook_last_validation": written(self.webhook_last_validation),
            "created_at": written(self.created_at),
        }


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Tokens of one Zoom user, and who that user is."""

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
        refreshing: Held while its refresh token is being spent.
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
    def ordered_by(self) -> datetime:
        """The instant lists are ordered by."""
        return self.created_at

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
            "created_at": written(self.created_at),
            "meeting_sync_status": str(self.meeting_sync_status),
        }


@dataclass(kw_only=True)
class Mapping:
    """A meeting number that one credential answers for."""

    seq: int
    workspace: Workspace
    meeting_id: int
    credential: str
    synced_at: datetime

    @property
    def ordered_by(self) -> datetime:
        """The instant lists are ordered by."""
        return self.synced_at

    def as_json(self) -> dict[str, Any]:
        """Return the API's object; it has no id."""
        return {
            "meeting_id": self.meeting_id,
            "credential": self.credential,
            "synced_at": written(self.synced_at),
        }


@dataclass(kw_only=True)
class LogEntry:
    """A warning or error; `about` names the key of its subject in the answer."""

    seq: int
    workspace: Workspace
    about: str
    subject: str
    message: str
    created_at: datetime

    @property
    def ordered_by(self) -> datetime:
        """The instant lists are ordered by."""
        return self.created_at

    def as_json(self) -> dict[str, Any]:
        """Return the API's object; it has no id and no level."""
        return {
            self.about: self.subject,
            "message": self.message[:2000],
            "created_at": written(self.created_at),
        }


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request to the webhook receiver, whatever became of it.

    Attributes:
        headers: Names in lower case.
        body: The exact bytes.
        status: What was answered.
        note: Why, in a few words.
    """

    app: str
    at: datetime
    headers: dict[str, str]
    body: bytes
    status: int
    note: str


@dataclass(frozen=True, kw_only=True)
class StoredAnswer:
    """The first answer, errors included, and when it was given."""

    at: datetime
    status: int
    content_type: str | None
    body: bytes
