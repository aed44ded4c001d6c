"""Whether a zoom app's events have stopped, by its usual rhythm. `judge` is pure.

Zoom doesn't say when it stops sending (docs/contracts/zoom.md 5.5 and 9, checked
2026-11-23), so silence while users are connected is the only sign.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.formatting import hours_words
from dashboard.models.connection import Connection, TokenState
from dashboard.models.ids import first_id
from dashboard.models.watch import HeardHour
from dashboard.models.webhook import Refusal
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.receiver.refusals import cause_words
from dashboard.services.validation.states import Evidence

LEAST = timedelta(hours=24)
"""No shorter silence is an alarm."""

UNLEARNED = timedelta(hours=96)
"""The limit while there is too little to learn from: longer than a weekend."""

LEARNED_FROM = timedelta(days=7)
"""So many days, a weekend among them, it takes to learn."""

REMEMBERED = timedelta(days=28)
"""So much of an app's rhythm is kept, back from when it was heard last."""

HOUR = timedelta(hours=1)
_SAMPLE = 200
_SEND_NOTHING = (TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL)
# Fewer, or all within minutes, may be a stranger's at the door.
_REFUSED_LEAST = 3
_REFUSED_FOR = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class EventHistory:
    """What the judgement is made of.

    Attributes:
        users: Connected ones whose events Zoom would send; one until they are counted.
        users_since: When the first of them connected.
        event_at: The newest genuine event; None when none is remembered.
        hours: Begins of the hours in which there were any, rising.
        refused_at: When requests were refused since that event, as far as the sample
            goes; rising.
        cause: Why most of them were, in words.
    """

    users: int = 1
    users_since: datetime | None = None
    event_at: datetime | None = None
    hours: Sequence[datetime] = ()
    refused_at: Sequence[datetime] = ()
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class Silence:
    """An app whose events have stopped.

    Attributes:
        sentence: What is wrong.
        detail: What to do, and what the limit was learned from.
        since: When its last event came, or its users connected.
        is_refused: Requests arrive, but all are rejected.
    """

    sentence: str
    detail: str
    since: datetime
    is_refused: bool = False


def find(
    session: Session, app: ZoomApp, seen: Evidence, *, now: datetime
) -> Silence | None:
    """Return the silence of a zoom app; None while there is none.

    With routing direct its events go to Recall, and a retired app is expected to be
    silent: neither ever is.

    Args:
        session: Reading.
        app: Whose events.
        seen: `validation.evidence` of it.
        now: Aware.
    """
    if app.routing is Routing.DIRECT or app.retired_at is not None:
        return None
    event_at = seen.event_at
    is_recent = event_at is not None and now - event_at <= LEAST
    if is_recent and len(_refusals(session, app, seen, event_at)) < _REFUSED_LEAST:
        return None  # whatever its rhythm and its users
    connected = _connected(app)
    order = col(Connection.connected_at), col(Connection.id)
    oldest = session.exec(connected.order_by(*order).limit(1)).first()
    if oldest is None:
        return None
    heard = _heard(session, app, seen, users_since=oldest)
    if judge(heard, now) is None:
        return None
    # Only now: counting reads every connection of the app.
    number = session.exec(select(func.count()).select_from(connected.subquery())).one()
    return judge(replace(heard, users=number), now)


def hour_of(at: datetime) -> datetime:
    """Return when the hour began in which that instant lies."""
    return at.replace(minute=0, second=0, microsecond=0)


def judge(heard: EventHistory, now: datetime) -> Silence | None:
    """Return the silence that these facts amount to, or None. Pure."""
    if not heard.users or heard.users_since is None:
        return None
    since = max(heard.event_at or heard.users_since, heard.users_since)
    only_refused = _only_refused(heard, since)
    if only_refused is not None:
        return only_refused
    if heard.event_at is None:
        return None  # none ever came: the set-up says what is missing
    limit, learned = _limit(heard.hours, heard.event_at)
    if now - since <= limit:
        return None
    return Silence(
        sentence=f"No events from Zoom for {hours_words(now - since)}, though "
        f"{_people(heard.users)} connected.",
        detail="In Zoom, check that the event subscription is still enabled. If not, "
        f"re-enable it, press Validate, then Save. {learned}",
        since=since,
    )


def _limit(hours: Sequence[datetime], event_at: datetime) -> tuple[timedelta, str]:
    """Return how long a silence is usual, and what that was learned from."""
    last = hour_of(event_at)
    heard = sorted({*(hour for hour in hours if hour >= last - REMEMBERED), last})
    if heard[-1] - heard[0] < LEARNED_FROM:
        learned = (
            f"There are fewer than {hours_words(LEARNED_FROM)} of events to learn "
            f"from, so the alarm comes after {hours_words(UNLEARNED)}."
        )
        return UNLEARNED, learned
    longest = max(later - earlier for earlier, later in pairwise(heard)) - HOUR
    learned = (
        f"Its longest pause in the {REMEMBERED.days} days before was "
        f"{_pause(longest)}. The alarm comes after twice that, at least "
        f"{hours_words(LEAST)}."
    )
    return max(2 * longest, LEAST), learned


def _only_refused(heard: EventHistory, since: datetime) -> Silence | None:
    times = [at for at in heard.refused_at if at > since]
    if len(times) < _REFUSED_LEAST or times[-1] - times[0] < _REFUSED_FOR:
        return None
    number = f"{len(times)}{'+' if len(times) >= _SAMPLE else ''}"
    return Silence(
        sentence=f"{number} requests since the last event were all rejected, most as "
        f"“{heard.cause}”.",
        detail="Zoom doesn't resend rejected events. Each rejected request says what "
        "to fix.",
        since=times[0],
        is_refused=True,
    )


def _connected(app: ZoomApp) -> SelectOfScalar[datetime]:
    """Select when users connected; Zoom sends no events of users who left."""
    return select(Connection.connected_at).where(
        col(Connection.zoom_app_id) == app.id,
        col(Connection.token_state).not_in(_SEND_NOTHING),
        col(Connection.deauthorized_at).is_(None),
    )


def _heard(
    session: Session, app: ZoomApp, seen: Evidence, *, users_since: datetime
) -> EventHistory:
    of_app = col(HeardHour.zoom_app_id) == app.id
    hours = session.exec(
        select(HeardHour.hour).where(of_app).order_by(col(HeardHour.hour))
    ).all()
    event_at = seen.event_at
    if event_at is None and hours:
        event_at = hours[-1] + HOUR  # its webhooks are pruned already
    refused = _refusals(session, app, seen, event_at)
    causes = Counter(cause_words(each.cause) for each in refused)
    return EventHistory(
        users_since=users_since,
        event_at=event_at,
        hours=hours,
        refused_at=[each.received_at for each in reversed(refused)],
        cause=causes.most_common(1)[0][0] if causes else "",
    )


def _refusals(
    session: Session, app: ZoomApp, seen: Evidence, event_at: datetime | None
) -> Sequence[Refusal]:
    """Return the newest of the sample since Zoom was heard last, newest first."""
    good_at = None if seen.good_challenge is None else seen.good_challenge.at
    since = max((at for at in (event_at, good_at) if at), default=None)
    query = select(Refusal).where(col(Refusal.zoom_app_id) == app.id)
    if since is not None:
        query = query.where(col(Refusal.id) > first_id(since))
    return session.exec(query.order_by(col(Refusal.id).desc()).limit(_SAMPLE)).all()


def _people(users: int) -> str:
    return "1 user is" if users == 1 else f"{users:,} users are"


def _pause(length: timedelta) -> str:
    return hours_words(length) if length >= HOUR else "less than an hour"
