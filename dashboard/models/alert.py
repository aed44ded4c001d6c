"""Alerts, the channels that say them, and the messages that wait to be sent."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import UniqueConstraint, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime, enum_type


class ChannelKind(StrEnum):
    """What a channel leads to."""

    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    DISCORD = "discord"
    PAGERDUTY = "pagerduty"
    WEBHOOK = "webhook"
    OTHER = "other"


class AlertKind(StrEnum):
    """What an alert is about, as a channel's rule chooses it."""

    VALIDATION = "validation"
    SECRETS = "secrets"
    DELIVERY = "delivery"
    BACKLOG = "backlog"
    REFUSED = "refused"
    SILENCE = "silence"
    CREDENTIALS = "credentials"
    CONNECTIONS = "connections"
    HEALTH = "health"
    DELETION = "deletion"
    WORKER = "worker"
    SERVER = "server"
    CHANNEL = "channel"


class Pace(StrEnum):
    """When a channel says what it has to say."""

    AT_ONCE = "at_once"
    DAILY = "daily"


class Occasion(StrEnum):
    """What a message is about."""

    OPENED = "opened"
    CHANGED = "changed"  # the same thing has another problem now
    REMINDED = "reminded"
    RESOLVED = "resolved"
    DIGEST = "digest"


class MessageOutcome(StrEnum):
    """The state of one message of a queue."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"
    DROPPED = "dropped"  # what it was about was over before it was sent


class AlertChannel(SQLModel, table=True):
    """A place where alerts are said, and its rule.

    Attributes:
        url: Sealed: an email address, or an address in the words of apprise.
        shown: Where it leads, without secrets: "o…@example.com", "Slack".
        kinds: Which kinds of alerts, space separated; "" for all.
        zoom_app_ids: Of which zoom apps, space separated; "" for all.
        severity: From which one on: "warning" or "error".
        lasts_minutes: How long a problem must last before it is said.
        quiet_from: Beginning of the quiet hours, in minutes after midnight of
            `time_zone`; None: there are none. Likewise `quiet_to`, their end.
        daily_at: When the digest is sent, in minutes likewise.
        digest_on: The local day of the newest digest, ISO 8601; "" before the first.
        failing_since: When its messages began to fail; None while they arrive.
        trouble: Why the last one failed; "" after one arrived.
    """

    __tablename__ = "alert_channel"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: ChannelKind = Field(sa_type=enum_type(ChannelKind))
    name: str = Field(max_length=100)
    url: bytes
    shown: str = Field(max_length=254)
    kinds: str = Field(default="", max_length=500)
    zoom_app_ids: str = Field(default="", max_length=4000)
    severity: str = Field(default="warning", max_length=16)
    lasts_minutes: int = 1
    quiet_from: int | None = None
    quiet_to: int | None = None
    time_zone: str = Field(default="UTC", max_length=64)
    pace: Pace = Field(default=Pace.AT_ONCE, sa_type=enum_type(Pace))
    daily_at: int = 8 * 60
    digest_on: str = Field(default="", max_length=10)
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    trouble: str = Field(default="", max_length=500)
    last_sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=254)


class Alert(SQLModel, table=True):
    """One problem of one thing, from its first sight until evidence that it is over.

    Attributes:
        topic: What has the problem: "zoom" for the way from Zoom, "pair", "worker", …
        subject: Which of them: the id of a zoom app, workspace or channel; "" for the
            installation.
        zoom_app_id: If the subject is one.
        kind: As channels choose them.
        problem: What is wrong now, or was last.
        tone: "trouble" or "waiting".
        sentence: What is wrong, in words; `detail` what follows from it.
        problem_at: When this problem, of those of its topic, began to be seen.
        seen_at: When it was last seen.
        cleared_at: When there was evidence that it is over, and none against it since.
        resolved_at: When that had lasted long enough to be said.
        resolution: The evidence, as a sentence.
        flaps: How often it came back before or soon after it was resolved.
    """

    __table_args__ = (
        Index(
            "ix_alert_open",
            "topic",
            "subject",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index(None, "resolved_at"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    topic: str = Field(max_length=32)
    subject: str = Field(max_length=36)
    zoom_app_id: UUID | None = Field(default=None, foreign_key="zoom_app.id")
    kind: AlertKind = Field(sa_type=enum_type(AlertKind))
    problem: str = Field(max_length=32)
    tone: str = Field(max_length=16)
    sentence: str = Field(max_length=500)
    detail: str = Field(default="", max_length=1000)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    problem_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    cleared_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    resolution: str = Field(default="", max_length=500)
    flaps: int = 0
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledged_by: str = Field(default="", max_length=254)


class AlertMessage(SQLModel, table=True):
    """One message of one channel; its words are made when it is sent.

    Attributes:
        alert_id: None for a digest.
        problem: The alert's when it was written.
        number: Counts the messages of a channel about an alert, or the days of its
            digests: no message is written twice.
        attempts: Those that failed.
        trouble: Why the last one did.
        due_at: Earliest instant of the next attempt.
        claim: Grows with every claim and never falls: the number of the lease.
        ended_at: When it was sent, dropped or given up.
    """

    __tablename__ = "alert_message"
    __table_args__ = (
        UniqueConstraint("channel_id", "alert_id", "number"),
        Index(
            "ix_alert_message_due_at",
            "due_at",
            sqlite_where=text("outcome = 'waiting'"),
            postgresql_where=text("outcome = 'waiting'"),
        ),
        Index(None, "alert_id"),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    channel_id: UUID = Field(foreign_key="alert_channel.id", ondelete="CASCADE")
    alert_id: int | None = Field(
        default=None, foreign_key="alert.id", ondelete="CASCADE", sa_type=BigId
    )
    occasion: Occasion = Field(sa_type=enum_type(Occasion))
    problem: str = Field(default="", max_length=32)
    number: int
    outcome: MessageOutcome = Field(
        default=MessageOutcome.WAITING, sa_type=enum_type(MessageOutcome)
    )
    attempts: int = 0
    trouble: str = Field(default="", max_length=500)
    created_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AlertRound(SQLModel, table=True):
    """When what is wrong is compared with the alerts next; one row.

    Attributes:
        due_at: Whoever moves it ahead does the round.
        seen_at: When the newest round that was stored looked.
    """

    __tablename__ = "alert_round"

    id: int = Field(primary_key=True)
    due_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
