"""What the simulated Zoom remembers. All secrets in here are made up."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dashboard.sandbox.zoom import values


class Environment(StrEnum):
    """Which of the two credential pairs of a Zoom app (docs/contracts/zoom.md 1)."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Kind(StrEnum):
    """User-managed or admin-managed (docs/contracts/zoom.md 1)."""

    USER_LEVEL = "user_level"
    ACCOUNT_LEVEL = "account_level"


class Record(BaseModel):
    """A row of the world; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="utf8")


class ZoomApp(Record):
    """One credential pair with everything its Marketplace page holds.

    Attributes:
        account_id: The Zoom account of its developer.
        previous_secret_token: The one before the last regeneration.
        allow_list: Full callback URLs, or base URLs (`https://host`) that cover all
            paths below them while `strict_mode` is off.
        webhook_url: Event notification endpoint; no events before `validated_at`.
        checked_at: Last challenge sent, whatever came of it.
        failures: Challenges failed in a row; six disable the subscription.
        published: Whether accounts other than `account_id` may authorise it.
        app_id: What the manifest's address calls it.
        own_scopes: Of its own tokens (`client_credentials`); Zoom adds them by itself.
        console_subscription_id: Of the event subscription on its Marketplace page.
    """

    name: str = Field(default="Simulated app", min_length=1, max_length=50)
    environment: Environment = Environment.DEVELOPMENT
    kind: Kind = Kind.USER_LEVEL
    account_id: str
    client_id: str = Field(default_factory=values.client_id, min_length=1)
    client_secret: str = Field(default_factory=values.client_secret, repr=False)
    secret_token: str = Field(default_factory=values.secret_token, repr=False)
    previous_secret_token: str | None = Field(default=None, repr=False)
    verification_token: str = Field(
        default_factory=values.verification_token, repr=False
    )
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
    app_id: str = Field(default_factory=values.opaque)
    own_scopes: list[str] = [
        "marketplace:delete:event_subscription",
        "marketplace:read:list_event_subscriptions",
        "marketplace:update:event_subscription",
        "marketplace:write:event_subscription",
    ]
    console_subscription_id: str = Field(default_factory=values.opaque)


class ZoomUser(Record):
    """A person with a Zoom account; names follow `GET /users/me`.

    Attributes:
        participants_may_record: The host's setting "Hosts can give meeting participants
            permission to record locally"; no part of the profile.
    """

    id: str = Field(default_factory=values.user_id, min_length=1)
    account_id: str
    account_number: int = 123456789
    email: str
    first_name: str = "Ana"
    last_name: str = "Nowak"
    display_name: str = ""
    type: int = 2
    role_name: str = "Member"
    pmi: int = Field(default_factory=values.pmi)
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

    id: int = Field(default_factory=values.meeting_number)
    uuid: str = Field(default_factory=values.meeting_uuid)
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

    code: str = Field(default_factory=values.code, repr=False)
    client_id: str
    user_id: str
    redirect_uri: str
    scopes: list[str]
    challenge: str | None = None
    method: str = "plain"
    issued_at: datetime
    used: bool = False


class Grant(Record):
    """What one user gave one app; one lives at a time (docs/contracts/zoom.md 3.5).

    Attributes:
        user_id: None for the app's own token (`client_credentials`).
        access: Each access token and when it ends; older ones live out their hour.
        refresh_token: The only one that works; each refresh replaces it.
        ended: Why it is dead: superseded, revoked, uninstalled. None while it lives.
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
    """One try at a delivery: an HTTP status, or the error that stood in its way."""

    at: datetime
    timestamp: str | None
    status: int | None = None
    error: str | None = None
    answer: str = ""
    latency_ms: float = 0.0

    def succeeded(self) -> bool:
        """Any 2xx in time counts (docs/contracts/zoom.md 5.6)."""
        return self.status is not None and 200 <= self.status < 300

    def may_be_retried(self) -> bool:
        """Time-outs, connection errors and 5xx; never 3xx or 4xx."""
        return self.error is not None or (self.status or 0) >= 500


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DROPPED = "dropped"


class DeliveryKind(StrEnum):
    """What sort of request it is."""

    EVENT = "event"
    CHALLENGE = "challenge"
    DEAUTHORIZATION = "deauthorization"


class Delivery(Record):
    """One request to an app's endpoint with all its tries, oldest first.

    Attributes:
        body: The exact bytes that are signed.
        event_ts: Milliseconds since the epoch.
        due_at: Next try; None when none is left.
        taken: Whether some thread is sending it now.
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
    taken: bool = False
    state: DeliveryState = DeliveryState.PENDING
    attempts: list[Attempt] = []


class Subscription(Record):
    """An event subscription made by API (docs/contracts/zoom.md 5.7).

    Attributes:
        scope: Whether `user_ids` or whole `account_ids` subscribe to it.
    """

    id: str = Field(default_factory=values.opaque)
    client_id: str
    name: str = ""
    url: str
    events: list[str]
    scope: Literal["user", "account"]
    user_ids: list[str] = []
    account_ids: list[str] = []


class Mail(Record):
    """An e-mail Zoom would have sent."""

    at: datetime
    client_id: str
    subject: str
