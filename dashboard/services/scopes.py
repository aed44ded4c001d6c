"""The scopes to ask for, why each is needed, and which of them a grant lacks.

Source: contracts/recall.md 7.1 and contracts/zoom.md 3.7, checked 2026-11-23.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dashboard.models.zoom_app import Kind, ScopeStyle


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One scope as Zoom's console names it.

    Attributes:
        why: The reason, in words fit for a user, an admin and Zoom's reviewer.
        is_required: Nothing works without it. The others Zoom adds by itself under a
            condition that `why` tells; adding them for nothing delays Zoom's review.
    """

    name: str
    why: str
    is_required: bool = True


_JOIN = (
    "Lets the bot record a meeting of yours without asking the host: Recall fetches "
    "a join token for local recording with it."
)
_MEETINGS = "Lets Recall list meetings, to know which meeting belongs to which host."
_PROFILE = (
    "Reads the personal meeting ID (PMI), so that meetings held in the personal room "
    "are recognised."
)
_AUTOMATIC = (
    "Zoom switches it on together with the join token scope; it cannot be removed."
)
_ZAK = (
    "Only there when the same Zoom app has the Meeting SDK switched on; Zoom adds it "
    "by itself. Do not add it otherwise."
)

_SCOPES: dict[tuple[Kind, ScopeStyle], tuple[Scope, ...]] = {
    (Kind.USER_LEVEL, ScopeStyle.GRANULAR): (
        Scope(name="meeting:read:local_recording_token", why=_JOIN),
        Scope(name="meeting:read:list_meetings", why=_MEETINGS),
        Scope(name="user:read:user", why=_PROFILE),
        Scope(name="meeting:read:meeting", why=_AUTOMATIC, is_required=False),
        Scope(name="user:read:zak", why=_ZAK, is_required=False),
    ),
    (Kind.ACCOUNT_LEVEL, ScopeStyle.GRANULAR): (
        Scope(name="meeting:read:local_recording_token:admin", why=_JOIN),
        Scope(name="meeting:read:list_meetings:admin", why=_MEETINGS),
        Scope(
            name="user:read:list_users:admin",
            why="Lists the users of the account with their personal meeting IDs (PMI).",
        ),
    ),
    (Kind.USER_LEVEL, ScopeStyle.LEGACY): (
        Scope(name="meeting_token:read:local_recording", why=_JOIN),
        Scope(name="meeting:read", why=_MEETINGS),
        Scope(name="user:read", why=_PROFILE),
        Scope(name="user_zak:read", why=_ZAK, is_required=False),
    ),
    (Kind.ACCOUNT_LEVEL, ScopeStyle.LEGACY): (
        Scope(name="meeting_token:read:admin:local_recording", why=_JOIN),
        Scope(name="meeting:read:admin", why=_MEETINGS),
        Scope(
            name="user:read:admin",
            why="Reads the users of the account with their personal meeting IDs (PMI).",
        ),
    ),
}

# A token keeps the classic names it was granted when the app moves to granular scopes
# (contracts/zoom.md 3.5), so either name meets the same need.
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
