"""How a connection stands: state, reason, proof, who must act, and what comes next.

Decided here and nowhere else: pages, lists, counts, exports, commands and Explain draw
what this says. What is asked of one row in Python is asked of all in SQL by the
conditions at the end; a test compares the two. docs/token-states.md shows the table.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_
from sqlmodel import Session, col, func, select

from dashboard.clock import SKEW
from dashboard.db.columns import Unindexed
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.zoom_apps import apps

FRESH = timedelta(days=1)
"""How old a health check may be and still say what is so now."""

_REAL_CALL = "answered an API call"


class Shown(StrEnum):
    """What a connection is shown as: a token state, or that it was healthy once."""

    HEALTHY = "healthy"
    LAST_SEEN_HEALTHY = "last_seen_healthy"
    EXPIRING = "expiring"
    MISSING_SCOPES = "missing_scopes"
    RECONNECT_NEEDED = "reconnect_needed"
    UNHEALTHY_IN_RECALL = "unhealthy_in_recall"
    UNKNOWN = "unknown"


class Who(StrEnum):
    """Who must act before bots can record without asking."""

    NOBODY = "nobody"
    YOU = "you"  # the reader: the support role can do it
    USER = "user"
    ADMIN = "admin"
    HOST = "host"
    OPERATOR = "operator"  # of the server: nothing is checked without a worker

    @property
    def words(self) -> str:
        """Return the same within a sentence."""
        match self:
            case Who.NOBODY | Who.YOU:
                return self.value
            case Who.ADMIN | Who.OPERATOR:
                return f"an {self.value}"
            case Who.USER | Who.HOST:
                return f"the {self.value}"


class Act(StrEnum):
    """Where the next step is done."""

    CHECK = "check"
    RECONNECT = "reconnect"
    ZOOM_APP = "zoom_app"
    WORKSPACES = "workspaces"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A problem that an admin must fix and no user can.

    Attributes:
        why_not: Why no token can be expected, as half a sentence.
        next_step: What the admin should do.
        act: Where.
        is_shared: Whether it affects all connections of the zoom app, so that checking
            the others is pointless.
    """

    why_not: str
    next_step: str
    act: Act = Act.ZOOM_APP
    is_shared: bool = True


CAUSES = {
    TokenCause.KEY_REFUSED: Cause(
        why_not="Recall rejects the workspace's API key",
        next_step="Enter a valid API key in the workspace.",
        act=Act.WORKSPACES,
    ),
    TokenCause.APP_DISABLED: Cause(
        why_not="Zoom has switched the app off",
        next_step="Activate the app in Zoom's Marketplace.",
    ),
    TokenCause.PAIR_REFUSED: Cause(
        why_not="Zoom rejects the app's client ID and client secret",
        next_step="Fix the Zoom app's client secret here and in Recall.",
    ),
    TokenCause.NO_CREDIT: Cause(
        why_not="the workspace is out of credit at Recall",
        next_step="Add credit to the workspace in Recall.",
        act=Act.WORKSPACES,
    ),
    TokenCause.NOT_ALLOWED: Cause(
        why_not="Recall does not let the workspace's API key read the credential",
        next_step="Check the workspace's API key.",
        act=Act.WORKSPACES,
    ),
    TokenCause.NO_TOKEN: Cause(
        why_not="Recall did not hand out a token",
        next_step="Check Recall's log for this credential.",
        is_shared=False,
    ),
    TokenCause.NO_ANSWER: Cause(
        why_not="Zoom rejected an API call for another reason",
        next_step="Read Zoom's answer; the Zoom app's page may show more.",
        is_shared=False,
    ),
}
"""Every cause that a health check finds and an admin must fix."""

NOT_IN_RECALL = Cause(
    why_not="the zoom app is not in Recall",
    next_step="Create the Zoom app in Recall, or adopt the existing one.",
)

WORDS = {
    Shown.HEALTHY: "Healthy",
    Shown.LAST_SEEN_HEALTHY: "Last seen healthy",
    Shown.EXPIRING: "Expiring",
    Shown.MISSING_SCOPES: "Missing scopes",
    Shown.RECONNECT_NEEDED: "Reconnect needed",
    Shown.UNHEALTHY_IN_RECALL: "Error in Recall",
    Shown.UNKNOWN: "Unknown",
}
TONES = {
    Shown.HEALTHY: "good",
    Shown.LAST_SEEN_HEALTHY: "waiting",
    Shown.EXPIRING: "waiting",
    Shown.MISSING_SCOPES: "trouble",
    Shown.RECONNECT_NEEDED: "trouble",
    Shown.UNHEALTHY_IN_RECALL: "trouble",
    Shown.UNKNOWN: "off",
}

_WHY_NOT = {
    Shown.EXPIRING: "the token had not been renewed when it was last checked",
    Shown.MISSING_SCOPES: "required scopes are missing",
    Shown.RECONNECT_NEEDED: "the user must reconnect",
    Shown.UNHEALTHY_IN_RECALL: "Recall reports the credential as unhealthy",
    Shown.UNKNOWN: "it is not known whether the token works",
}
_USERS = {
    TokenState.RECONNECT_NEEDED: "Send the user a reconnect link.",
    TokenState.MISSING_SCOPES: (
        "Check that the scope is added in Zoom Marketplace, then send the user a "
        "reconnect link."
    ),
    TokenState.UNHEALTHY_IN_RECALL: (
        "Recall tried it again and it still fails. Send the user a reconnect link."
    ),
}
_CHECK_FIRST = (
    "Press Check now to have Recall try again. If that doesn't help, send the user a "
    "reconnect link."
)
_HOSTS = (
    "Ask the host, or the admin of their Zoom account, to let participants record "
    "locally."
)
_WAITS = "No action needed. We'll check again automatically."
_UNCHECKED = "The token was not checked in the last 24 hours. Press Check now."
_ENDED = (
    "The token that was seen working has ended. Zoom usually renews it; the next check "
    "shows whether it did. Check now asks right away."
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All that is said of a connection.

    Attributes:
        word: What it is shown as, in words: "Worked until 11:40 UTC".
        tone: "good", "waiting", "trouble" or "off".
        reason: What is so and why, in a sentence or two.
        since: When this state began; None for what began before that was stored.
        proof_at: When it was last checked; None for never.
        proof: By which means, and what was answered.
        is_real_call: Whether Zoom answered a call made with the token.
        valid_until: Until when the proof holds; after it nothing is shown as healthy.
        who: Must act.
        next_step: As a sentence; "" when all is well.
        act: Where the next step is done.
        next_check: When.
        why_not: Why a bot can't be expected to get a token, as half a sentence; "" if
            nothing that is known speaks against it.
        is_renewed: Whether it is known that the token is being renewed.
        cause: What an admin must fix, if it is that.
    """

    shown: Shown
    word: str
    tone: str
    reason: str
    since: datetime | None
    proof_at: datetime | None
    proof: str
    is_real_call: bool
    valid_until: datetime | None
    who: Who
    next_step: str
    act: Act
    next_check: datetime
    why_not: str
    is_renewed: bool
    cause: Cause | None

    @property
    def is_good(self) -> bool:
        """Whether nothing that is known speaks against a token for the next bot."""
        return not self.why_not


Read = Callable[[Connection], Standing]
"""Returns how a connection stands."""


def reader(session: Session, *, now: datetime) -> Read:
    """Return what says how any connection stands; it needs the session no more."""
    found = causes(session)
    query = select(ZoomApp.id).where(col(ZoomApp.retired_at).is_not(None))
    retired = set(session.exec(query))
    worker = heartbeats.find(session, now=now)
    return lambda row: standing(
        row,
        found.get(row.zoom_app_id),
        is_retired=row.zoom_app_id in retired,
        worker=worker,
        now=now,
    )


def of(session: Session, row: Connection, *, now: datetime) -> Standing:
    """Return how one connection stands."""
    return reader(session, now=now)(row)


def standing(
    row: Connection,
    cause: Cause | None = None,
    *,
    is_retired: bool = False,
    worker: WorkerStatus | None = None,
    now: datetime,
) -> Standing:
    """Return how a connection stands. Pure.

    Args:
        row: The connection.
        cause: What is wrong with its zoom app, from `cause_of` or `causes`.
        is_retired: Whether its zoom app is.
        worker: Without one that is alive nothing is checked automatically; None where
            that does not matter.
        now: Aware.
    """
    cause = cause or _own_cause(row)
    shown = _shown(row, cause, now=now)
    is_waiting = worker is not None and not worker.is_alive
    who = _who(row, cause, shown, is_waiting=is_waiting)
    valid_until = _valid_until(row)
    why_not = _why_not(row, cause, shown, is_retired=is_retired, now=now)
    expires_at = row.token_expires_at
    is_ours = row.token_custody is TokenCustody.DASHBOARD
    is_unrenewed = bool(why_not) or (is_waiting and is_ours)
    return Standing(
        shown=shown,
        word=_word(row, shown, cause, now=now),
        tone=TONES[shown],
        reason=_reason(row, shown, cause, now=now),
        since=row.token_since,
        proof_at=row.token_checked_at,
        proof=row.token_evidence,
        is_real_call=_REAL_CALL in row.token_evidence,
        valid_until=valid_until,
        who=who,
        next_step=_next_step(row, who, cause, shown, worker),
        act=_act(who, cause, is_retired=is_retired),
        next_check=row.due_at,
        why_not=why_not,
        is_renewed=not is_unrenewed and expires_at is not None and expires_at > now,
        cause=cause,
    )


def cause_of(app: ZoomApp, workspace: Workspace | None) -> Cause | None:
    """Return what an admin must fix before any user of an app gets a token. Pure."""
    if app.retired_at is not None:
        return None
    if app.recall_app_id is None:
        return NOT_IN_RECALL
    if workspace is not None and workspace.verdict is Verdict.WRONG:
        return CAUSES[TokenCause.KEY_REFUSED]
    if app.verdict is Verdict.WRONG:
        return CAUSES[TokenCause.PAIR_REFUSED]
    if apps.is_switched_off(app):
        return CAUSES[TokenCause.APP_DISABLED]
    return None


def causes(session: Session) -> Mapping[UUID, Cause]:
    """Return the same for each zoom app that has such a problem."""
    query = select(ZoomApp, Workspace).outerjoin(
        Workspace, col(Workspace.id) == col(ZoomApp.workspace_id)
    )
    found = {
        app.id: cause_of(app, workspace) for app, workspace in session.exec(query).all()
    }
    return {app_id: cause for app_id, cause in found.items() if cause is not None}


def _own_cause(row: Connection) -> Cause | None:
    if row.token_state is not TokenState.UNKNOWN:
        return None
    return CAUSES.get(row.token_cause)


def _valid_until(row: Connection) -> datetime | None:
    """Return until when the last check says what is so; None for never checked."""
    if row.token_checked_at is None:
        return None
    until = row.token_checked_at + FRESH
    return until if row.token_expires_at is None else min(until, row.token_expires_at)


def _is_fresh(row: Connection, *, now: datetime) -> bool:
    checked_at = row.token_checked_at
    return checked_at is not None and -SKEW <= now - checked_at < FRESH


def _is_current(row: Connection, *, now: datetime) -> bool:
    """Whether the last check still holds: it is recent, and its token has not ended."""
    ends_at = row.token_expires_at
    return _is_fresh(row, now=now) and (ends_at is None or ends_at > now)


def _shown(row: Connection, cause: Cause | None, *, now: datetime) -> Shown:
    is_healthy = row.token_state is TokenState.HEALTHY
    if is_healthy and (cause is not None or not _is_current(row, now=now)):
        return Shown.LAST_SEEN_HEALTHY
    return Shown(row.token_state.value)


def _word(row: Connection, shown: Shown, cause: Cause | None, *, now: datetime) -> str:
    ends_at = row.token_expires_at
    is_unknown = cause is not None or not _is_fresh(row, now=now) or ends_at is None
    if shown is not Shown.LAST_SEEN_HEALTHY or is_unknown or ends_at is None:
        return WORDS[shown]
    day = "" if ends_at.date() == now.date() else f"{ends_at:%Y-%m-%d} "
    return f"Worked until {day}{ends_at:%H:%M} UTC"


def _reason(
    row: Connection, shown: Shown, cause: Cause | None, *, now: datetime
) -> str:
    if cause is not None and cause is not _own_cause(row):
        return f"{cause.why_not[0].upper()}{cause.why_not[1:]}."
    if shown is not Shown.LAST_SEEN_HEALTHY:
        return row.token_reason
    return _ENDED if _is_fresh(row, now=now) else _UNCHECKED


def _is_tried_again(row: Connection) -> bool:
    """Whether Recall tried an unhealthy credential again, and it still fails."""
    tried_at, checked_at = row.recall_tried_at, row.token_checked_at
    if tried_at is None or row.token_since is None or checked_at is None:
        return False
    return row.token_since <= tried_at <= checked_at


def _who(
    row: Connection, cause: Cause | None, shown: Shown, *, is_waiting: bool
) -> Who:
    if cause is not None:
        return Who.ADMIN
    match row.token_state:
        case TokenState.UNHEALTHY_IN_RECALL:
            return Who.USER if _is_tried_again(row) else Who.YOU
        case TokenState.RECONNECT_NEEDED | TokenState.MISSING_SCOPES:
            return Who.USER
        case _ if row.recording_block:
            return Who.HOST
        case _:
            is_stuck = is_waiting and shown is not Shown.HEALTHY
            return Who.OPERATOR if is_stuck else Who.NOBODY


def _next_step(
    row: Connection,
    who: Who,
    cause: Cause | None,
    shown: Shown,
    worker: WorkerStatus | None,
) -> str:
    match who:
        case Who.USER:
            return _USERS[row.token_state]
        case Who.YOU:
            return _CHECK_FIRST
        case Who.ADMIN:
            return "" if cause is None else cause.next_step
        case Who.HOST:
            return _HOSTS
        case Who.OPERATOR:
            return "" if worker is None else worker.order
        case Who.NOBODY:
            return "" if shown is Shown.HEALTHY else _WAITS


def _act(who: Who, cause: Cause | None, *, is_retired: bool) -> Act:
    if cause is not None:
        return cause.act
    is_open = who is Who.USER and not is_retired
    return Act.RECONNECT if is_open else Act.CHECK


def _why_not(
    row: Connection,
    cause: Cause | None,
    shown: Shown,
    *,
    is_retired: bool,
    now: datetime,
) -> str:
    against = (
        (is_retired, "the zoom app is retired"),
        (cause is not None, "" if cause is None else cause.why_not),
        (shown in _WHY_NOT, _WHY_NOT.get(shown, "")),
        (row.recall_credential_id is None, "Recall has no credential of this user"),
        (
            row.deauthorized_at is not None,
            "Zoom reported that the user removed the app",
        ),
        (bool(row.recording_block), "a Zoom setting stops bots from recording"),
        (
            not _is_fresh(row, now=now),
            "the token was not checked in the last 24 hours",
        ),
        (
            shown is not Shown.HEALTHY,
            "the token that was seen has ended and was not checked since",
        ),
    )
    return next((words for is_so, words in against if is_so), "")


def is_shown_as(
    shown: Shown,
    *,
    broken: Collection[UUID],
    now: datetime,
    is_along: bool = False,
    by_state: bool = True,
) -> ColumnElement[bool]:
    """Return the condition of the connections that are shown so.

    Args:
        shown: What as.
        broken: The zoom apps of `causes`.
        now: Aware.
        is_along: Whether it is read along an index of the order.
        by_state: Whether that index begins with the token state.
    """
    column = col(Connection.token_state)
    state: Any = Unindexed(column) if is_along and not by_state else column
    if shown not in (Shown.HEALTHY, Shown.LAST_SEEN_HEALTHY):
        return cast("ColumnElement[bool]", state == TokenState(shown.value))
    is_healthy = state == TokenState.HEALTHY
    if shown is Shown.HEALTHY:
        return and_(is_healthy, _current(now, is_along=is_along), ~_is_of(broken))
    return and_(is_healthy, or_(_outdated(now, is_along=is_along), _is_of(broken)))


def _is_of(broken: Collection[UUID]) -> ColumnElement[bool]:
    return col(Connection.zoom_app_id).in_(list(broken)) if broken else false()


def _current(now: datetime, *, is_along: bool) -> ColumnElement[bool]:
    checked, expires = _times(is_along=is_along)
    return and_(
        checked > now - FRESH,
        checked <= now + SKEW,
        or_(expires.is_(None), expires > now),
    )


def _outdated(now: datetime, *, is_along: bool) -> ColumnElement[bool]:
    checked, expires = _times(is_along=is_along)
    return or_(
        checked.is_(None), checked <= now - FRESH, checked > now + SKEW, expires <= now
    )


def _times(*, is_along: bool) -> tuple[Any, Any]:
    checked, expires = (
        col(Connection.token_checked_at),
        col(Connection.token_expires_at),
    )
    return (Unindexed(checked), Unindexed(expires)) if is_along else (checked, expires)


def acted_on_by(
    who: Who,
    *,
    broken: Collection[UUID],
    waits_since: datetime | None = None,
    is_along: bool = False,
) -> ColumnElement[bool]:
    """Return the condition of the connections on which `who` must act.

    Args:
        who: One of them.
        broken: The zoom apps of `causes`.
        waits_since: As of now, if no worker is alive; None while one is.
        is_along: Whether it is read along an index of another order.
    """
    column = col(Connection.token_state)
    # Few connections need a host, and no index has them: scan the rows.
    state: Any = Unindexed(column) if is_along or who is Who.HOST else column
    found = list(CAUSES)
    is_admins = or_(
        _is_of(broken),
        and_(
            state == TokenState.UNKNOWN,
            Unindexed(col(Connection.token_cause)).in_(found),
        ),
    )
    tried, since = col(Connection.recall_tried_at), col(Connection.token_since)
    is_tried_again = and_(
        tried.is_not(None),
        since.is_not(None),
        col(Connection.token_checked_at).is_not(None),
        tried >= since,
        tried <= col(Connection.token_checked_at),
    )
    is_unhealthy = state == TokenState.UNHEALTHY_IN_RECALL
    is_users = state.in_([TokenState.RECONNECT_NEEDED, TokenState.MISSING_SCOPES])
    is_blocked = col(Connection.recording_block) != ""
    match who:
        case Who.ADMIN:
            return is_admins
        case Who.USER:
            return and_(~is_admins, or_(is_users, and_(is_unhealthy, is_tried_again)))
        case Who.YOU:
            return and_(~is_admins, is_unhealthy, ~is_tried_again)
        case Who.HOST:
            return and_(~is_admins, is_blocked, ~is_users, ~is_unhealthy)
        case Who.NOBODY | Who.OPERATOR:
            is_free = and_(~is_admins, ~is_blocked, ~is_users, ~is_unhealthy)
            is_stuck = _is_stuck(
                state == TokenState.HEALTHY, waits_since, is_along=is_along
            )
            return and_(is_free, is_stuck if who is Who.OPERATOR else ~is_stuck)


def _is_stuck(
    is_healthy: ColumnElement[bool], waits_since: datetime | None, *, is_along: bool
) -> ColumnElement[bool]:
    """Return the condition of those that only a worker could show as healthy."""
    if waits_since is None:
        return false()
    is_old = func.coalesce(_outdated(waits_since, is_along=is_along), false())
    return or_(~is_healthy, is_old)
