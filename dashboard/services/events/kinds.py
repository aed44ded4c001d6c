"""The kinds of events and what each says. Pure; docs/events.md is made from this.

A field that is added keeps `VERSION`; one that changes its meaning or goes raises it.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1


class Data(BaseModel):
    """What an event says, beside its own reference and tags."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str] = ""
    about: ClassVar[str] = ""


class _OfConnection(Data):
    connection_id: UUID
    zoom_app_id: UUID


class ConnectionCreated(_OfConnection):
    """A user connected for the first time."""

    kind = "connection.created"
    about = "A user or account connected for the first time, or was imported."


class ConnectionNeedsReconnect(_OfConnection):
    """The user must authorize again."""

    kind = "connection.needs_reconnect"
    about = "The user must authorize again: until then bots get no token."

    state: str = Field(description="As `docs/token-states.md` names it.")
    reason: str = Field(description="One or two sentences.")
    next_step: str = Field(description="What should be done.")


class ConnectionRecovered(_OfConnection):
    """A token works again."""

    kind = "connection.recovered"
    about = "A token of a connection that needed reconnecting works again."


class ConnectionDisconnected(_OfConnection):
    """The connection ends; its data is being deleted."""

    kind = "connection.disconnected"
    about = "The connection has ended, and the deletion of its data has begun."

    reason: str = Field(description="`user_removed_app`, `staff_disconnected`, …")


class ConnectionErased(_OfConnection):
    """The connection and all that is stored of its user was deleted."""

    kind = "connection.erased"
    about = "Everything that was stored of the connection's user is deleted."


class ConnectionPmiChanged(_OfConnection):
    """The user's personal meeting ID changed."""

    kind = "connection.pmi_changed"
    about = "The user's personal meeting ID changed; ask the API for the new one."


class InvitationEvent(Data):
    """What is said of every invitation."""

    invitation_id: UUID
    zoom_app_id: UUID
    connection_id: UUID | None = Field(
        default=None, description="What the link renewed or led to."
    )


class InvitationOpened(InvitationEvent):
    """Its button was pressed for the first time."""

    kind = "invitation.opened"
    about = "Someone pressed the button of an invitation for the first time."


class InvitationCompleted(InvitationEvent):
    """It led to a connection."""

    kind = "invitation.completed"
    about = "The invited user connected."


class InvitationDeclined(InvitationEvent):
    """The user declined at Zoom."""

    kind = "invitation.declined"
    about = "The invited user declined Zoom's consent; the link still works."


class InvitationExpired(InvitationEvent):
    """It was not used in time."""

    kind = "invitation.expired"
    about = "The invitation was not used in time."


class ZoomAppValidationChanged(Data):
    """One of the two ways of validation stands otherwise."""

    kind = "zoom_app.validation_changed"
    about = "The validation status of a Zoom app changed."

    zoom_app_id: UUID
    from_zoom: str = Field(description="Status of Zoom → dashboard.")
    to_recall: str = Field(description="Status of dashboard → Recall.")


class WebhookDead(Data):
    """A webhook was given up."""

    kind = "webhook.dead"
    about = "A webhook could not be delivered to Recall and was given up."

    zoom_app_id: UUID
    webhook_id: str = Field(description="A whole number, as text.")
    event: str = Field(description="Zoom's name of it.")
    reason: str


class _OfAlert(Data):
    alert_id: str
    alert_kind: str
    severity: str
    title: str
    zoom_app_id: UUID | None = None


class AlertOpened(_OfAlert):
    """A problem began."""

    kind = "alert.opened"
    about = "A problem began that someone must act on."


class AlertResolved(_OfAlert):
    """A problem is over."""

    kind = "alert.resolved"
    about = "A problem is over."


KINDS: dict[str, type[Data]] = {
    each.kind: each
    for each in (
        ConnectionCreated,
        ConnectionNeedsReconnect,
        ConnectionRecovered,
        ConnectionDisconnected,
        ConnectionErased,
        ConnectionPmiChanged,
        InvitationOpened,
        InvitationCompleted,
        InvitationDeclined,
        InvitationExpired,
        ZoomAppValidationChanged,
        WebhookDead,
        AlertOpened,
        AlertResolved,
    )
}
"""Every kind by its name, in the order of the documentation."""


def schema(kind: type[Data]) -> dict[str, Any]:
    """Return the JSON Schema of a whole message of this kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["id", "type", "version", "timestamp", "data"],
        "properties": {
            "id": {"type": "string", "pattern": "^evt_[0-9]+$"},
            "type": {"const": kind.kind},
            "version": {"const": VERSION},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data_schema(kind),
        },
    }


def data_schema(kind: type[Data]) -> dict[str, Any]:
    """Return the JSON Schema of what a message of this kind says."""
    made = kind.model_json_schema()
    own = {
        name: {key: value for key, value in found.items() if key != "title"}
        for name, found in made["properties"].items()
    }
    return {
        "type": "object",
        "required": [*made["required"], *_OWN_WORDS],
        "properties": own | _OWN_WORDS,
    }


_OWN_WORDS = {
    "reference": {
        "type": ["string", "null"],
        "description": "Your own reference of the user, if it was given.",
    },
    "is_reference_verified": {
        "type": "boolean",
        "description": "Whether it came from a link made for that user; the address of "
        "a plain link says what its user likes.",
    },
    "tags": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Your own tags, as they were given.",
    },
}


def timestamp(at: datetime) -> str:
    """Return an instant as messages have it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
