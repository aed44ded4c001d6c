"""Alerts for the pages: those that are open, the history, one with its messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.alert import Alert, AlertChannel, AlertMessage, MessageOutcome
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.facts.acting import Problem, Remedy, Who, remedy
from dashboard.services.paging import IdPage, Place, page_by_id


@dataclass(frozen=True, kw_only=True)
class Row:
    """One alert as it is shown.

    Attributes:
        tone: "good" once it is resolved.
        word: Its state.
        since: When that state began.
    """

    alert: Alert
    tone: str
    word: str
    since: datetime

    @property
    def who(self) -> Who:
        """Who must act; nobody once it is resolved."""
        return self._remedy.who

    @property
    def next_step(self) -> str:
        """What they should do; "" once it is resolved."""
        return self._remedy.next_step

    @property
    def _remedy(self) -> Remedy:
        is_over = self.alert.resolved_at is not None
        return remedy(Problem.NONE if is_over else Problem(self.alert.problem))


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message about an alert and its channel's name."""

    message: AlertMessage
    channel: str


def open_alerts(session: Session) -> Sequence[Row]:
    """Return the alerts that are not resolved, the newest first."""
    query = select(Alert).where(col(Alert.resolved_at).is_(None))
    return [_row(each) for each in session.exec(query.order_by(col(Alert.id).desc()))]


def history(session: Session, place: Place) -> tuple[Sequence[Row], IdPage[Alert]]:
    """Return a page of the resolved alerts, the newest first."""
    query = select(Alert).where(col(Alert.resolved_at).is_not(None))
    found = page_by_id(session, query, Alert.id, place)
    return [_row(each) for each in found.rows], found


def find(session: Session, alert_id: int) -> Row:
    """Return one alert.

    Raises:
        NotFoundError: There is none.
    """
    return _row(_get(session, alert_id))


def said(session: Session, alert_id: int) -> Sequence[Said]:
    """Return what was said of an alert, and where, the oldest first."""
    query = (
        select(AlertMessage, AlertChannel.name)
        .join(AlertChannel, col(AlertChannel.id) == col(AlertMessage.channel_id))
        .where(col(AlertMessage.alert_id) == alert_id)
        .order_by(col(AlertMessage.id))
    )
    return [
        Said(message=message, channel=name) for message, name in session.exec(query)
    ]


def acknowledge(
    session: Session, alert_id: int, *, actor: Actor, now: datetime
) -> Alert:
    """Note that a person takes care of it: no more reminders; the caller commits.

    Raises:
        NotFoundError: There is none.
        ConflictError: It is resolved, or someone was quicker.
    """
    alert = _get(session, alert_id)
    if alert.resolved_at is not None:
        raise ConflictError("This alert is resolved already. Nothing was changed.")
    if alert.acknowledged_at is not None:
        raise ConflictError(
            f"{alert.acknowledged_by} has acknowledged it already. Nothing was changed."
        )
    alert.acknowledged_at, alert.acknowledged_by = now, actor.name
    session.add(alert)
    subject = f"{alert.sentence} ({alert.id})"
    audit.record(session, actor, "alert.acknowledged", subject=subject, now=now)
    return alert


OUTCOMES = {
    MessageOutcome.WAITING: ("waiting", "Queued"),
    MessageOutcome.SENT: ("good", "Sent"),
    MessageOutcome.DEAD: ("trouble", "Failed"),
    MessageOutcome.DROPPED: ("off", "Not sent: it was over"),
}
"""Tone and words of each outcome of a message."""


def recent(session: Session, channel: AlertChannel) -> Sequence[AlertMessage]:
    """Return the newest messages of a channel."""
    query = select(AlertMessage).where(col(AlertMessage.channel_id) == channel.id)
    return session.exec(
        query.order_by(col(AlertMessage.id).desc()).limit(_NEWEST)
    ).all()


_NEWEST = 20


def _get(session: Session, alert_id: int) -> Alert:
    found = session.get(Alert, alert_id)
    if found is None:
        raise NotFoundError("alert")
    return found


def _row(alert: Alert) -> Row:
    if alert.resolved_at is not None:
        return Row(alert=alert, tone="good", word="Resolved", since=alert.resolved_at)
    if alert.cleared_at is not None:
        return Row(alert=alert, tone="waiting", word="Clearing", since=alert.cleared_at)
    if alert.acknowledged_at is not None:
        return Row(
            alert=alert,
            tone=alert.tone,
            word="Acknowledged",
            since=alert.acknowledged_at,
        )
    return Row(alert=alert, tone=alert.tone, word="Open", since=alert.opened_at)
