"""One Zoom credential pair: its record in Recall, secret changes and hosted pages."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import Text, false, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type
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
    """Who keeps the tokens; Recall or the dashboard exchange the code as well."""

    RECALL = "recall"
    DASHBOARD = "dashboard"
    OWN_SERVER = "own_server"  # the customer's, which has them already


class ZoomCloud(StrEnum):
    """Which of Zoom's services the app is of."""

    COMMERCIAL = "commercial"  # the hosts of the settings
    GOVERNMENT = "government"  # Zoom for Government


class ZoomApp(SQLModel, table=True):
    """One Zoom credential pair: name, environment, kind, scope style, secrets.

    Attributes:
        client_secret: Sealed, as are the two secret tokens. Each one's place is
            (zoom_app, <column>, id).
        client_secret_print: Fingerprint; `_length` and `_set_at` go with it.
        previous_secret_token: Still accepted while a rotation is under way.
        verdict: What Zoom said of the pair, at `checked_at`; the same since
            `verdict_since`.
        is_switched_off: Whether it said instead that the app is switched off in its
            Marketplace.
        pair_due_at: When Zoom is asked about the pair next; None: now.
        pair_doubted_at: Since when Zoom or Recall reports a wrong pair. Until it works
            again, the checks of the app's users stop.
        joins_external: Whether bots join meetings that other Zoom accounts host, which
            takes two more scopes.
        zoom_cloud: Which of Zoom's services it is of; decides the hosts.
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
        marketplace_app_id: Zoom's own ID of the app, as in its console's address.
        subscription_id: Zoom's id of the event subscription made by API.
        subscription_state: "", or of `runtime.marketplace.subscriptions`, as read at
            `subscription_checked_at`; `subscription_reason` goes with it.
        return_origins: Origins to which the button back may lead after connecting, one
            a line.
        validation_said: Both statuses as the last event said them; "" for never.
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
    joins_external: bool = False
    routing: Routing = Field(default=Routing.RELAY, sa_type=enum_type(Routing))
    token_custody: TokenCustody = Field(
        default=TokenCustody.RECALL, sa_type=enum_type(TokenCustody)
    )
    zoom_cloud: ZoomCloud = Field(
        default=ZoomCloud.COMMERCIAL,
        sa_type=enum_type(ZoomCloud, is_checked=False),
        sa_column_kwargs={"server_default": ZoomCloud.COMMERCIAL.value},
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
    is_switched_off: bool = Field(
        default=False, sa_column_kwargs={"server_default": false()}
    )
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verdict_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pair_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pair_doubted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    slug: str = Field(max_length=64, unique=True)
    workspace_id: UUID | None = Field(default=None, foreign_key="workspace.id")
    recall_app_id: UUID | None = Field(default=None, unique=True)
    recall_created_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    create_key: str | None = Field(default=None, max_length=64)
    rotation_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    succeeds_id: UUID | None = None
    retired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    marketplace_app_id: str | None = Field(default=None, max_length=64)
    subscription_id: str | None = Field(default=None, max_length=64)
    subscription_state: str = Field(default="", max_length=32)
    subscription_reason: str = Field(default="", max_length=300)
    subscription_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    return_origins: str = Field(
        default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")}
    )
    validation_said: str = Field(
        default="", max_length=80, sa_column_kwargs={"server_default": text("''")}
    )
    version: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)

    @property
    def hears_of_removals(self) -> bool:
        """Whether Zoom's `app_deauthorized` comes here when a user removes the app.

        Zoom sends it for published apps only (docs/contracts/zoom.md 6, checked
        2026-11-25), and with direct routing to Recall.
        """
        return (
            self.environment is Environment.PRODUCTION and self.routing is Routing.RELAY
        )


class SecretChange(SQLModel, table=True):
    """How far a change of secrets has come; the newest of a zoom app is under way.

    Attributes:
        asked_by: E-mail of the person, or "command line".
        has_client_secret: Whether the client secret is new.
        has_secret_token: Whether the secret token is.
        stored_at: When it was stored here.
        recall_at: When Recall took it; None while it has not.
        recall_error: Why Recall has not; a sentence, "" while it was not tried.
        recall_due_at: When Recall is given it next; None when nothing is left to do.
        zoom_seen_at: When Zoom was first seen signing with the new secret token.
        previous_until: Until when the former secret token is accepted; None while
            Zoom was not seen using the new one.
        ended_at: When nothing was left to do, or a later change took its place.
    """

    __tablename__ = "secret_change"
    __table_args__ = (Index(None, "zoom_app_id", "id"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    asked_by: str = Field(max_length=254)
    has_client_secret: bool
    has_secret_token: bool
    stored_at: datetime = Field(sa_type=UtcDateTime)
    recall_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recall_error: str = Field(default="", max_length=300)
    recall_due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    zoom_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    previous_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PageDesign(SQLModel, table=True):
    """Text and logo of one zoom app's hosted pages; none is the house's own.

    Attributes:
        organisation: Who asks, as users know it.
        intro: Plain text, shown escaped; blank lines part paragraphs.
        contact: Whom to ask for help: plain text.
        logo: The image as it is served, encoded here; with `logo_type` (its media
            type, of a few that are known) and `logo_print` for its address.
    """

    __tablename__ = "page_design"

    zoom_app_id: UUID = Field(
        primary_key=True, foreign_key="zoom_app.id", ondelete="CASCADE"
    )
    organisation: str = Field(default="", max_length=80)
    intro: str = Field(default="", max_length=2000)
    contact: str = Field(default="", max_length=200)
    logo: bytes | None = None
    logo_type: str = Field(default="", max_length=40)
    logo_print: str = Field(default="", max_length=16)
    changed_at: datetime = Field(sa_type=UtcDateTime)
