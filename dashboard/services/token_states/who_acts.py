"""Who must act on a connection, and what they should do. Pure, and the same as SQL.

No column stores it: it follows from the token state, how its reason begins, and the
host's setting. docs/token-states.md shows the table; a test compares the two.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col

from dashboard.db.columns import Unindexed
from dashboard.models.connection import Connection, TokenState


class Who(StrEnum):
    """Who must act before bots can record without asking."""

    NOBODY = "nobody"
    USER = "user"
    ADMIN = "admin"
    HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A problem that an admin must fix and no user can.

    Attributes:
        begins: How the reason begins; the stored reason is recognized by it.
        next_step: What the admin should do.
        is_shared: Whether it affects all connections of the zoom app, so that checking
            the others is pointless.
    """

    begins: str
    next_step: str
    is_shared: bool = True


KEY_REFUSED = Cause(
    begins="Recall refused the workspace's API key.",
    next_step="Enter a valid API key in the workspace.",
)
PAIR_REFUSED = Cause(
    begins="Zoom refused the app's client ID and secret",
    next_step="Fix the Zoom app's client secret here and in Recall.",
)
APP_DISABLED = Cause(
    begins="Zoom has switched this app off",
    next_step="Activate the app in Zoom's Marketplace.",
)
NO_CREDIT = Cause(
    begins="The workspace is out of credit at Recall.",
    next_step="Add credit to the workspace in Recall.",
)
NOT_ALLOWED = Cause(
    begins="Recall does not let this API key read the credential.",
    next_step="Check the workspace's API key.",
)
NO_TOKEN = Cause(
    begins="Recall did not hand out a token",
    next_step="Check Recall's log for this credential.",
    is_shared=False,
)
NO_ANSWER = Cause(
    begins="Zoom rejected an API call for another reason",
    next_step="Read Zoom's answer; the Zoom app's page may show more.",
    is_shared=False,
)
ADMINS = (
    KEY_REFUSED,
    APP_DISABLED,
    PAIR_REFUSED,
    NO_CREDIT,
    NOT_ALLOWED,
    NO_TOKEN,
    NO_ANSWER,
)
"""Every cause of an unknown token state that an admin must fix."""

_USERS = {
    TokenState.RECONNECT_NEEDED: "Send the user a reconnect link.",
    TokenState.MISSING_SCOPES: (
        "Check that the scope is added in Zoom Marketplace, then send the user a "
        "reconnect link."
    ),
    TokenState.UNHEALTHY_IN_RECALL: (
        "Press Check now to have Recall try again. If that doesn't help, send the user "
        "a reconnect link."
    ),
}
_HOSTS = (
    "Ask the host, or the admin of their Zoom account, to let participants record "
    "locally."
)
_WAITS = "No action needed. We'll check again automatically."


def who_acts(row: Connection) -> Who:
    """Return who must act, given what a connection's row says."""
    return who_for(
        row.token_state, row.token_reason, is_blocked=bool(row.recording_block)
    )


def who_for(state: TokenState, reason: str, *, is_blocked: bool = False) -> Who:
    """Return who must act, given a check's result and whether the host forbids it."""
    if state in _USERS:
        return Who.USER
    if state is TokenState.UNKNOWN and cause_of(reason):
        return Who.ADMIN
    return Who.HOST if is_blocked else Who.NOBODY


def next_step(row: Connection) -> str:
    """Return the next step as a sentence; "" when all is well."""
    match who_acts(row):
        case Who.USER:
            return _USERS[row.token_state]
        case Who.ADMIN:
            cause = cause_of(row.token_reason)
            return "" if cause is None else cause.next_step
        case Who.HOST:
            return _HOSTS
        case Who.NOBODY:
            return "" if row.token_state is TokenState.HEALTHY else _WAITS


def cause_of(reason: str) -> Cause | None:
    """Return the cause that a reason begins with; None if no admin must act."""
    return next((one for one in ADMINS if reason.startswith(one.begins)), None)


def acted_on_by(who: Who, *, is_along: bool = False) -> ColumnElement[bool]:
    """Return the condition of the connections on which `who` must act.

    Args:
        who: One of them.
        is_along: Whether it is read along an index of another order.
    """
    reason = col(Connection.token_reason)
    column = col(Connection.token_state)
    # Few connections need a host, and no index has them: scan the rows.
    state: Any = Unindexed(column) if is_along or who is Who.HOST else column
    is_users: ColumnElement[bool] = state.in_(list(_USERS))
    is_admins = and_(
        state == TokenState.UNKNOWN,
        or_(*(reason.startswith(one.begins, autoescape=True) for one in ADMINS)),
    )
    is_blocked = col(Connection.recording_block) != ""
    others = ~is_users
    match who:
        case Who.USER:
            return is_users
        case Who.ADMIN:
            return is_admins
        case Who.HOST:
            return and_(is_blocked, others, ~is_admins)
        case Who.NOBODY:
            return and_(others, ~is_admins, ~is_blocked)
