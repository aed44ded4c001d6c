"""A connected Zoom user or account: meetings, members, timeline, connect attempts."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Text, UniqueConstraint, event, false, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type
from dashboard.models.zoom_app import TokenCustody


class TokenState(StrEnum):
    """What was seen of a connection's grant (product.md, Connections)."""

    HEALTHY = "healthy"
    EXPIRING = "expiring"
    MISSING_SCOPES = "missing_scopes"
    RECONNECT_NEEDED = "reconnect_needed"
    UNHEALTHY_IN_RECALL = "unhealthy_in_recall"
    UNKNOWN = "unknown"


class TokenCause(StrEnum):
    """Why a check that found no state needs an admin (see services/facts).

    `NOT_THE_APP`: Recall gets no token with a pair that works, so the user's
    authorization has ended. It stays until a token or a new consent.
    """

    NONE = ""
    KEY_REFUSED = "key_refused"
    APP_DISABLED = "app_disabled"
    PAIR_REFUSED = "pair_refused"
    NO_CREDIT = "no_credit"
    NOT_ALLOWED = "not_allowed"
    NO_TOKEN = "no_token"  # noqa: S105 - no password
    NO_ANSWER = "no_answer"
    OWN_SERVER = "own_server"
    NOT_THE_APP = "not_the_app"
    INACTIVE = "inactive"
    OTHER_USER = "other_user"


class SyncStatus(StrEnum):
    """Recall's `meeting_sync_status`, or unknown (docs/contracts/recall.md 3.5)."""

    UNKNOWN = "unknown"
    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


BLOCKED = "recording_block > ''"
"""The condition of the index of such hosts, for a query to name literally."""


class Connection(SQLModel, table=True):
    """One connected Zoom user (user_level) or account (account_level).

    Attributes:
        token_custody: Who holds its grant; the zoom app's may have changed since.
        recall_credential_id: Recall's UUID of the credential; None when deleted there.
        pmi: Personal meeting id, up to 11 digits.
        pmi_changed_by: The source of the last change, in words for staff.
        pmi_seen_at: As of when the PMI is known; what an older event says is left out.
        profile_seen_at: The same of the name and email.
        deauthorized_at: When the user removed the app, as Zoom's webhook said. Until
            they reconnect, or a later check disproves it
            (services/token_states/rules.py).
        scopes: All granted scopes, sorted, space separated; None while not seen.
        search_text: Email and name in lower case, kept up to date for searches.
        recall_status: Recall's own word for the credential when last seen, at
            `recall_seen_at`; "" unseen.
        mappings_seen_at: When Recall's list of its meetings was last read well;
            `mappings_trouble` is why it could not be since, in one sentence.
        recording_block: The host's setting that keeps bots from recording, in Zoom's
            words, as seen at `recording_block_at`; "" when none was.
        token_state: Derived from what was seen; with `token_reason` (a sentence),
            `token_evidence` (by which means) and `token_checked_at`. Set by
            `note_state` alone, with `token_cause` and `token_since`: when it began.
        reference: Your own id of the user, from the link they connected through; with
            `tags` (your own words, sorted, space separated) and `return_url` (where
            the button back leads).
        is_reference_verified: Whether it came from a link made for that user. The
            address of a plain link says what its user likes.
        reconnect_said_at: When the customer's software was sent an event that the user
            must reconnect; None once it was sent that a token works again.
        recall_tried_at: When Recall was last asked to try a credential again that it
            had marked unhealthy.
        due_at: When the worker checks it next; `lease_until` and `claim` are the
            lease of the check that is running. `claim` never falls.
    """

    __table_args__ = (
        UniqueConstraint("zoom_app_id", "zoom_user_id"),
        Index(None, "due_at"),
        Index(None, "pmi"),
        Index(None, "previous_pmi"),
        Index(None, "connected_at", "id"),  # the orders of the list
        Index(None, "display_name", "id", "search_text"),
        # The cause as well, so that who must act is found without the rows.
        Index(None, "token_state", "connected_at", "id", "token_cause"),
        Index(None, "sync_status", "connected_at", "id"),
        Index(
            "ix_connection_blocked",
            "recording_block",
            sqlite_where=text(BLOCKED),
            postgresql_where=text(BLOCKED),
        ),
        Index(None, "zoom_app_id", "connected_at", "id"),
        Index(None, "search_text", "connected_at", "id"),  # read instead of the rows
        Index(None, "token_checked_at"),
        Index(None, "tags", "connected_at", "id"),  # read instead of the rows
        Index(
            "ix_connection_shown",
            "token_state",
            "zoom_app_id",
            "token_expires_at",
            "token_checked_at",
            "token_cause",
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    token_custody: TokenCustody = Field(
        default=TokenCustody.RECALL, sa_type=enum_type(TokenCustody, is_checked=False)
    )
    recall_credential_id: UUID | None = Field(default=None, unique=True)
    zoom_user_id: str | None = Field(default=None, max_length=64, index=True)
    zoom_account_id: str | None = Field(default=None, max_length=64, index=True)
    display_name: str = Field(default="", max_length=200)
    email: str = Field(default="", max_length=254, index=True)
    pmi: int | None = Field(default=None, sa_type=BigId)
    previous_pmi: int | None = Field(default=None, sa_type=BigId)
    pmi_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pmi_changed_by: str = Field(default="", max_length=40)
    pmi_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    profile_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deauthorized_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    scopes: str | None = Field(default=None, sa_type=Text)
    search_text: str = Field(default="", max_length=460)
    token_state: TokenState = Field(
        default=TokenState.UNKNOWN, sa_type=enum_type(TokenState)
    )
    token_reason: str = Field(default="", max_length=500)
    token_evidence: str = Field(default="", max_length=300)
    token_checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    token_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    token_cause: TokenCause = Field(
        default=TokenCause.NONE,
        sa_type=enum_type(TokenCause, is_checked=False),
        sa_column_kwargs={"server_default": text("''")},
    )
    token_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reconnect_said_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recall_tried_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    recall_status: str = Field(default="", max_length=16)
    recall_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    mappings_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    mappings_trouble: str = Field(
        default="", max_length=200, sa_column_kwargs={"server_default": text("''")}
    )
    recording_block: str = Field(default="", max_length=200)
    recording_block_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    sync_status: SyncStatus = Field(
        default=SyncStatus.UNKNOWN, sa_type=enum_type(SyncStatus)
    )
    reference: str = Field(
        default="",
        max_length=200,
        index=True,
        sa_column_kwargs={"server_default": text("''")},
    )
    is_reference_verified: bool = Field(
        default=False, sa_column_kwargs={"server_default": false()}
    )
    tags: str = Field(
        default="", max_length=420, sa_column_kwargs={"server_default": text("''")}
    )
    return_url: str = Field(
        default="", max_length=500, sa_column_kwargs={"server_default": text("''")}
    )
    connected_at: datetime = Field(sa_type=UtcDateTime)
    reconnected_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0

    @property
    def granted_at(self) -> datetime:
        """When the user consented last."""
        return self.reconnected_at or self.connected_at

    def note_state(
        self,
        state: TokenState,
        reason: str,
        *,
        evidence: str,
        at: datetime,
        cause: TokenCause = TokenCause.NONE,
    ) -> None:
        """Set the state; `token_since` stays while it does, and its cause if unknown.

        Args:
            state: What was seen.
            reason: A sentence or two.
            evidence: By which means.
            at: When it was seen.
            cause: What an admin must fix, if that is the reason.
        """
        is_other = state is TokenState.UNKNOWN and cause is not self.token_cause
        if is_other or state is not self.token_state:
            self.token_since = at
        elif self.token_since is None:
            self.token_since = self.token_checked_at or at
        self.token_state, self.token_cause = state, cause
        self.token_reason, self.token_evidence = reason, evidence


@event.listens_for(Connection, "before_insert")
@event.listens_for(Connection, "before_update")
def _keep_search_text(_mapper: Any, _connection: Any, row: Connection) -> None:  # noqa: ANN401 - SQLAlchemy's own
    row.search_text = f"{row.email} {row.display_name}".lower()[:460]


class FormerEmail(SQLModel, table=True):
    """An email that a connected user had before; goes with the connection.

    Written by `services.former_emails` alone.

    Attributes:
        zoom_user_id: Whose, of a connected account; "" for the connection's own.
        until: When it became another.
    """

    __tablename__ = "former_email"
    __table_args__ = (
        Index(None, "email"),
        Index(None, "connection_id", "zoom_user_id", "until"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE")
    zoom_user_id: str = Field(default="", max_length=64)
    email: str = Field(max_length=254)
    until: datetime = Field(sa_type=UtcDateTime)


class MeetingMapping(SQLModel, table=True):
    """Recall's mapping of a meeting number to a connection, as last seen there."""

    __tablename__ = "meeting_mapping"
    __table_args__ = (UniqueConstraint("connection_id", "meeting_id"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE")
    meeting_id: int = Field(sa_type=BigId, index=True)
    synced_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class AttemptOutcome(StrEnum):
    """How an attempt to connect ended; open while the user is at Zoom."""

    OPEN = "open"
    CONNECTED = "connected"
    DECLINED = "declined"
    EXPIRED = "expired"  # came back too late
    ABANDONED = "abandoned"  # never came back
    WRONG_ACCOUNT = "wrong_account"
    BEGUN_AT_ZOOM = "begun_at_zoom"  # landed here without a state
    REPLAYED = "replayed"
    REFUSED_BY_RECALL = "refused_by_recall"
    REFUSED_BY_ZOOM = "refused_by_zoom"  # the dashboard's own exchange
    UNREACHABLE = "unreachable"
    ZOOM_ERROR = "zoom_error"


class ConnectAttempt(SQLModel, table=True):
    """One connect attempt, from the button to the callback.

    Attributes:
        invitation_id: The link it began from, when that was made for one person.
        state_hash: SHA-256 of the OAuth `state`, hex; unique. Single use.
        browser_hash: SHA-256 of the cookie that binds it to the browser, hex.
        code_verifier: Sealed PKCE verifier; emptied when used. Its place is
            (connect_attempt, code_verifier, id).
        reference: Of the link it began from, as `tags` and `return_url`; kept on the
            connection it makes.
        detail: What Zoom or Recall said, redacted.
    """

    __tablename__ = "connect_attempt"
    __table_args__ = (
        Index(None, "outcome", "expires_at"),
        Index(None, "connection_id"),
        Index(None, "invitation_id"),
        Index(None, "browser_hash"),
        Index(None, "zoom_app_id", "created_at", "id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    zoom_app_id: UUID = Field(foreign_key="zoom_app.id")
    connection_id: UUID | None = Field(
        default=None, foreign_key="connection.id", ondelete="SET NULL"
    )
    invitation_id: UUID | None = None
    reference: str = Field(
        default="", max_length=200, sa_column_kwargs={"server_default": text("''")}
    )
    tags: str = Field(
        default="", max_length=420, sa_column_kwargs={"server_default": text("''")}
    )
    return_url: str = Field(
        default="", max_length=500, sa_column_kwargs={"server_default": text("''")}
    )
    state_hash: str = Field(unique=True, max_length=64)
    browser_hash: str = Field(max_length=64)
    code_verifier: bytes | None = None
    outcome: AttemptOutcome = Field(
        default=AttemptOutcome.OPEN, sa_type=enum_type(AttemptOutcome)
    )
    detail: str = Field(default="", max_length=500)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


SETTLED = frozenset({TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL})
"""States in which there is nothing left to bear out."""


class AccountMember(SQLModel, table=True):
    """One user of an account_level connection.

    Attributes:
        pmi: Personal meeting id; `previous_pmi` and `pmi_changed_at` as a connection's.
        status: Zoom's word: "active", "inactive", "pending".
        seen_at: When Zoom listed them last.
    """

    __tablename__ = "account_member"
    __table_args__ = (
        Index(None, "zoom_user_id"),
        Index(None, "email"),
        Index(None, "pmi"),
        Index(None, "previous_pmi"),
    )

    connection_id: UUID = Field(
        primary_key=True, foreign_key="connection.id", ondelete="CASCADE"
    )
    zoom_user_id: str = Field(primary_key=True, max_length=64)
    display_name: str = Field(default="", max_length=200)
    email: str = Field(default="", max_length=254)
    pmi: int | None = Field(default=None, sa_type=BigId)
    previous_pmi: int | None = Field(default=None, sa_type=BigId)
    pmi_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    status: str = Field(default="", max_length=20)
    seen_at: datetime = Field(sa_type=UtcDateTime)


class ConnectionEvent(SQLModel, table=True):
    """One line of a connection's timeline; goes with the connection.

    Attributes:
        id: From `models.ids.new_id(at)`.
        at: When it happened, by the clock of its source.
        source: "dashboard", "zoom" or "recall".
        kind: "state", "pmi", "who", "became", "sync", "mapping", "grant", "log" or
            "act".
        words: One sentence; holds no secret.
        mark: Identifies a line of a source, so that none is stored twice.
    """

    __tablename__ = "connection_event"
    __table_args__ = (
        Index(None, "connection_id", "at", "id"),
        UniqueConstraint("connection_id", "mark"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    connection_id: UUID = Field(foreign_key="connection.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=UtcDateTime)
    source: str = Field(max_length=16)
    kind: str = Field(max_length=16)
    words: str = Field(max_length=500)
    mark: str | None = Field(default=None, max_length=64)
