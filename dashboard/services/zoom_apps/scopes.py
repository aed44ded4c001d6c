"""The scopes to ask for, why each is needed, and which of them a grant lacks.

Sources: docs/contracts/recall.md 7.1 and docs/contracts/zoom.md 3.7, checked
2026-11-29.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from dashboard.models.zoom_app import Kind, ScopeStyle


class AsksForScopes(Protocol):
    """What decides the scopes of a zoom app."""

    @property
    def kind(self) -> Kind:
        """Whether users or a whole account authorize it."""

    @property
    def scope_style(self) -> ScopeStyle:
        """How its scopes are named."""

    @property
    def joins_external(self) -> bool:
        """Whether its bots join meetings that other Zoom accounts host."""


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """Why a scope is asked for, to each who asks.

    Attributes:
        why: In words fit for a user and an admin.
        reviewer: For Zoom's reviewer: what is called with it, for what.
        without: What stops working when it is not granted.
    """

    why: str
    reviewer: str
    without: str


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One scope as Zoom's console names it.

    Attributes:
        is_added_by_zoom: Zoom adds it automatically under a condition that `why`
            names; adding it for nothing delays Zoom's review.
        is_for_sdk: Only there because the same Zoom app has the Meeting SDK.
    """

    name: str
    reasons: Reasons
    is_added_by_zoom: bool = False
    is_for_sdk: bool = False

    @property
    def why(self) -> str:
        """The reason in words fit for a user and an admin."""
        return self.reasons.why

    @property
    def reviewer_note(self) -> str:
        """The scope with what Zoom's reviewer should know of it."""
        return f"{self.name}: {self.reasons.reviewer}"


_JOIN = Reasons(
    why="Lets the bot record your meetings without asking you each time.",
    reviewer="Used to fetch a join token for local recording, one meeting at a time, "
    "when a bot joins a meeting that the user hosts. The bot may then record without "
    "the host having to allow it by hand.",
    without="Each bot has to ask the host for permission to record, and does not "
    "record while no one answers.",
)
_MEETINGS = Reasons(
    why="Lets Recall list meetings to know which meeting belongs to which host.",
    reviewer="Used to list the user's upcoming meetings, so that a meeting number can "
    "be matched to the host whose permission is needed.",
    without="No meeting is matched to its host, so no join token is fetched for any.",
)
_ONE_MEETING = Reasons(
    why="Zoom adds it together with the scope that lists meetings; it can't be "
    "removed. The event meeting.created needs it.",
    reviewer="Used by the event meeting.created, which reports a new meeting and its "
    "host. Zoom adds it together with the scope that lists meetings.",
    without="Zoom does not send meeting.created, so meetings created after a user "
    "connected are not known.",
)
_PROFILE = Reasons(
    why="Reads the personal meeting ID (PMI), so that meetings in the personal room "
    "are recognized.",
    reviewer="Used to read the user's personal meeting ID (PMI), name and email: the "
    "PMI to recognize meetings in the personal room, name and email to show the "
    "connection to the customer's own staff. The event user.updated needs it too.",
    without="Meetings in a personal room are not recognized, and a changed PMI is not "
    "noticed.",
)
_USERS = Reasons(
    why="Lists the users of the account with their personal meeting IDs (PMI).",
    reviewer="Used to list the users of the account with their personal meeting IDs "
    "(PMI), so that a meeting held in a personal room is matched to its host.",
    without="Meetings in personal rooms are not recognized.",
)
_OBF = Reasons(
    why="Lets a bot join meetings that other Zoom accounts host, on your behalf.",
    reviewer="Used to fetch a token with which a bot joins a meeting on behalf of the "
    "user (OBF token). Zoom requires it since March 2026 for meetings that another "
    "account hosts.",
    without="Bots can't join meetings that other Zoom accounts host.",
)
_ZAK = Reasons(
    why="Lets a bot start or join your meetings as a signed-in participant.",
    reviewer="Used to fetch the user's Zoom access key (ZAK), with which a bot joins "
    "as a signed-in participant: meetings that require sign-in, and the user's own "
    "meetings without the waiting room.",
    without="Bots can't join meetings that require participants to sign in.",
)
_ZAK_OF_SDK = Reasons(
    why="Zoom adds it automatically if the same Zoom app uses the Meeting SDK. Don't "
    "add it otherwise.",
    reviewer="Not used by this integration. Zoom adds it to every app that has the "
    "Meeting SDK switched on, and it cannot be removed.",
    without="Nothing changes.",
)


@dataclass(frozen=True, kw_only=True)
class _Need:
    """Something to be allowed, and the scope's name in each kind and style.

    A token keeps the legacy names it was granted when the app moves to granular scopes
    (docs/contracts/zoom.md 3.5), so the name of either style meets the need.
    """

    reasons: Reasons
    names: Mapping[tuple[Kind, ScopeStyle], str]
    is_required: bool = True
    is_added_by_zoom: bool = False
    is_for_sdk: bool = False
    is_for_external: bool = False

    def name_for(self, app: AsksForScopes) -> str | None:
        return self.names.get((app.kind, app.scope_style))

    def is_met(self, granted: AbstractSet[str], kind: Kind) -> bool:
        known = {self.names.get((kind, style)) for style in ScopeStyle}
        return not known.isdisjoint(granted)


_USER, _ACCOUNT = Kind.USER_LEVEL, Kind.ACCOUNT_LEVEL
_GRANULAR, _LEGACY = ScopeStyle.GRANULAR, ScopeStyle.LEGACY

_NEEDS = (
    _Need(
        reasons=_JOIN,
        names={
            (_USER, _GRANULAR): "meeting:read:local_recording_token",
            (_ACCOUNT, _GRANULAR): "meeting:read:local_recording_token:admin",
            (_USER, _LEGACY): "meeting_token:read:local_recording",
            (_ACCOUNT, _LEGACY): "meeting_token:read:admin:local_recording",
        },
    ),
    _Need(
        reasons=_MEETINGS,
        names={
            (_USER, _GRANULAR): "meeting:read:list_meetings",
            (_ACCOUNT, _GRANULAR): "meeting:read:list_meetings:admin",
            (_USER, _LEGACY): "meeting:read",
            (_ACCOUNT, _LEGACY): "meeting:read:admin",
        },
    ),
    _Need(
        reasons=_PROFILE,
        names={(_USER, _GRANULAR): "user:read:user", (_USER, _LEGACY): "user:read"},
    ),
    _Need(
        reasons=_USERS,
        names={
            (_ACCOUNT, _GRANULAR): "user:read:list_users:admin",
            (_ACCOUNT, _LEGACY): "user:read:admin",
        },
    ),
    _Need(
        reasons=_OBF,
        names={
            (_USER, _GRANULAR): "user:read:token",
            (_ACCOUNT, _GRANULAR): "user:read:token:admin",
            (_USER, _LEGACY): "user:read",
            (_ACCOUNT, _LEGACY): "user:read:admin",
        },
        is_for_external=True,
    ),
    _Need(
        reasons=_ZAK,
        names={
            (_USER, _GRANULAR): "user:read:zak",
            (_ACCOUNT, _GRANULAR): "user:read:zak:admin",
            (_USER, _LEGACY): "user_zak:read",
        },
        is_required=False,
        is_for_external=True,
    ),
    # Recall's list for an account has three; Zoom wants this one for the event
    # meeting.created (docs/contracts/zoom.md 3.7 and 5.7).
    _Need(
        reasons=_ONE_MEETING,
        names={
            (_USER, _GRANULAR): "meeting:read:meeting",
            (_ACCOUNT, _GRANULAR): "meeting:read:meeting:admin",
        },
        is_required=False,
        is_added_by_zoom=True,
    ),
    _Need(
        reasons=_ZAK_OF_SDK,
        names={(_USER, _GRANULAR): "user:read:zak", (_USER, _LEGACY): "user_zak:read"},
        is_required=False,
        is_added_by_zoom=True,
        is_for_sdk=True,
    ),
)


def list_for(app: AsksForScopes) -> Sequence[Scope]:
    """Return the scopes to add in Zoom's console, each once, required ones first."""
    found: dict[str, Scope] = {}
    for need in _needs(app):
        name = need.name_for(app)
        if name is not None and name not in found:  # legacy: one name, several needs
            found[name] = Scope(
                name=name,
                reasons=need.reasons,
                is_added_by_zoom=need.is_added_by_zoom,
                is_for_sdk=need.is_for_sdk,
            )
    return list(found.values())


def missing(granted: AbstractSet[str], app: AsksForScopes) -> list[str]:
    """Return the required scopes a grant lacks, as the app's style names them.

    Args:
        granted: Zoom's `scope` string, split on spaces; the order means nothing.
        app: A scope's name in the other style counts as well.
    """
    lacking = [
        need.name_for(app)
        for need in _needs(app)
        if need.is_required and not need.is_met(granted, app.kind)
    ]
    return list(dict.fromkeys(name for name in lacking if name is not None))


def _needs(app: AsksForScopes) -> Sequence[_Need]:
    return [need for need in _NEEDS if app.joins_external or not need.is_for_external]
