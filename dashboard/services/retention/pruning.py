"""Retention: deletes what is done and older than the retention, in small batches.

Each batch is one short transaction, so that a receiver waiting to write goes next and
a process killed half-way has deleted whole webhooks only: bodies, arrivals, attempts
and redeliveries go with theirs (ON DELETE CASCADE), by an index each.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import (
    Session,
    SQLModel,
    and_,
    col,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.db import Database
from dashboard.db.leases import is_free
from dashboard.db.statements import rows_changed
from dashboard.errors import InvalidInputError
from dashboard.models.alert import Alert, AlertMessage
from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, ConnectionEvent
from dashboard.models.delivery_log import FailedDelivery
from dashboard.models.endpoint import EndpointDelivery
from dashboard.models.event import Event
from dashboard.models.ids import first_id
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.staff import Throttle
from dashboard.models.webhook import Outcome, Refusal, RefusalCount, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings

DEAD_SHOWN_FOR = timedelta(days=7)
"""How long a failed webhook can still be seen and resent, however old it is."""

BATCH = 200
_BATCHES_AT_ONCE = 5
_SWEEP_EVERY = timedelta(minutes=10)
_DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What one batch did, or many.

    Attributes:
        webhooks: Deleted, with all that belongs to them.
        given_up: Failed: not delivered within the retention.
        evidence: Old refusals, counts, checks and connect attempts deleted.
    """

    webhooks: int = 0
    given_up: int = 0
    evidence: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        """Return both together."""
        return Pruned(
            webhooks=self.webhooks + other.webhooks,
            given_up=self.given_up + other.given_up,
            evidence=self.evidence + other.evidence,
        )

    @property
    def total(self) -> int:
        """How many rows were changed."""
        return self.webhooks + self.given_up + self.evidence


def days_kept(settings: Settings, *, asked: int | None = None) -> int:
    """Return the retention in days: the setting, or what is asked for instead.

    Never shorter than a signed event may be old: the row is what identifies a repeat.

    Raises:
        InvalidInputError: What is asked for is shorter than that.
    """
    least = math.ceil(settings.event_age_limit_s / _DAY_S)
    if asked is None:
        return max(settings.webhook_retention_days, least)
    if asked < least:
        raise InvalidInputError(
            f"Webhooks are kept for at least {least} days: Zoom may repeat one that "
            "old, and only the stored one shows that it is a repeat. For less, lower "
            "DASHBOARD_EVENT_AGE_LIMIT_S first."
        )
    return asked


def prune(
    database: Database,
    *,
    now: datetime,
    days: int,
    event_days: int | None = None,
    batch: int = BATCH,
) -> Iterator[Pruned]:
    """Delete what is done and older, oldest first; commits at each step.

    The caller decides how far to go and what to do between two steps; stopping early
    is fine. A webhook that still waits first fails, with a sentence, and stays visible
    for `DEAD_SHOWN_FOR`.

    Args:
        database: On PostgreSQL many workers may do this at once.
        now: Aware.
        days: The retention.
        event_days: The retention of events and their deliveries; None: the same.
        batch: How many rows a step looks at.

    Yields:
        What each step did; at least one.
    """
    cutoff = now - timedelta(days=days)
    for found in _scan(database, now=now, cutoff=cutoff, batch=batch):
        yield _prune_batch(database, found, now=now, days=days)
    events_cutoff = now - timedelta(days=event_days or days)
    for step, until in ((prune_evidence, cutoff), (prune_events, events_cutoff)):
        deleted = batch
        while deleted >= batch:
            with database.writing() as session:
                deleted = step(session, cutoff=until, limit=batch)
            yield Pruned(evidence=deleted)


def count_due(database: Database, *, now: datetime, days: int) -> Pruned:
    """Return how many webhooks `prune` would delete and give up; writes nothing."""
    cutoff = now - timedelta(days=days)
    total = Pruned()
    for found in _scan(database, now=now, cutoff=cutoff, batch=1000):
        total += Pruned(webhooks=len(found.done), given_up=len(found.late))
    return total


class Pruner:
    """The worker's chore: a few batches at a time, then idle until the next sweep.

    Args:
        runtime: Its settings tell the retention.
        batch: Rows a step looks at.
        at_once: Steps a call.
    """

    def __init__(
        self, runtime: Runtime, *, batch: int = BATCH, at_once: int = _BATCHES_AT_ONCE
    ) -> None:
        self._runtime = runtime
        self._batch = batch
        self._at_once = at_once
        self._sweep: Iterator[Pruned] | None = None
        self._idle_since: datetime | None = None

    def __call__(self) -> int:
        """Go on with the sweep; return how many rows it changed."""
        now = self._runtime.clock.now()
        if self._sweep is None:
            if self._idle_since and abs(now - self._idle_since) < _SWEEP_EVERY:
                return 0
            days = days_kept(self._runtime.settings)
            self._sweep = prune(
                self._runtime.database,
                now=now,
                days=days,
                event_days=self._runtime.settings.event_retention_days,
                batch=self._batch,
            )
        done = Pruned()
        for _ in range(self._at_once):
            step = next(self._sweep, None)
            if step is None:
                self._sweep, self._idle_since = None, now
                break
            done += step
        return done.total


@dataclass(kw_only=True)
class _Batch:
    """Ids of one stretch of the log, and the last reasons of those that still wait."""

    done: list[int] = field(default_factory=list)
    late: dict[int, str] = field(default_factory=dict)


def _scan(
    database: Database, *, now: datetime, cutoff: datetime, batch: int
) -> Iterator[_Batch]:
    """Go through the webhooks older than that by their key, each looked at once.

    What has to stay is passed over, not met again and again. So is one whose timestamp
    is younger than its arrival: a copy of it would still be accepted. Locks nothing.
    """
    after, end = -1, first_id(cutoff)
    while True:
        with database.reading() as session:
            rows = session.exec(
                select(Webhook, _is_in_resend())
                .where(col(Webhook.id) > after, col(Webhook.id) < end)
                .order_by(col(Webhook.id))
                .limit(batch)
            ).all()
        found = _Batch()
        for webhook, is_in_resend in rows:
            if webhook.outcome is Outcome.WAITING:
                if webhook.lease_until is None or webhook.lease_until <= now:
                    found.late[webhook.id] = webhook.outcome_reason
            elif (
                not is_in_resend
                and _is_over(webhook, now)
                and webhook.sent_at_s < cutoff.timestamp()
            ):
                found.done.append(webhook.id)
        if found.done or found.late:
            yield found
        if len(rows) < batch:
            return
        after = rows[-1][0].id


def _is_over(webhook: Webhook, now: datetime) -> bool:
    # `due_at` of a dead one is when it was given up.
    is_dead = webhook.outcome is Outcome.DEAD
    return not is_dead or webhook.due_at <= now - DEAD_SHOWN_FOR


def _is_in_resend() -> ColumnElement[bool]:
    """Whether it waits in a resend."""
    return exists().where(
        col(Redelivery.webhook_id) == col(Webhook.id),
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
    )


def _prune_batch(
    database: Database, found: _Batch, *, now: datetime, days: int
) -> Pruned:
    """Commits."""
    with database.writing() as session:
        return Pruned(
            webhooks=_delete(session, found.done, now=now),
            given_up=_give_up(session, found.late, now=now, days=days),
        )


def _delete(session: Session, ids: Sequence[int], *, now: datetime) -> int:
    """Delete those that did not change meanwhile and are not locked."""
    if not ids:
        return 0
    is_over = or_(
        col(Webhook.outcome).in_([Outcome.DELIVERED, Outcome.KEPT]),
        and_(
            col(Webhook.outcome) == Outcome.DEAD,
            col(Webhook.due_at) <= now - DEAD_SHOWN_FOR,
        ),
    )
    locked = session.exec(
        select(Webhook.id)
        .where(col(Webhook.id).in_(ids), is_over, ~_is_in_resend())
        .order_by(col(Webhook.id))
        .with_for_update(skip_locked=True)
    ).all()
    session.exec(delete(Webhook).where(col(Webhook.id).in_(locked)))
    return len(locked)


def _give_up(
    session: Session, late: dict[int, str], *, now: datetime, days: int
) -> int:
    given_up = 0
    for webhook_id, reason in late.items():
        last = reason or "it was never sent."
        done = session.connection().execute(
            update(Webhook)
            .where(
                col(Webhook.id) == webhook_id,
                col(Webhook.outcome) == Outcome.WAITING,
                is_free(Webhook.lease_until, now),
            )
            .values(
                outcome=Outcome.DEAD,
                outcome_reason=f"Not delivered within {days} days; {last}"[:500],
                due_at=now,
                lease_until=None,
            )
        )
        given_up += rows_changed(done)
    return given_up


CHECKS_KEPT = 20
"""Of each zoom app and source, however old: the status is made of them."""

LINES_KEPT = 500
"""Of each connection's own timeline."""

_NEWEST_LINES = 2000
_TIMELINES_AT_ONCE = 20


def prune_evidence(session: Session, *, cutoff: datetime, limit: int) -> int:
    """Delete at most so many rows older than that; the caller commits.

    Returns:
        How many; fewer than `limit` when nothing old is left.
    """
    return _delete_old(session, _old(session, cutoff), limit=limit)


def prune_events(session: Session, *, cutoff: datetime, limit: int) -> int:
    """As `prune_evidence`, of events and of what was delivered to endpoints."""
    return _delete_old(session, _old_events(cutoff), limit=limit)


_Old = Iterator[tuple[type[SQLModel], SelectOfScalar[Any]]]


def _delete_old(session: Session, found: _Old, *, limit: int) -> int:
    left = limit
    for model, query in found:
        if left <= 0:
            break
        keys = session.exec(query.limit(left)).all()
        if keys:
            key = col(model.key if model is Throttle else model.id)  # type: ignore[attr-defined]  # each has one
            session.exec(delete(model).where(key.in_(keys)))
        left -= len(keys)
    return limit - left


def _old_events(cutoff: datetime) -> _Old:
    yield (
        EndpointDelivery,
        select(EndpointDelivery.id).where(
            col(EndpointDelivery.id) < first_id(cutoff),
            col(EndpointDelivery.webhook_id).is_(None),
        ),
    )
    yield Event, select(Event.id).where(col(Event.at) < cutoff)


def _old(session: Session, cutoff: datetime) -> _Old:
    end = first_id(cutoff)
    yield Refusal, select(Refusal.id).where(col(Refusal.id) < end)
    yield FailedDelivery, select(FailedDelivery.id).where(col(FailedDelivery.id) < end)
    yield RefusalCount, select(RefusalCount.id).where(col(RefusalCount.id) < end)
    # Of what strangers can make for ever: any address, any email that was typed.
    yield Throttle, select(Throttle.key).where(col(Throttle.window_at) < cutoff)
    yield Alert, select(Alert.id).where(col(Alert.resolved_at) < cutoff)
    yield (
        AlertMessage,
        select(AlertMessage.id).where(
            col(AlertMessage.alert_id).is_(None), col(AlertMessage.id) < end
        ),
    )
    for app_id in session.exec(select(ZoomApp.id)).all():
        for source in Source:
            yield Check, _old_checks(session, app_id, source, end)
    for outcome in AttemptOutcome:
        if outcome is not AttemptOutcome.OPEN:
            yield ConnectAttempt, _old_attempts(outcome, cutoff)
    for connection_id in _long_timelines(session):
        yield ConnectionEvent, _old_lines(connection_id)
    for state in (InvitationState.EXPIRED, InvitationState.REVOKED):
        yield Invitation, _old_links(state, cutoff)
    yield (
        Invitation,
        _old_links(InvitationState.DONE, cutoff).where(
            col(Invitation.connection_id).is_(None)  # or it is the connection's story
        ),
    )
    # Its redeliveries went with their webhooks.
    yield (
        Resend,
        select(Resend.id).where(
            col(Resend.id) < end,
            col(Resend.ended_at) < cutoff,
            ~exists().where(col(Redelivery.resend_id) == col(Resend.id)),
        ),
    )


def _old_checks(
    session: Session, app_id: UUID, source: Source, end: int
) -> SelectOfScalar[int]:
    ours = select(Check.id).where(
        col(Check.zoom_app_id) == app_id, col(Check.source) == source
    )
    newest_first = ours.order_by(col(Check.id).desc())
    surplus = session.exec(newest_first.offset(CHECKS_KEPT).limit(1)).first()
    if surplus is None:
        return ours.where(col(Check.id) < 0)
    good = newest_first.where(col(Check.finding) == Finding.GOOD)
    newest_good = session.exec(good.limit(1)).first()
    return ours.where(
        col(Check.id) < end,
        col(Check.id) <= surplus,
        col(Check.id) != (newest_good or 0),
    )


def _old_attempts(outcome: AttemptOutcome, cutoff: datetime) -> SelectOfScalar[UUID]:
    """Those without a connection: the others belong to its timeline."""
    return select(ConnectAttempt.id).where(
        col(ConnectAttempt.outcome) == outcome,
        col(ConnectAttempt.expires_at) < cutoff,
        col(ConnectAttempt.connection_id).is_(None),
    )


def _long_timelines(session: Session) -> Sequence[UUID]:
    """Return connections whose timelines are too long, among the recently active."""
    young = (
        select(ConnectionEvent.connection_id)
        .order_by(col(ConnectionEvent.id).desc())
        .limit(_NEWEST_LINES)
        .subquery()
    )
    whose = select(young.c.connection_id).distinct().subquery()
    # Counted one by one, by the index: grouped, all lines there are would be read.
    mine = col(ConnectionEvent.connection_id) == whose.c.connection_id
    number = select(func.count(col(ConnectionEvent.id))).where(mine).scalar_subquery()
    query = select(whose.c.connection_id).where(number > LINES_KEPT)
    return session.exec(query.limit(_TIMELINES_AT_ONCE)).all()


def _old_lines(connection_id: UUID) -> SelectOfScalar[int]:
    newest = col(ConnectionEvent.at).desc(), col(ConnectionEvent.id).desc()
    query = select(ConnectionEvent.id).where(
        col(ConnectionEvent.connection_id) == connection_id
    )
    return query.order_by(*newest).offset(LINES_KEPT)


def _old_links(state: InvitationState, cutoff: datetime) -> SelectOfScalar[UUID]:
    """Links that ended before then: they name people who did not connect."""
    return select(Invitation.id).where(
        col(Invitation.state) == state, col(Invitation.expires_at) < cutoff
    )
