"""What Explain judges by: rows as they were read, and nothing that asks a database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import (
    AccountMember,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
    MeetingMapping,
)
from dashboard.models.held_grant import HeldGrant
from dashboard.models.invitation import Invitation
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.explain.questions import Asked
from dashboard.services.explain.questions import Kind as InputKind
from dashboard.services.validation.states import ValidationStatus


class Means(StrEnum):
    """By what a connection is the one that counts."""

    MAPPING = "mapping"  # Recall maps the meeting to it
    PMI = "pmi"
    FORMER_PMI = "former_pmi"
    EVENT = "event"  # Zoom's webhooks name it as host
    ACCOUNT = "account"  # none of its own: users of this account are connected
    APP = "app"  # none: a zoom app is what was pasted
    ASKED = "asked"  # it is what was pasted


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A user who removed the app.

    Attributes:
        removed_at: By Zoom's clock.
        deadline_at: By when their data must be gone; None when only the webhook tells.
        done_at: When all kept here was deleted; None while that is under way.
        trouble: Why it is not done; "" when nothing is wrong.
    """

    removed_at: datetime
    deadline_at: datetime | None = None
    done_at: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a verdict is judged by.

    Attributes:
        connection: The one whose grant counts; None when nobody's is known.
        means: Why it is that one.
        app: Its zoom app, or the one that was asked about or heard of.
        mapping: Recall's mapping of the meeting to `connection`, as last seen.
        hooks: Webhooks about the meeting, of the user, or the one asked about; newest
            first, a bounded number.
        first_hook: The oldest webhook about the meeting.
        host_id: Zoom's id of who made the meeting, as its webhooks say.
        claims: Connections of different users that have this PMI now; two or more of
            them are a collision.
        member: Of an account's connection: the user who was asked about.
        others: Further connections of who was asked about, in other zoom apps.
        pasted: The connection of the e-mail that came with a meeting number.
        invitation: The newest one of that user.
        attempt: How the newest connect attempt ended that belongs to them.
        gone: They removed the app.
        grant: Kept here, with custody `dashboard`.
        hold: Deliveries of the zoom app or its workspace stand still.
        timeline: Of `connection`, newest first.
    """

    asked: Asked
    now: datetime
    connection: Connection | None = None
    means: Means = Means.ASKED
    app: ZoomApp | None = None
    workspace: Workspace | None = None
    validation: ValidationStatus | None = None
    mapping: MeetingMapping | None = None
    hooks: Sequence[Webhook] = ()
    first_hook: Webhook | None = None
    host_id: str | None = None
    claims: Sequence[Connection] = ()
    member: AccountMember | None = None
    others: Sequence[Connection] = ()
    pasted: Connection | None = None
    invitation: Invitation | None = None
    attempt: ConnectAttempt | None = None
    gone: Gone | None = None
    grant: HeldGrant | None = None
    hold: OpenCircuit | None = None
    timeline: Sequence[ConnectionEvent] = ()

    @property
    def is_meeting(self) -> bool:
        """Whether a meeting is asked about, be it by a webhook of it."""
        return self.asked.number is not None

    @property
    def is_person(self) -> bool:
        """Whether a user is asked about and nothing else."""
        return self.asked.kind in (InputKind.EMAIL, InputKind.WORD)

    @property
    def is_known(self) -> bool:
        """Whether anything at all is known of what was asked."""
        return any(
            (
                self.connection,
                self.hooks,
                self.invitation,
                self.attempt,
                self.gone,
                self.pasted,
                self.others,
                self.app,
            )
        )

    @property
    def met_at(self) -> datetime | None:
        """When something was last heard of the meeting: "at that time"."""
        if not self.is_meeting or not self.hooks:
            return None
        return self.hooks[0].received_at

    @property
    def granted_at(self) -> datetime | None:
        """Since when the grant of the connection is the one it is."""
        if self.connection is None:
            return None
        return self.connection.granted_at

    @property
    def stuck(self) -> Webhook | None:
        """The newest webhook that Recall did not get: dead, or waiting."""
        owed = (Outcome.DEAD, Outcome.WAITING)
        return next((hook for hook in self.hooks if hook.outcome in owed), None)
