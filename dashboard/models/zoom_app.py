"""One Zoom credential pair, and its record in Recall."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime, enum_type
from dashboard.models.workspace import Verdict


class Environment(StrEnum):
    """Which of a Zoom app's two credential pairs this is."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Kind(StrEnum):
    """Whether users or a whole account authorise the app."""

    USER_LEVEL = "user_level"
    ACCOUNT_LEVEL = "account_level"


class ScopeStyle(StrEnum):
    """Names of the scopes: granular since 2024, legacy before."""

    GRANULAR = "granular"
    LEGACY = "legacy"


class Routing(StrEnum):
    """Where Zoom posts webhooks: here, to be forwarded, or to Recall."""

    RELAY = "relay"
    DIRECT = "direct"


class TokenCustody(StrEnum):
    """Who exchanges the code and keeps the tokens."""

    RECALL = "recall"
    DASHBOARD = "dashboard"


class ZoomApp(SQLModel, table=True):
    """One Zoom credential pair: name, environment, kind, scope style, secrets.

    Attributes:
        client_secret: Sealed, as are the two secret tokens. Each one's place is
            (zoom_app, <column>, id).
        client_secret_print: Fingerprint; `_length` and `_set_at` go with it.
        previous_secret_token: Still accepted while a rotation is under way.
        verdict: What Zoom said of the pair, at `checked_at`.
        slug: Last part of the hosted connect page's address; unique.
        workspace_id: Where its Recall record is or will be.
        recall_app_id: Recall's UUID of the app, once created or adopted.
        create_key: `Idempotency-Key` of the creation under way, kept until it is
            settled so that a lost answer never makes a second app.
        rotation_until: Until then a rotation is announced: the secret token may change
            at Zoom before it is known here, so Zoom is asked to try again.
        succeeds_id: The zoom app that this one is to replace, as production does
            development.
        retired_at: When its users had moved on; it is kept, and not watched any more.
        subscription_id: Zoom's id of the event subscription made by API.
        subscription_state: "", or of `runtime.marketplace.subscriptions`, as read at
            `subscription_checked_at`; `subscription_reason` goes with it.
        version: Grows with each change of what the receiver must know.
    """

    __tablename__ = "zoom_app"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(max_length=80)
    environment: Environment = Field(sa_type=enum_type(Environment))
    kind: Kind = Field(sa_type=enum_type(Kind))
    scope_style: ScopeStyle = Field(
        default=ScopeStyle.GRANULAR, sa_type=enum_type(ScopeStyle)
    )
    routing: Routing = Field(default=Routing.RELAY, sa_type=enum_type(Routing))
    token_custody: TokenCustody = Field(
        default=TokenCustody.RECALL, sa_type=enum_type(TokenCustody)
    )
    client_id: str = Field(max_length=200, unique=True)
    client_secret: bytes
    client_secret_print: str = Field(max_length=8)
    client_secret_length: int
    client_secret_set_at: datetime = Field(sa_type=UtcDateTime)
    secret_token: bytes
    secret_token_print: str = Field(max_length=8)
    secret_token_length: int
    secret_token_set_at: datetime = Field(sa_type=UtcDateTime)
    previous_secret_token: bytes | None = None
    verdict: Verdict = Field(default=Verdict.UNKNOWN, sa_type=enum_type(Verdict))
    verdict_reason: str = Field(default="", max_length=300)
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    slug: str = Field(max_length=64, unique=True)
    workspace_id: UUID | None = Field(default=None, foreign_key="workspace.id")
    recall_app_id: UUID | None = Field(default=None, unique=True)
    recall_created_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    create_key: str | None = Field(default=None, max_length=64)
    rotation_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    succeeds_id: UUID | None = None
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    subscription_id: str | None = Field(default=None, max_length=64)
    subscription_state: str = Field(default="", max_length=32)
    subscription_reason: str = Field(default="", max_length=300)
    subscription_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    version: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)
