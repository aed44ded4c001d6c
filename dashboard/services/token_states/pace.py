"""How soon each connection is checked again: by state and number of connections.

A check costs one call for an access token. Recall allows 300 a minute and workspace;
background work stops at 180 (services/recall/rate_limits.py). Regular checks take two
thirds of that, so that a backlog can be worked off: 60 checks a minute for healthy
connections, 30 for failing and 30 for unchecked ones. With few connections the checks
are rarer than that, and with very many none waits longer than 22 hours.

What was seen of a token holds until it ends. So a healthy connection is checked soon
after that, as far as the 60 a minute allow: up to 3,600 connections about once an hour.
Source: docs/contracts/recall.md 1.5, checked 2026-11-25.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from dashboard.models.connection import Connection, TokenState

LONGEST = timedelta(hours=20)
"""Below a day, even with a tenth added for the spread."""

_ASKED_TO_WAIT_AT_MOST = timedelta(hours=1)
_AFTER_ITS_END = timedelta(minutes=1)
_WITHIN = timedelta(minutes=5)
_HEALTHY_A_MINUTE = 60
_UNKNOWN = frozenset({TokenState.UNKNOWN, TokenState.EXPIRING})


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a connection waits for its next check; defaults for few connections.

    Attributes:
        healthy: While the token that was seen lasts so long.
        failing: While the user or an admin must act.
        unknown: While nothing is known.
        soonest: A healthy one is never checked sooner, whenever its token ends.
    """

    healthy: timedelta = timedelta(hours=6)
    failing: timedelta = timedelta(minutes=30)
    unknown: timedelta = timedelta(minutes=5)
    soonest: timedelta = timedelta(0)

    def of(self, state: TokenState) -> timedelta:
        """Return how long a connection in this state waits."""
        if state is TokenState.HEALTHY:
            return self.healthy
        return self.unknown if state in _UNKNOWN else self.failing


FEW = Pace()


def for_numbers(*, healthy: int, failing: int, unknown: int) -> Pace:
    """Return the pace for these numbers of connections."""
    return Pace(
        healthy=_among(healthy, a_minute=_HEALTHY_A_MINUTE, least=FEW.healthy),
        failing=_among(failing, a_minute=30, least=FEW.failing),
        unknown=_among(unknown, a_minute=30, least=FEW.unknown),
        soonest=_among(healthy, a_minute=_HEALTHY_A_MINUTE, least=FEW.soonest),
    )


def current(session: Session) -> Pace:
    """Return the pace for all connections of all workspaces.

    Counted from an index: a few milliseconds for 50,000.
    """
    state = col(Connection.token_state)
    found = dict(session.exec(select(state, func.count()).group_by(state)).all())
    unknown = sum(found.get(each, 0) for each in _UNKNOWN)
    healthy = found.get(TokenState.HEALTHY, 0)
    return for_numbers(
        healthy=healthy,
        failing=sum(found.values()) - healthy - unknown,
        unknown=unknown,
    )


def next_check(  # noqa: PLR0913 - what decides it, all named
    state: TokenState,
    *,
    now: datetime,
    wait_s: float | None,
    spread: float,
    pace: Pace = FEW,
    expires_at: datetime | None = None,
) -> datetime:
    """Return when to check again: failing connections sooner, unknown ones soonest.

    Args:
        state: What was found.
        now: Aware.
        wait_s: How long an answer asked us to wait, in seconds; at most an hour counts.
        spread: 0 to 1, different for each connection, so that they don't come at once.
        pace: For the current number of connections.
        expires_at: When the token that was seen ends. A healthy connection is checked
            soon after, spread so that no minute has more checks than the pace allows
            even if all tokens end at once.
    """
    every = pace.of(state)
    if wait_s is not None:
        every = max(every, min(timedelta(seconds=wait_s), _ASKED_TO_WAIT_AT_MOST))
    due_at = now + every * (0.9 + 0.2 * spread)
    if state is TokenState.HEALTHY and expires_at is not None:
        ended_at = max(expires_at, now) + _AFTER_ITS_END
        soon = ended_at + max(_WITHIN, pace.soonest) * spread
        due_at = min(due_at, max(soon, now + pace.soonest * (0.9 + 0.2 * spread)))
    return due_at


def _among(number: int, *, a_minute: int, least: timedelta) -> timedelta:
    return min(max(timedelta(minutes=number / a_minute), least), LONGEST)
