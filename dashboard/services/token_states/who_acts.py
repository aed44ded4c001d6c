"""Who must act about a connection, and what is to be done. Pure, and the same as SQL.

There is no column for it: it follows from the token state, how its reason begins, and
the host's setting. docs/token-states.md holds the table for people; a test compares.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col

from dashboard.db.columns import Unindexed
from dashboard.models.connection import Connection, TokenState


class Who(StrEnum):
    """Who has to do something before bots can record without asking."""

    NOBODY = "nobody"
    USER = "user"
    ADMIN = "admin"
    HOST = "host"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A trouble that is the admin's and touches no user.

    Attributes:
        begins: How the reason begins; also how it is told from others later.
        next_step: What the admin does.
        is_shared: Whether all connections of the zoom app suffer it alike, so that it
            is of no use to ask about the others.
    """

    begins: str
    next_step: str
    is_shared: bool = True


KEY_REFUSED = Cause(
    begins="Recall refused the workspace's API key.",
    next_step="Set the right API key in the workspace.",
)
PAIR_REFUSED = Cause(
    begins="Zoom refused the app's client ID and secret",
    next_step="Mend the zoom app's client secret here and in Recall.",
)
NO_CREDIT = Cause(
    begins="The workspace is out of credit at Recall.",
    next_step="Top up the workspace in Recall.",
)
NOT_ALLOWED = Cause(
    begins="Recall does not let this API key look at the credential.",
    next_step="Check the API key of the workspace.",
)
NO_TOKEN = Cause(
    begins="Recall did not hand out a token",
    next_step="Ask Recall's log about this credential.",
    is_shared=False,
)
NO_ANSWER = Cause(
    begins="Zoom refused a real call for a reason of its own",
    next_step="Read what Zoom said; the zoom app's set-up page may tell more.",
    is_shared=False,
)
ADMINS = (KEY_REFUSED, PAIR_REFUSED, NO_CREDIT, NOT_ALLOWED, NO_TOKEN, NO_ANSWER)
"""Every trouble of an unknown token state that an admin must mend."""

_USERS = {
    TokenState.RECONNECT_NEEDED: "Send the user the reconnect link.",
    TokenState.MISSING_SCOPES: (
        "See that the zoom app has the scope in Zoom's Marketplace, then send the user "
        "the reconnect link."
    ),
    TokenState.UNHEALTHY_IN_RECALL: (
        "Press Check now, which has Recall try it again; if that does not help, send "
        "the user the reconnect link."
    ),
}
_HOSTS = (
    "Ask the host, or the admin of their Zoom account, to let participants record "
    "locally."
)
_WAITS = "Nothing; the next look comes by itself."


def who_acts(row: Connection) -> Who:
    """Return who must act, given what a connection's row says."""
    return who_for(
        row.token_state, row.token_reason, is_blocked=bool(row.recording_block)
    )


def who_for(state: TokenState, reason: str, *, is_blocked: bool = False) -> Who:
    """Return who must act, given what a look found and if the host forbids it."""
    if state in _USERS:
        return Who.USER
    if state is TokenState.UNKNOWN and cause_of(reason):
        return Who.ADMIN
    return Who.HOST if is_blocked else Who.NOBODY


def next_step(row: Connection) -> str:
    """Return what is to be done next, in a sentence; "" when all is well."""
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
    """Return the admin's cause that a reason begins with; None for another's."""
    return next((one for one in ADMINS if reason.startswith(one.begins)), None)


def acted_on_by(who: Who, *, is_along: bool = False) -> ColumnElement[bool]:
    """Return the condition of those connections about whom `who` must act.

    Args:
        who: One of them.
        is_along: Whether it is read along an index of another order.
    """
    reason = col(Connection.token_reason)
    column = col(Connection.token_state)
    # Of hosts there are few, and no index has them: one plain look through the rows.
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
