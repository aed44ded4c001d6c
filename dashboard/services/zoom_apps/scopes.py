"""The scopes to ask for, why each is needed, and which of them a grant lacks.

Source: docs/contracts/recall.md 7.1 and docs/contracts/zoom.md 3.7, checked 2026-11-23.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dashboard.models.zoom_app import Kind, ScopeStyle


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
        is_required: Nothing works without it. The others Zoom adds by itself under a
            condition that `why` tells; adding them for nothing delays Zoom's review.
        is_for_sdk: Only there because the same Zoom app has the Meeting SDK.
    """

    name: str
    reasons: Reasons
    is_required: bool = True
    is_for_sdk: bool = False

    @property
    def why(self) -> str:
        """The reason in words fit for a user and an admin."""
        return self.reasons.why


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
_ZAK = Reasons(
    why="Zoom adds it automatically if the same Zoom app uses the Meeting SDK. Don't "
    "add it otherwise.",
    reviewer="Not used by this integration. Zoom adds it to every app that has the "
    "Meeting SDK switched on, and it cannot be removed.",
    without="Nothing changes.",
)

_SCOPES: dict[tuple[Kind, ScopeStyle], tuple[Scope, ...]] = {
    (Kind.USER_LEVEL, ScopeStyle.GRANULAR): (
        Scope(name="meeting:read:local_recording_token", reasons=_JOIN),
        Scope(name="meeting:read:list_meetings", reasons=_MEETINGS),
        Scope(name="user:read:user", reasons=_PROFILE),
        Scope(name="meeting:read:meeting", reasons=_ONE_MEETING, is_required=False),
        Scope(name="user:read:zak", reasons=_ZAK, is_required=False, is_for_sdk=True),
    ),
    (Kind.ACCOUNT_LEVEL, ScopeStyle.GRANULAR): (
        Scope(name="meeting:read:local_recording_token:admin", reasons=_JOIN),
        Scope(name="meeting:read:list_meetings:admin", reasons=_MEETINGS),
        Scope(name="user:read:list_users:admin", reasons=_USERS),
        # Recall's list has three; Zoom wants this one for the event meeting.created
        # (docs/contracts/zoom.md 3.7 and 5.7).
        Scope(
            name="meeting:read:meeting:admin", reasons=_ONE_MEETING, is_required=False
        ),
    ),
    (Kind.USER_LEVEL, ScopeStyle.LEGACY): (
        Scope(name="meeting_token:read:local_recording", reasons=_JOIN),
        Scope(name="meeting:read", reasons=_MEETINGS),
        Scope(name="user:read", reasons=_PROFILE),
        Scope(name="user_zak:read", reasons=_ZAK, is_required=False, is_for_sdk=True),
    ),
    (Kind.ACCOUNT_LEVEL, ScopeStyle.LEGACY): (
        Scope(name="meeting_token:read:admin:local_recording", reasons=_JOIN),
        Scope(name="meeting:read:admin", reasons=_MEETINGS),
        Scope(name="user:read:admin", reasons=_USERS),
    ),
}

# A token keeps the classic names it was granted when the app moves to granular scopes
# (docs/contracts/zoom.md 3.5), so either name meets the same need.
_OTHER_STYLE = {
    ScopeStyle.GRANULAR: ScopeStyle.LEGACY,
    ScopeStyle.LEGACY: ScopeStyle.GRANULAR,
}


def list_for(kind: Kind, style: ScopeStyle) -> Sequence[Scope]:
    """Return the scopes to add in Zoom's console, required ones first."""
    return _SCOPES[kind, style]


def required(kind: Kind, style: ScopeStyle) -> Sequence[str]:
    """Return the names without which a grant is of no use."""
    return [scope.name for scope in list_for(kind, style) if scope.is_required]


def missing(granted: AbstractSet[str], kind: Kind, style: ScopeStyle) -> list[str]:
    """Return the required scopes a grant lacks, as the app's style names them.

    Args:
        granted: Zoom's `scope` string, split on spaces; the order means nothing.
        kind: Of the zoom app.
        style: Of the zoom app; a scope's name in the other style counts as well.
    """
    names = required(kind, style)
    others = required(kind, _OTHER_STYLE[style])
    return [
        name
        for name, other in zip(names, others, strict=True)
        if name not in granted and other not in granted
    ]
