"""How a connection stands: state, reason, proof, who must act, and what comes next.

Decided here and nowhere else: pages, lists, counts, exports, commands and Explain draw
what this says. What is asked of one row in Python is asked of all in SQL by the
conditions at the end; a test compares the two. docs/token-states.md shows the table.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    false,
    func,
    inspect,
    literal,
    literal_column,
    or_,
    true,
    union_all,
)
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from dashboard.clock import SKEW
from dashboard.db.columns import Unindexed
from dashboard.models.connection import BLOCKED, Connection, TokenCause, TokenState
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.facts.acting import Act, Problem, Who, remedy
from dashboard.services.facts.zoom_apps import key_problem, pair_problem
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.validation import evidence

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


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why no token can be expected, whatever is known of the user.

    Attributes:
        why_not: The same as half a sentence.
        is_shared: Whether it affects all connections of the zoom app, so that checking
            the others is pointless.
    """

    problem: Problem
    why_not: str
    is_shared: bool = True

    @property
    def next_step(self) -> str:
        """What should be done."""
        return remedy(self.problem).next_step


CAUSES = {
    TokenCause.KEY_REFUSED: Cause(
        problem=Problem.KEY_REFUSED, why_not="Recall rejects the workspace's API key"
    ),
    TokenCause.APP_DISABLED: Cause(
        problem=Problem.APP_DISABLED, why_not="Zoom has switched the app off"
    ),
    TokenCause.PAIR_REFUSED: Cause(
        problem=Problem.PAIR_REFUSED,
        why_not="Zoom rejects the app's client ID and client secret",
    ),
    TokenCause.NO_CREDIT: Cause(
        problem=Problem.NO_CREDIT,
        why_not="the workspace is out of credit at Recall",
    ),
    TokenCause.NOT_ALLOWED: Cause(
        problem=Problem.NOT_ALLOWED,
        why_not="Recall does not let the workspace's API key read the credential",
    ),
    TokenCause.NO_TOKEN: Cause(
        problem=Problem.NO_TOKEN,
        why_not="Recall did not hand out a token",
        is_shared=False,
    ),
    TokenCause.NO_ANSWER: Cause(
        problem=Problem.NO_ANSWER,
        why_not="Zoom rejected an API call for another reason",
        is_shared=False,
    ),
    TokenCause.OWN_SERVER: Cause(
        problem=Problem.OWN_SERVER,
        why_not="your token server gave no token that Recall could use",
        is_shared=False,
    ),
    TokenCause.INACTIVE: Cause(
        problem=Problem.USER_INACTIVE,
        why_not="Zoom says that the user is not active",
        is_shared=False,
    ),
    TokenCause.OTHER_USER: Cause(
        problem=Problem.OTHER_USER,
        why_not="the token is another Zoom user's",
        is_shared=False,
    ),
}
"""Every cause that a health check finds beside the user's authorization."""

NOT_IN_RECALL = Cause(
    problem=Problem.NOT_IN_RECALL, why_not="the zoom app is not in Recall"
)
GONE_FROM_RECALL = Cause(
    problem=Problem.GONE_FROM_RECALL, why_not="the zoom app was deleted in Recall"
)
_OF_APP = {
    each.problem: each
    for each in (
        *CAUSES.values(),
        NOT_IN_RECALL,
        *(
            Cause(problem=each, why_not="Recall gets no tokens for the app")
            for each in (Problem.PAIR_DOUBTED, Problem.PAIR_DIFFERS)
        ),
    )
}

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
REFUSED_BY_ZOOM = "Zoom no longer accepts this authorization"
"""How the reason of a check begins of which Zoom's own refusal was the answer."""

DELETED_IN_RECALL = "Recall answered 404 for the credential."
"""The evidence of a check that found no credential in Recall; Zoom was not asked."""

_UNCHECKED = "The token was not checked in the last 24 hours. Press Check now."
_ENDED = (
    "The token that was seen working has ended. Zoom usually renews it; the next check "
    "shows whether it did. Check now asks right away."
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All that is said of a connection.

    Attributes:
        problem: What is wrong with it, or what someone waits for.
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
        cause: What is wrong whatever is known of the user, if it is that.
    """

    shown: Shown
    problem: Problem
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


class Reader:
    """Says how any connection stands; what it is decided by is read once.

    Args:
        session: Reading; needed no more afterwards.
        now: Aware.

    Attributes:
        causes: What is wrong with zoom apps, as `causes` returns it.
        worker: Whether the background worker runs.
    """

    def __init__(self, session: Session, *, now: datetime) -> None:
        # Kept, so that the session need not read one of them again.
        self._apps = apps = _apps(session)
        self.causes = _causes(apps, evidence.deleted_in_recall(session, now=now))
        self.worker = heartbeats.find(session, now=now)
        self._retired = {app.id for app, _ in apps if app.retired_at is not None}
        self._now = now

    def __call__(self, row: Connection) -> Standing:
        """Return how one stands."""
        return standing(
            row,
            self.causes.get(row.zoom_app_id),
            is_retired=row.zoom_app_id in self._retired,
            worker=self.worker,
            now=self._now,
        )


def of(session: Session, row: Connection, *, now: datetime) -> Standing:
    """Return how one connection stands."""
    return Reader(session, now=now)(row)


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
    problem = _problem(row, cause, shown)
    is_waiting = worker is not None and not worker.is_alive
    if is_waiting and problem is Problem.UNSURE:
        problem = Problem.NO_WORKER
    valid_until = _valid_until(row)
    why_not = _why_not(row, cause, shown, is_retired=is_retired, now=now)
    expires_at = row.token_expires_at
    is_ours = row.token_custody is TokenCustody.DASHBOARD
    is_unrenewed = bool(why_not) or (is_waiting and is_ours)
    return Standing(
        shown=shown,
        problem=problem,
        word=_word(row, shown, cause, now=now),
        tone=TONES[shown],
        reason=_reason(row, shown, cause, now=now),
        since=row.token_since,
        proof_at=row.token_checked_at,
        proof=row.token_evidence,
        is_real_call=_REAL_CALL in row.token_evidence,
        valid_until=valid_until,
        who=remedy(problem).who,
        next_step=_next_step(problem, worker),
        act=_act(problem, cause, is_retired=is_retired),
        next_check=row.due_at,
        why_not=why_not,
        is_renewed=not is_unrenewed and expires_at is not None and expires_at > now,
        cause=cause,
    )


def cause_of(
    app: ZoomApp, workspace: Workspace | None, *, is_gone: bool
) -> Cause | None:
    """Return what is wrong before any user of an app gets a token. Pure.

    Args:
        app: Which.
        workspace: Its own.
        is_gone: Whether Recall no longer has it (`evidence.deleted_in_recall`).
    """
    if app.retired_at is not None:
        return None
    if workspace is not None and key_problem(workspace) is Problem.KEY_REFUSED:
        return CAUSES[TokenCause.KEY_REFUSED]
    if app.recall_app_id is None:
        return _OF_APP.get(pair_problem(app), NOT_IN_RECALL)
    return GONE_FROM_RECALL if is_gone else _OF_APP.get(pair_problem(app))


def causes(session: Session, *, now: datetime) -> Mapping[UUID, Cause]:
    """Return the same for each zoom app that has such a problem."""
    return _causes(_apps(session), evidence.deleted_in_recall(session, now=now))


_Apps = Sequence[tuple[ZoomApp, Workspace | None]]


def _apps(session: Session) -> _Apps:
    query = select(ZoomApp, Workspace).outerjoin(
        Workspace, col(Workspace.id) == col(ZoomApp.workspace_id)
    )
    return [(app, workspace) for app, workspace in session.exec(query)]


def _causes(apps: _Apps, gone: Collection[UUID]) -> Mapping[UUID, Cause]:
    found = {
        app.id: cause_of(app, workspace, is_gone=app.id in gone)
        for app, workspace in apps
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


def _problem(row: Connection, cause: Cause | None, shown: Shown) -> Problem:
    if cause is not None:
        return cause.problem
    found = _STATES.get(row.token_state)
    if row.token_custody is TokenCustody.OWN_SERVER:
        found = None if found is None else _ELSEWHERE.get(found, found)
    is_users = row.token_cause is TokenCause.NOT_THE_APP
    if found is Problem.UNHEALTHY and is_users:
        return Problem.STILL_UNHEALTHY
    if found is not None:
        return found
    if row.recording_block:
        return Problem.HOST_SETTING
    return Problem.NONE if shown is Shown.HEALTHY else Problem.UNSURE


_STATES = {
    TokenState.UNHEALTHY_IN_RECALL: Problem.UNHEALTHY,
    TokenState.RECONNECT_NEEDED: Problem.INVALID,
    TokenState.MISSING_SCOPES: Problem.MISSING_SCOPES,
}


_ELSEWHERE = {
    Problem.INVALID: Problem.AUTHORIZE_ELSEWHERE,
    Problem.MISSING_SCOPES: Problem.AUTHORIZE_ELSEWHERE,
}
"""What there is no link of ours for: the customer's own product asks for consent."""


def _next_step(problem: Problem, worker: WorkerStatus | None) -> str:
    if problem is Problem.NO_WORKER and worker is not None:
        return worker.order
    return remedy(problem).next_step


def _act(problem: Problem, cause: Cause | None, *, is_retired: bool) -> Act:
    act = remedy(problem).act
    if cause is not None:
        return act if act in (Act.WORKSPACES, Act.CHECK) else Act.ZOOM_APP
    return Act.CHECK if is_retired else act


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


def counts(
    session: Session, *, broken: Collection[UUID], now: datetime
) -> dict[tuple[UUID, Shown], int]:
    """Count all connections by zoom app and what they are shown as.

    At any time the tokens of most have ended: of the healthy ones the others are
    counted, as a range of an index.

    Args:
        session: Reading.
        broken: The zoom apps of `causes`.
        now: Aware.
    """
    found = session.connection().execute(_counts_query(), _fresh(now)).all()
    counted: dict[tuple[UUID, Shown], int] = {}
    for app_id, state, number, current in found:
        if state is TokenState.HEALTHY:
            healthy = 0 if app_id in broken else current
            counted[app_id, Shown.HEALTHY] = healthy
            counted[app_id, Shown.LAST_SEEN_HEALTHY] = number - healthy
        else:
            counted[app_id, Shown(state)] = number
    return counted


def _fresh(now: datetime) -> dict[str, datetime]:
    return {"now": now, "after": now - FRESH, "until": now + SKEW}


@cache
def _counts_query() -> Select[UUID, TokenState, int, int]:
    """Select how many are of each app and token state, and how many checks are current.

    To count ranges of an index takes less than to group what is read along it.
    """
    column = col(Connection.token_state)
    kind = inspect(Connection).columns["token_state"].type
    each = (literal(one, kind).label("state") for one in TokenState)
    states = union_all(*map(select_columns, each)).cte("states")
    of_app = col(Connection.zoom_app_id) == col(ZoomApp.id)
    number = select_columns(func.count()).where(column == states.c.state, of_app)
    checked, expires = _times(is_along=False)
    current = number.where(
        states.c.state == TokenState.HEALTHY,
        checked > bindparam("after"),
        checked <= bindparam("until"),
    )
    live = current.where(expires > bindparam("now")).scalar_subquery()
    endless = current.where(expires.is_(None)).scalar_subquery()
    return select_columns(
        col(ZoomApp.id), states.c.state, number.scalar_subquery(), live + endless
    ).join(states, true())


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


def is_refused_by_zoom(row: Connection) -> bool:
    """Whether Zoom itself was seen to accept the authorization no more."""
    return row.token_reason.startswith(REFUSED_BY_ZOOM)


def is_deleted_in_recall(row: Connection) -> bool:
    """Whether the last check saw that Recall no longer has the credential."""
    return row.token_evidence == DELETED_IN_RECALL


def unknown_acted_on_by(who: Who) -> ColumnElement[bool]:
    """Return the condition of connections of unknown state on which `who` must act.

    Of zoom apps that nothing is wrong with; read along the index of states.
    """
    is_unknown = col(Connection.token_state) == TokenState.UNKNOWN
    return and_(is_unknown, acted_on_by(who, broken={}))


def acted_on_by(
    who: Who,
    *,
    broken: Mapping[UUID, Cause],
    waits_since: datetime | None = None,
    is_along: bool = False,
) -> ColumnElement[bool]:
    """Return the condition of the connections on which `who` must act.

    Args:
        who: One of them.
        broken: What is wrong with zoom apps, from `causes`.
        waits_since: As of now, if no worker is alive; None while one is.
        is_along: Whether it is read along an index of another order.
    """
    column = col(Connection.token_state)
    state: Any = Unindexed(column) if is_along else column
    of_app = {
        each: [app for app, its in broken.items() if remedy(its.problem).who is each]
        for each in Who
    }
    own = [its for its, cause in CAUSES.items() if remedy(cause.problem).who is who]
    is_apps = _is_of(broken)
    is_unknown, cause = state == TokenState.UNKNOWN, col(Connection.token_cause)
    is_found = and_(is_unknown, Unindexed(cause).in_(list(CAUSES)))
    is_users_own = and_(~is_apps, ~is_found)
    is_unhealthy = state == TokenState.UNHEALTHY_IN_RECALL
    is_not_the_app = Unindexed(cause) == TokenCause.NOT_THE_APP
    block = col(Connection.recording_block)
    is_users = state.in_([TokenState.RECONNECT_NEEDED, TokenState.MISSING_SCOPES])
    is_blocked = block != ""
    # As the index of such hosts has it.
    is_hosts: Any = is_blocked if is_along else literal_column(BLOCKED)
    is_free = and_(~is_blocked, ~is_users, ~is_unhealthy)
    is_stuck = _is_stuck(state == TokenState.HEALTHY, waits_since, is_along=is_along)
    by_state = {
        Who.USER: or_(is_users, and_(is_unhealthy, is_not_the_app)),
        Who.YOU: and_(is_unhealthy, ~is_not_the_app),
        Who.HOST: and_(is_hosts, ~is_users, ~is_unhealthy),
        Who.NOBODY: and_(is_free, ~is_stuck),
        Who.OPERATOR: and_(is_free, is_stuck),
    }
    # No part that is always false: with one SQLite uses no index for the others.
    found = [and_(is_users_own, by_state[who])] if who in by_state else []
    if of_app[who]:
        found.append(_is_of(of_app[who]))
    if own:
        found.append(and_(~is_apps, is_unknown, Unindexed(cause).in_(own)))
    return or_(false(), *found)


def _is_stuck(
    is_healthy: ColumnElement[bool], waits_since: datetime | None, *, is_along: bool
) -> ColumnElement[bool]:
    """Return the condition of those that only a worker could show as healthy."""
    if waits_since is None:
        return false()
    is_old = func.coalesce(_outdated(waits_since, is_along=is_along), false())
    return or_(~is_healthy, is_old)
