"""The shapes of the API: what it answers and takes, as the document describes them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from dashboard.models.connection import SyncStatus
from dashboard.models.invitation import InvitationState
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import Environment, Kind, Routing, TokenCustody
from dashboard.services.connections.listing import Sort
from dashboard.services.events import kinds
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Shown
from dashboard.services.invitations.invitations import LASTS_DAYS, LONGEST_DAYS
from dashboard.services.invitations.references import (
    LONGEST_REFERENCE,
    LONGEST_URL,
    MOST_TAGS,
)
from dashboard.services.validation.states import State

LONGEST_CURSOR = 1000
LONGEST_TEXT = 5000


class Query(BaseModel):
    """Of a query: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """Of a body: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


EventKind = StrEnum("EventKind", {kind: kind for kind in kinds.KINDS})  # type: ignore[misc]  # made from the table of kinds

Reference = Annotated[
    str, Field(max_length=LONGEST_REFERENCE, description="Your own ID of the user.")
]
Tag = Annotated[str, Field(pattern="^[A-Za-z0-9._:-]{1,40}$")]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
ReturnUrl = Annotated[
    str,
    Field(
        max_length=LONGEST_URL,
        description="Where a button leads after connecting. Its origin must be allowed "
        "on the zoom app.",
    ),
]
Cursor = Annotated[
    str | None,
    Field(
        max_length=LONGEST_CURSOR,
        description="`next_cursor` of the page before. It belongs to one filter.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=200)]

Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """Some rows in order, and the cursor of those after them."""

    data: list[Row]
    next_cursor: str | None = Field(description="null on the last page.")


class Standing(BaseModel):
    """How a thing stands, and who must do what about it."""

    state: str
    label: str
    tone: Literal["good", "waiting", "trouble", "off"]
    sentence: str
    reason: str
    since: datetime | None
    who_must_act: Who
    next_step: str
    next_check_at: datetime | None


class Evidence(BaseModel):
    """What a state stands on."""

    words: str
    seen_at: datetime | None
    age_s: int | None = Field(description="Seconds since `seen_at`.")
    valid_until: datetime | None
    is_real_call: bool = Field(description="Whether Zoom itself answered a call.")


class Connection(BaseModel):
    """A connected Zoom user, or a whole Zoom account."""

    id: UUID
    zoom_app_id: UUID
    reference: str
    is_reference_verified: bool = Field(
        description="false: it came in a plain link, which its user can change."
    )
    tags: list[str]
    display_name: str
    email: str
    zoom_user_id: str | None
    zoom_account_id: str | None
    pmi: int | None
    previous_pmi: int | None
    token_storage: TokenCustody
    state: Shown
    label: str
    tone: Literal["good", "waiting", "trouble", "off"]
    reason: str
    since: datetime | None
    evidence: Evidence
    is_usable: bool = Field(
        description="Whether nothing known speaks against a token for the next bot."
    )
    why_not: str
    who_must_act: Who
    next_step: str
    next_check_at: datetime
    meeting_sync: SyncStatus
    connected_at: datetime
    reconnected_at: datetime | None


class ConnectionPage(Page[Connection]):
    """Connections."""


class ConnectionsQuery(Query):
    """What connections to list; everything left out matches."""

    reference: Reference | None = None
    tag: Tag | None = None
    email: Annotated[str | None, Field(max_length=254)] = None
    zoom_user_id: Annotated[str | None, Field(max_length=64)] = None
    pmi: Annotated[int | None, Field(ge=1, le=99_999_999_999)] = None
    q: Annotated[
        str | None, Field(max_length=200, description="As the search on the page.")
    ] = None
    zoom_app_id: UUID | None = None
    state: Shown | None = None
    who_must_act: Who | None = None
    token_storage: TokenCustody | None = None
    meeting_sync: SyncStatus | None = None
    sort: Sort = Sort.CONNECTED
    limit: Limit = 50
    cursor: Cursor = None


class ConnectionChange(Body):
    """What of yours to change on a connection; what is left out stays."""

    reference: Reference | None = None
    tags: Tags | None = None


class AccessToken(BaseModel):
    """A Zoom access token of one user. Use it and forget it."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_at: datetime
    expires_in: int = Field(description="Seconds; at least 120.")
    scopes: list[str]


class NewReconnectLink(Body):
    """A link that renews one connection."""

    return_url: ReturnUrl | None = None


class NewInvitation(Body):
    """A link for one person. It needs an email or a reference."""

    zoom_app_id: UUID
    email: Annotated[str | None, Field(max_length=254)] = None
    reference: Reference | None = None
    tags: Tags = Field(default_factory=list)
    return_url: ReturnUrl | None = None
    expires_days: Annotated[int, Field(ge=1, le=LONGEST_DAYS, strict=True)] = LASTS_DAYS


class Invitation(BaseModel):
    """A link made for one person."""

    id: UUID
    zoom_app_id: UUID
    connection_id: UUID | None
    reference: str
    tags: list[str]
    return_url: str
    email: str
    state: InvitationState
    created_at: datetime
    expires_at: datetime
    opened_at: datetime | None
    ended_at: datetime | None


class MadeInvitation(Invitation):
    """A link just made. Its address is in this answer only."""

    url: str


class InvitationPage(Page[Invitation]):
    """Invitations and reconnect links."""


class InvitationsQuery(Query):
    """What links to list; everything left out matches."""

    state: InvitationState | None = None
    zoom_app_id: UUID | None = None
    reference: Reference | None = None
    limit: Limit = 50
    cursor: Cursor = None


class Clock(BaseModel):
    """The validation status of one way."""

    state: State
    label: str
    sentence: str
    since: datetime | None
    next_due_at: datetime | None
    failures: int


class Clocks(BaseModel):
    """Both ways a webhook takes."""

    zoom_to_dashboard: Clock
    dashboard_to_recall: Clock


class SetupStep(BaseModel):
    """A step of the set-up, with the evidence of it."""

    key: str
    title: str
    is_done: bool
    is_proven: bool
    at: datetime | None
    proof: str
    next_step: str


class ZoomApp(BaseModel):
    """A zoom app, without its secrets."""

    id: UUID
    name: str
    environment: Environment
    kind: Kind
    routing: Routing
    token_storage: TokenCustody
    region: str | None
    recall_app_id: UUID | None
    webhook_url: str
    redirect_url: str
    connect_url: str
    return_origins: list[str]
    retired_at: datetime | None
    standing: Standing
    problems: list[Standing]
    clocks: Clocks
    setup: list[SetupStep]


class ZoomAppPage(Page[ZoomApp]):
    """Zoom apps."""


class NoQuery(Query):
    """Nothing."""


class Webhook(BaseModel):
    """A request received from Zoom, without its content."""

    id: str
    zoom_app_id: UUID
    event: str
    received_at: datetime
    meeting_id: int | None
    zoom_user_id: str | None
    zoom_account_id: str | None
    outcome: Outcome
    standing: Standing
    attempts: int
    arrivals: int
    delivered_at: datetime | None


class WebhookPage(Page[Webhook]):
    """Webhooks."""


class DeliveryAttempt(BaseModel):
    """One try at bringing a webhook to Recall."""

    started_at: datetime
    took_ms: float | None
    status: int | None
    words: str


class WebhookDetail(Webhook):
    """A webhook with its body as it may be shown."""

    body: str = Field(description="Passwords, links, emails and phones are hidden.")
    is_body_cut: bool
    why_hidden: str
    why_not_resend: str
    deliveries: list[DeliveryAttempt]


class WebhooksQuery(Query):
    """What webhooks to list; everything left out matches."""

    zoom_app_id: UUID | None = None
    connection_id: UUID | None = None
    event: Annotated[str | None, Field(max_length=80)] = None
    outcome: Outcome | None = None
    meeting_id: Annotated[int | None, Field(ge=1, le=99_999_999_999)] = None
    zoom_user_id: Annotated[str | None, Field(max_length=64)] = None
    limit: Limit = 50
    cursor: Cursor = None


class Resend(BaseModel):
    """A webhook queued for Recall once more."""

    resend_id: str
    webhook_id: str


class EventsQuery(Query):
    """What events to read; everything left out matches."""

    type: EventKind | None = None
    limit: Limit = 100
    cursor: Cursor = None


class Event(BaseModel):
    """Something that changed; the same as is sent to endpoints."""

    id: str
    type: str
    version: int
    timestamp: str = Field(json_schema_extra={"format": "date-time"})
    data: dict[str, Any] = Field(
        description="As the document's `webhooks` describe it for each type."
    )


class EventPage(BaseModel):
    """Events in the order of the feed."""

    data: list[Event]
    next_cursor: str = Field(
        description="Never null: keep it, and ask again for what comes later."
    )


class Question(Body):
    """What to explain."""

    text: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_TEXT,
            description="An email, a Zoom ID, your reference, a PMI, a meeting number, "
            "a join link, or an ID of Recall's. Nothing of it is kept.",
        ),
    ]


class EvidenceLine(BaseModel):
    """One thing that was seen."""

    at: datetime | None
    source: str
    words: str


class Explanation(BaseModel):
    """One sentence on what is the matter, who must act, and the evidence."""

    asked: str
    not_understood: list[str]
    verdict: str
    sentence: str
    who_must_act: Who
    next_step: str
    also: str
    possible_reasons: list[str]
    connection_id: UUID | None
    evidence: list[EvidenceLine]
