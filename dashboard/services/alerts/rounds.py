"""Rounds: what is wrong is compared with the open alerts, and messages are written.

A problem that is over is resolved when it has stayed over for a while, longer each time
it came back, so that one which flaps is one alert and one message.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, or_, select

from dashboard.db import Database, leases
from dashboard.models.alert import (
    Alert,
    AlertChannel,
    AlertMessage,
    AlertRound,
    MessageOutcome,
    Occasion,
    Pace,
)
from dashboard.models.ids import new_id
from dashboard.services import events
from dashboard.services.alert_channels import rules
from dashboard.services.alerts import topics
from dashboard.services.alerts.topics import Now
from dashboard.services.runtime import Runtime
from dashboard.services.status.attention import ORDER, TROUBLE, WAITING, Item

EVERY = timedelta(seconds=15)
"""How often a round is made."""

SETTLED_AFTER = timedelta(minutes=3)
"""How long a problem must stay over before it is resolved; doubled each time it came
back, up to `LONGEST_SETTLING`."""

LONGEST_SETTLING = timedelta(hours=1)

SAME_AGAIN = timedelta(hours=1)
"""A problem that comes back within this is the same one, and is not said again."""

APART = timedelta(hours=1)
"""At most one message a problem and channel in this time."""

REMINDED_EVERY = timedelta(days=1)
"""How often an alert that no one has acknowledged is said again."""

_TOLD_FOR = timedelta(days=2)
"""How long after its end a resolution is still written."""

_SPOKEN = (MessageOutcome.WAITING, MessageOutcome.SENT, MessageOutcome.DEAD)


class Rounds:
    """The worker's chore, and the web process's while no worker runs."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __call__(self) -> int:
        """Make a round if one is due; return how many messages it wrote. Commits."""
        runtime = self._runtime
        now = runtime.clock.now()
        if not _take_turn(runtime.database, now):
            return 0
        with runtime.database.reading() as session:
            seen = topics.gather(
                session,
                runtime.vault,
                public_url=runtime.public_url,
                secret_reminder_days=runtime.settings.secret_reminder_days,
                now=now,
            )
        with runtime.database.writing() as session:
            row = session.get_one(AlertRound, 1, with_for_update=True)
            if row.seen_at > now:  # a later round was quicker
                return 0
            row.seen_at = now
            session.add(row)
            return store(session, seen)


def _take_turn(database: Database, now: datetime) -> bool:
    """Have the next round, if it is due, as the only one; commits."""
    with database.reading() as session:
        row = session.get(AlertRound, 1)
        if row is not None and now < row.due_at <= now + EVERY:
            return False
    with database.writing() as session:
        if row is None:
            if session.get(AlertRound, 1) is None:
                session.add(AlertRound(id=1, due_at=now + EVERY, seen_at=now))
            return True
        return leases.claim_due(
            session,
            AlertRound,
            col(AlertRound.id) == 1,
            col(AlertRound.due_at) == row.due_at,
            due="due_at",
            now=max(now, row.due_at),
            until=now + EVERY,
        )


def store(session: Session, seen: Now) -> int:
    """Open, keep and resolve alerts, and write their messages; the caller commits.

    Returns how many messages were written.
    """
    alerts = _follow(session, seen)
    told = list(seen.channels.values())
    written = sum(_tell(session, channel, alerts, seen.at) for channel in told)
    written += sum(_digest(session, channel, seen.at) for channel in told)
    return written


def _follow(session: Session, seen: Now) -> Sequence[Alert]:
    """Bring the alerts up to what is seen; return those that may have to be said."""
    recent = col(Alert.resolved_at) > seen.at - _TOLD_FOR
    query = select(Alert).where(or_(col(Alert.resolved_at).is_(None), recent))
    alerts = list(session.exec(query.order_by(col(Alert.id))).all())
    newest = {(each.topic, each.subject): each for each in alerts}
    were_open = {each.id for each in alerts if each.resolved_at is None}
    worst = _worst(seen)
    for key, item in worst.items():
        alert = newest.get(key)
        if alert is None or not _is_same(alert, seen.at):
            alerts.append(_opened(session, key, item, seen.at))
        else:
            _keep(alert, item, seen.at)
            session.add(alert)
    for alert in alerts:
        if alert.resolved_at is None and (alert.topic, alert.subject) not in worst:
            _settle(alert, seen)
            session.add(alert)
    _record_events(session, alerts, were_open, seen.at)
    session.flush()
    return alerts


def _record_events(
    session: Session, alerts: Sequence[Alert], were_open: set[int], now: datetime
) -> None:
    """Record events for the customer's software: what began, and what is over."""
    for alert in alerts:
        is_open = alert.resolved_at is None
        if is_open == (alert.id in were_open):
            continue
        kind = events.AlertOpened if is_open else events.AlertResolved
        said = kind(
            alert_id=str(alert.id),
            alert_kind=alert.kind.value,
            severity=alert.tone,
            title=alert.sentence,
            zoom_app_id=alert.zoom_app_id,
        )
        events.record(session, said, at=now)


def _worst(seen: Now) -> dict[tuple[str, str], Item]:
    """Return the worst item of each topic and subject: one problem, one alert."""
    found: dict[tuple[str, str], Item] = {}
    for item in seen.items:
        topic = topics.topic_of(item.problem)
        if not topic or item.tone not in (TROUBLE, WAITING):
            continue
        key = topic, str(topics.subject_of(item) or "")
        before = found.get(key)
        if before is None or ORDER.index(item.tone) < ORDER.index(before.tone):
            found[key] = item
    return found


def _is_same(alert: Alert, now: datetime) -> bool:
    return alert.resolved_at is None or now - alert.resolved_at < SAME_AGAIN


def _opened(session: Session, key: tuple[str, str], item: Item, now: datetime) -> Alert:
    topic, subject = key
    alert = Alert(
        id=new_id(now),
        topic=topic,
        subject=subject,
        zoom_app_id=item.zoom_app_id,
        kind=topics.kind_of(item.problem),
        problem=item.problem.value,
        tone=item.tone,
        sentence=item.sentence[:500],
        detail=item.detail[:1000],
        opened_at=now,
        problem_at=now,
        seen_at=now,
    )
    session.add(alert)
    return alert


def _keep(alert: Alert, item: Item, now: datetime) -> None:
    """Have an alert say what is wrong now; one that was over came back."""
    if alert.cleared_at is not None or alert.resolved_at is not None:
        alert.flaps += 1
        if alert.resolved_at is not None:
            alert.acknowledged_at, alert.acknowledged_by = None, ""
        alert.cleared_at = alert.resolved_at = None
        alert.resolution = ""
    if alert.problem != item.problem.value or alert.tone != item.tone:
        alert.problem, alert.tone = item.problem.value, item.tone
        alert.kind, alert.problem_at = topics.kind_of(item.problem), now
    alert.sentence, alert.detail = item.sentence[:500], item.detail[:1000]
    alert.seen_at = now


def _settle(alert: Alert, seen: Now) -> None:
    """Resolve an alert whose end has been seen for long enough."""
    subject = UUID(alert.subject) if alert.subject else None
    proof = topics.evidence(alert.topic, subject, seen)
    if not proof:
        return
    alert.resolution = proof[:500]
    alert.cleared_at = alert.cleared_at or seen.at
    if seen.at - alert.cleared_at >= settling(alert):
        alert.resolved_at = seen.at


def settling(alert: Alert) -> timedelta:
    """Return how long its end must be seen before it is resolved."""
    return min(SETTLED_AFTER * (1 << min(alert.flaps, 10)), LONGEST_SETTLING)


def _tell(
    session: Session, channel: AlertChannel, alerts: Sequence[Alert], now: datetime
) -> int:
    """Write what one channel has to say of these alerts."""
    if channel.pace is not Pace.AT_ONCE:
        return 0
    said = _said(session, channel, alerts)
    written = 0
    for alert in alerts:
        before = said.get(alert.id, [])
        occasion = due_occasion(channel, alert, before, now)
        if occasion is not None:
            _write(session, channel, alert, occasion, number=len(before), now=now)
            written += 1
    return written


def _said(
    session: Session, channel: AlertChannel, alerts: Sequence[Alert]
) -> dict[int, list[AlertMessage]]:
    """Return the channel's messages about each of them, in order."""
    found: dict[int, list[AlertMessage]] = {}
    query = select(AlertMessage).where(
        col(AlertMessage.channel_id) == channel.id,
        col(AlertMessage.alert_id).in_([each.id for each in alerts]),
    )
    for message in session.exec(query.order_by(col(AlertMessage.number))):
        found.setdefault(message.alert_id or 0, []).append(message)
    return found


def due_occasion(
    channel: AlertChannel,
    alert: Alert,
    written: Sequence[AlertMessage],
    now: datetime,
) -> Occasion | None:
    """Return what a channel has to say of an alert now; None for nothing. Pure.

    Args:
        channel: Says alerts at once.
        alert: As it is now.
        written: The channel's messages about it so far, in order.
        now: Aware.
    """
    spoken = [each for each in written if each.outcome in _SPOKEN]
    last = spoken[-1] if spoken else None
    is_told = last is not None and last.occasion is not Occasion.RESOLVED
    if alert.resolved_at is not None:
        return Occasion.RESOLVED if is_told and _was_sent(spoken) else None
    lasts = timedelta(minutes=channel.lasts_minutes)
    is_over = alert.cleared_at is not None or not rules.covers(channel, alert)
    if is_over or now - alert.problem_at < lasts:
        return None
    if last is None:
        return Occasion.OPENED
    return _again(alert, spoken, now, is_told=is_told)


def _again(
    alert: Alert, spoken: Sequence[AlertMessage], now: datetime, *, is_told: bool
) -> Occasion | None:
    """Return what is said of an alert of which something was said before."""
    last = spoken[-1]
    if not is_told:
        return Occasion.OPENED if now - last.created_at >= APART else None
    if last.problem != alert.problem:
        return None if _said_lately(spoken, alert, now) else Occasion.CHANGED
    if alert.acknowledged_at is None and now - last.created_at >= REMINDED_EVERY:
        return Occasion.REMINDED
    return None


def _was_sent(spoken: Sequence[AlertMessage]) -> bool:
    """Whether the opening has arrived, or may have: one that waits is dropped."""
    return any(each.outcome is MessageOutcome.SENT for each in spoken)


def _said_lately(spoken: Sequence[AlertMessage], alert: Alert, now: datetime) -> bool:
    return any(
        each.problem == alert.problem and now - each.created_at < APART
        for each in spoken
    )


def _write(  # noqa: PLR0913 - one message, all named
    session: Session,
    channel: AlertChannel,
    alert: Alert | None,
    occasion: Occasion,
    *,
    number: int,
    now: datetime,
) -> None:
    session.add(
        AlertMessage(
            id=new_id(now),
            channel_id=channel.id,
            alert_id=None if alert is None else alert.id,
            occasion=occasion,
            problem="" if alert is None else alert.problem,
            number=number,
            created_at=now,
            due_at=rules.quiet_until(channel, now) or now,
        )
    )


def _digest(session: Session, channel: AlertChannel, now: datetime) -> int:
    """Write the day's digest of a channel, if it is time and there is anything."""
    day = rules.digest_day(channel, now)
    if not day:
        return 0
    channel.digest_on = day
    session.add(channel)
    if not any(digest_of(session, channel, now=now)):
        return 0
    number = int(day.replace("-", ""))
    _write(session, channel, None, Occasion.DIGEST, number=number, now=now)
    return 1


def digest_of(
    session: Session, channel: AlertChannel, *, now: datetime
) -> tuple[Sequence[Alert], Sequence[Alert]]:
    """Return what a digest says: alerts that are open, and those resolved lately."""
    order = col(Alert.opened_at), col(Alert.id)
    still = select(Alert).where(col(Alert.resolved_at).is_(None)).order_by(*order)
    over = (
        select(Alert)
        .where(col(Alert.resolved_at) > now - timedelta(days=1))
        .order_by(*order)
    )
    lasts = timedelta(minutes=channel.lasts_minutes)
    return (
        [
            each
            for each in session.exec(still)
            if rules.covers(channel, each) and now - each.opened_at >= lasts
        ],
        [
            each
            for each in session.exec(over)
            if rules.covers(channel, each)
            and (each.resolved_at or now) - each.opened_at >= lasts
        ],
    )
