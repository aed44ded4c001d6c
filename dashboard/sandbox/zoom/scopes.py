"""Scopes and events of the simulated Zoom.

Source: docs/contracts/zoom.md 3.7, docs/contracts/recall.md 7.1.
"""

from collections.abc import Iterable

from dashboard.sandbox.zoom.records import Kind

DEFAULTS = {
    Kind.USER_LEVEL: [
        "meeting:read:local_recording_token",
        "meeting:read:list_meetings",
        "meeting:read:meeting",
        "user:read:user",
    ],
    Kind.ACCOUNT_LEVEL: [
        "meeting:read:local_recording_token:admin",
        "meeting:read:list_meetings:admin",
        "meeting:read:meeting:admin",
        "user:read:list_users:admin",
        "user:read:user:admin",
    ],
}

# The granular name, then the classic one; each also with the admin suffix.
_READ_USER = ("user:read:user", "user:read")
NEEDS = {
    "users/me": _READ_USER,
    "users": ("user:read:list_users:admin", "user:read:admin"),
    "meetings": ("meeting:read:list_meetings", "meeting:read"),
    "meeting": ("meeting:read:meeting", "meeting:read"),
    "jointoken": (
        "meeting:read:local_recording_token",
        "meeting_token:read:local_recording",
        "meeting_token:read:admin:local_recording",
    ),
    "zak": ("user:read:zak", "user_zak:read"),
    "token": ("user:read:token", "user:read"),
    "manifest/read": ("marketplace:read:app",),
    "manifest/write": ("marketplace:write:app",),
    "rotation": ("marketplace:update:client_secret",),
    "certificates": ("marketplace:read:event_certificates",),
    "requests/read": ("marketplace:read:app_request",),
    "requests/change": ("marketplace:update:app_request",),
    "webhook_logs": ("marketplace:read:webhook_logs",),
    "subscription/create": ("marketplace:write:event_subscription",),
    "subscription/read": ("marketplace:read:list_event_subscriptions",),
    "subscription/change": ("marketplace:update:event_subscription",),
    "subscription/delete": ("marketplace:delete:event_subscription",),
}

# What a manifest may contain.
_GRANULAR = {
    "meeting:read:list_meetings",
    "meeting:read:local_recording_token",
    "meeting:read:meeting",
    "user:read:email",
    "user:read:list_users",
    "user:read:token",
    "user:read:user",
    "user:read:zak",
}

EVENTS = {
    "meeting.created": NEEDS["meeting"],
    "meeting.updated": NEEDS["meeting"],
    "meeting.deleted": NEEDS["meeting"],
    "meeting.started": NEEDS["meeting"],
    "meeting.ended": NEEDS["meeting"],
    "user.updated": _READ_USER,
    "user.activated": _READ_USER,
    "user.deactivated": _READ_USER,
}
_DEFAULT_EVENTS = ("meeting.created", "user.updated")


def missing(granted: Iterable[str], needs: tuple[str, ...]) -> str | None:
    """Return the granular name of the missing scope; None if any form is granted."""
    names = set(granted)
    if any(need in names or f"{need}:admin" in names for need in needs):
        return None
    return needs[0]


def is_allowed(event: str, scopes: Iterable[str]) -> bool:
    """Whether an app with these scopes may subscribe to the event.

    Account-level apps read users by the list scope, which therefore also counts.
    """
    names = set(scopes)
    if event.startswith("user.") and "user:read:list_users:admin" in names:
        return True
    return event in EVENTS and missing(names, EVENTS[event]) is None


def is_known(scope: str) -> bool:
    """Whether Zoom has a granular scope of this name that an app may ask users for."""
    return scope.removesuffix(":admin") in _GRANULAR


def default_events(scopes: list[str]) -> list[str]:
    """Return the two events the integration needs, as far as the scopes allow."""
    return [event for event in _DEFAULT_EVENTS if is_allowed(event, scopes)]
