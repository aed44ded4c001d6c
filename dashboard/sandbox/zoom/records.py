"""What the simulated Zoom stores, and the identifiers it gives out. All are made up."""

import base64
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


def new_secret_token() -> str:
    """Return 22 characters of base64url, `simT` first (docs/contracts/zoom.md 1)."""
    return _tagged("simT", 22)


def new_plain_token() -> str:
    """Return the 22 characters of a `plainToken`."""
    return _tagged("simP", 22)


def new_account_id() -> str:
    """Return 22 characters, `simA` first."""
    return _tagged("simA", 22)


def new_id(length: int = 22) -> str:
    """Return any other identifier of `length` characters."""
    return _tagged("sim", length)


def _new_client_id() -> str:
    return _tagged("simC", 22)  # docs/contracts/zoom.md 1


def new_client_secret() -> str:
    """Return 32 characters, `simS` first."""
    return _tagged("simS", 32)


def _new_verification_token() -> str:
    return _tagged("simV", 22)


def _new_user_id() -> str:
    return _tagged("simU", 22)


def _new_code() -> str:
    return _tagged("simCode_", 40)  # docs/contracts/zoom.md 1: 32 to 64


def _new_pmi() -> int:
    return 5_550_000_000 + secrets.randbelow(9_999_999)


def _new_meeting_number() -> int:
    return 90_000_000_000 + secrets.randbelow(9_999_999_999)


def _new_meeting_uuid() -> str:
    """Return 16 random bytes as padded base64, which may hold `/` and `+`."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def _tagged(tag: str, length: int) -> str:
    return tag + secrets.token_urlsafe(length)[: length - len(tag)]


class Environment(StrEnum):
    """Which of the two credential pairs of a Zoom app (docs/contracts/zoom.md 1)."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Kind(StrEnum):
    """User-managed or admin-managed (docs/contracts/zoom.md 1)."""

    USER_LEVEL = "user_level"
    ACCOUNT_LEVEL = "account_level"


class Record(BaseModel):
    """One stored thing; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="utf8")


class ZoomApp(Record):
    """One credential pair with everything its Marketplace page holds.

    Attributes:
        account_id: The developer's Zoom account.
        previous_client_secret: The one before the last rotation, which counts until
            `previous_client_secret_until`.
        previous_secret_token: The one before the last regeneration.
        allow_list: Full callback URLs, or base URLs (`https://host`) that cover all
            paths below them while `strict_mode` is off.
        webhook_url: Event notification endpoint; no events before `validated_at`.
        checked_at: When the last validation request was sent, whatever its result.
        failures: Validations failed in a row; six disable the subscription.
        published: Whether accounts other than `account_id` may authorize it.
        app_id: Its ID in the URL of the manifest API.
        own_scopes: Of its own tokens (`client_credentials`); Zoom adds them.
        event_certificates: Names of the certificates that its events are sent with.
        console_subscription_id: Of the event subscription on its Marketplace page.
    """

    name: str = Field(default="Simulated app", min_length=1, max_length=50)
    environment: Environment = Environment.DEVELOPMENT
    kind: Kind = Kind.USER_LEVEL
    account_id: str
    client_id: str = Field(default_factory=_new_client_id, min_length=1)
    client_secret: str = Field(default_factory=new_client_secret, repr=False)
    previous_client_secret: str | None = Field(default=None, repr=False)
    previous_client_secret_until: datetime | None = None
    secret_token: str = Field(default_factory=new_secret_token, repr=False)
    previous_secret_token: str | None = Field(default=None, repr=False)
    verification_token: str = Field(default_factory=_new_verification_token, repr=False)
    redirect_url: str | None = None
    allow_list: list[str] = []
    strict_mode: bool = False
    webhook_url: str | None = None
    validated_at: datetime | None = None
    checked_at: datetime | None = None
    failures: int = 0
    subscription_enabled: bool = True
    deauthorization_url: str | None = None
    scopes: list[str] = []
    optional_scopes: list[str] = []
    events: list[str] = []
    published: bool = False
    app_id: str = Field(default_factory=new_id)
    own_scopes: list[str] = [
        "marketplace:delete:event_subscription",
        "marketplace:read:list_event_subscriptions",
        "marketplace:read:webhook_logs",
        "marketplace:read:event_certificates",
        "marketplace:read:app_request:admin",
        "marketplace:update:app_request:admin",
        "marketplace:update:client_secret",
        "marketplace:update:event_subscription",
        "marketplace:write:event_subscription",
    ]
    console_subscription_id: str = Field(default_factory=new_id)
    event_certificates: list[str] = []


class ZoomUser(Record):
    """A Zoom user; fields are named as in `GET /users/me`.

    Attributes:
        participants_may_record: The host's setting "Hosts can give meeting participants
            permission to record locally"; no part of the profile.
    """

    id: str = Field(default_factory=_new_user_id, min_length=1)
    account_id: str
    account_number: int = 123456789
    email: str
    first_name: str = "Ana"
    last_name: str = "Nowak"
    display_name: str = ""
    type: int = 2
    role_name: str = "Member"
    pmi: int = Field(default_factory=_new_pmi)
    use_pmi: bool = False
    timezone: str = "Europe/Warsaw"
    language: str = "en-US"
    dept: str = ""
    verified: int = 1
    status: str = "active"
    participants_may_record: bool = True
    created_at: datetime

    def is_admin(self) -> bool:
        """Whether they may install account-level apps."""
        return self.role_name in {"Admin", "Owner"}


class Meeting(Record):
    """A scheduled meeting; `start_time` is aware, UTC."""

    id: int = Field(default_factory=_new_meeting_number)
    uuid: str = Field(default_factory=_new_meeting_uuid)
    host_id: str
    topic: str = "Weekly"
    type: int = 2
    start_time: AwareDatetime
    duration: int = 30
    timezone: str
    use_pmi: bool = False
    pmi: int
    password: str = "abc123"  # noqa: S105 - simulated, and the same for all
    created_at: datetime

    def join_url(self) -> str:
        """Return the link people click, password included."""
        number = self.pmi if self.use_pmi else self.id
        return f"https://example.zoom.us/j/{number}?pwd={self.password}"


class Code(Record):
    """An authorization code: five minutes, single use.

    Attributes:
        challenge: PKCE challenge; None when the request had none.
        method: `S256` or `plain`.
    """

    code: str = Field(default_factory=_new_code, repr=False)
    client_id: str
    user_id: str
    redirect_uri: str
    scopes: list[str]
    challenge: str | None = None
    method: str = "plain"
    issued_at: datetime
    used: bool = False


class Grant(Record):
    """A user's authorization of an app; one at a time (docs/contracts/zoom.md 3.5).

    Attributes:
        user_id: None for the app's own token (`client_credentials`).
        access: Each access token and when it expires; older ones stay valid for their
            hour.
        refresh_token: The only one that works; each refresh replaces it.
        ended: Why it ended: superseded, revoked or uninstalled. None while active.
    """

    client_id: str
    user_id: str | None
    account_id: str
    scopes: list[str]
    access: dict[str, datetime] = Field(default_factory=dict, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)
    refresh_until: datetime | None = None
    granted_at: datetime
    ended: str | None = None


class Attempt(Record):
    """One attempt at a delivery: the HTTP status, or the error instead of one."""

    at: datetime
    timestamp: str | None
    status: int | None = None
    error: str | None = None
    answer: str = ""
    answer_headers: dict[str, str] = {}
    latency_ms: float = 0.0

    def succeeded(self) -> bool:
        """Any 2xx in time counts (docs/contracts/zoom.md 5.6)."""
        return self.status is not None and 200 <= self.status < 300

    def may_be_retried(self) -> bool:
        """Time-outs, connection errors and 5xx; never 3xx or 4xx."""
        return self.error is not None or (self.status or 0) >= 500


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DROPPED = "dropped"


class DeliveryKind(StrEnum):
    """Which kind of request a delivery is."""

    EVENT = "event"
    VALIDATION = "validation"
    DEAUTHORIZATION = "deauthorization"


class Delivery(Record):
    """One request to an app's endpoint with all its attempts, oldest first.

    Attributes:
        body: The exact bytes that are signed.
        event_ts: Milliseconds since the epoch.
        due_at: Next attempt; None when there is none.
        claimed: Whether a thread is sending it now.
    """

    id: int
    kind: DeliveryKind
    client_id: str
    event: str
    event_ts: int
    url: str
    body: bytes
    queued_at: datetime
    due_at: datetime | None
    claimed: bool = False
    state: DeliveryState = DeliveryState.PENDING
    attempts: list[Attempt] = []


class Subscription(Record):
    """An event subscription made by API (docs/contracts/zoom.md 5.7).

    Attributes:
        scope: Whether it is for `user_ids` or for whole `account_ids`.
        auth_type: `client_auth_type` of the list; None leaves the field out.
        custom_params: The field of that name; None likewise.
    """

    id: str = Field(default_factory=new_id)
    client_id: str
    name: str = ""
    url: str
    events: list[str]
    scope: Literal["user", "account"]
    user_ids: list[str] = []
    account_ids: list[str] = []
    auth_type: str | None = None
    custom_params: dict[str, str] | None = None


class AppRequest(Record):
    """A user's request that their account's admin approves an app.

    Attributes:
        status: `pending`, `approved` or `declined`.
    """

    client_id: str
    user_id: str
    reason: str = ""
    status: Literal["pending", "approved", "declined"] = "pending"
    at: datetime


class Mail(Record):
    """An email Zoom would have sent."""

    at: datetime
    client_id: str
    subject: str
