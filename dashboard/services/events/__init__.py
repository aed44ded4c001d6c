"""Events for the customer's software: what happened, written with the change itself.

Any room may `record` one in its own transaction. May import models alone.
"""

from dashboard.services.events.kinds import (
    AlertOpened,
    AlertResolved,
    ConnectionCreated,
    ConnectionDisconnected,
    ConnectionErased,
    ConnectionNeedsReconnect,
    ConnectionPmiChanged,
    ConnectionRecovered,
    Data,
    InvitationCompleted,
    InvitationDeclined,
    InvitationEvent,
    InvitationExpired,
    InvitationOpened,
    WebhookDead,
    ZoomAppValidationChanged,
)
from dashboard.services.events.outbox import (
    forget,
    message,
    page,
    publish,
    record,
    references_of,
)

__all__ = [
    "AlertOpened",
    "AlertResolved",
    "ConnectionCreated",
    "ConnectionDisconnected",
    "ConnectionErased",
    "ConnectionNeedsReconnect",
    "ConnectionPmiChanged",
    "ConnectionRecovered",
    "Data",
    "InvitationCompleted",
    "InvitationDeclined",
    "InvitationEvent",
    "InvitationExpired",
    "InvitationOpened",
    "WebhookDead",
    "ZoomAppValidationChanged",
    "forget",
    "message",
    "page",
    "publish",
    "record",
    "references_of",
]
