"""Stores the results of attempts, each under its own claim only.

The rows are the queue. The lease of a worker that died expires, and every write-back is
conditional on the claim counter, so a late worker changes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard
from uuid import UUID

from sqlalchemy import Table, bindparam, func, insert, null, select, update
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from dashboard.db.columns import UtcDateTime
from dashboard.models.check import Check, Source
from dashboard.models.endpoint import Endpoint, EndpointAttempt
from dashboard.models.ids import new_id
from dashboard.models.webhook import Attempt, Outcome
from dashboard.services.events import WebhookDead, outbox
from dashboard.services.relay import circuit, retries
from dashboard.services.relay.answers import Next
from dashboard.services.relay.queues import DELIVERY, REDELIVERY, WEBHOOK
from dashboard.services.relay.sending import Claimed, Delivery, Result
from dashboard.services.validation import evidence


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


_CHECK = _table(Check)
_KEPT_TOO_LONG = "Given up after {days} days, the retention period."
_SAID_AGAIN_AFTER = timedelta(minutes=5)
PAUSED_AFTER = timedelta(days=5)
"""An endpoint at which nothing succeeded for so long is paused."""

_ADD_ATTEMPTS = insert(_table(Attempt))
_ADD_ENDPOINT_ATTEMPTS = insert(_table(EndpointAttempt))
_QUEUES = (WEBHOOK, REDELIVERY, DELIVERY)
_NEW_ENDED_AT = bindparam("new_ended_at", type_=UtcDateTime)
_ENDED: dict[Table, dict[str, Any]] = {
    WEBHOOK: {"delivered_at": func.coalesce(WEBHOOK.c.delivered_at, _NEW_ENDED_AT)},
    REDELIVERY: {"ended_at": _NEW_ENDED_AT},
    DELIVERY: {"ended_at": _NEW_ENDED_AT},
}
_DELIVER = {
    queue: update(queue)
    .where(queue.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        outcome=Outcome.DELIVERED.value,
        outcome_reason=bindparam("new_reason"),
        attempts=queue.c.attempts + 1,
        due_at=_NEW_ENDED_AT,
        lease_until=null(),
        **_ENDED[queue],
    )
    for queue in _QUEUES
}
_CHANGE = {
    queue: update(queue)
    .where(queue.c.id == bindparam("its_id"))
    .values(
        outcome=bindparam("new_outcome"),
        outcome_reason=bindparam("new_reason"),
        attempts=bindparam("new_attempts"),
        refused_at=bindparam("new_refused_at", type_=UtcDateTime),
        due_at=bindparam("new_due_at"),
        lease_until=null(),
        **({} if queue is WEBHOOK else {"ended_at": _NEW_ENDED_AT}),
    )
    for queue in _QUEUES
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """What becomes of the claimed row.

    Attributes:
        reason: A sentence.
        due_at: Of the next attempt, or of the end.
        refused_at: When Recall first rejected it alone, if ever.
    """

    outcome: Outcome
    reason: str
    attempts: int
    due_at: datetime
    refused_at: datetime | None = None


def store(
    session: Session,
    results: Sequence[Result[Claimed]],
    *,
    now: datetime,
    retention: timedelta,
) -> int:
    """Write results back; the caller commits. May be called again after a rollback.

    A result whose claim is no longer the row's changes nothing. One of a resend that
    was cancelled meanwhile adds its attempt, for it was made, and changes nothing else.

    Args:
        session: Writing.
        results: Of different rows.
        now: Aware; the next attempts are counted from here.
        retention: How long after its arrival a webhook is tried that a person can
            fix.

    Returns:
        How many still had their claim.
    """
    attempts: list[dict[str, Any]] = []
    counted: list[Result[Claimed]] = []
    ordered = sorted(results, key=lambda result: result.delivery.row_id)
    for queue in _QUEUES:
        of_queue = [each for each in ordered if each.delivery.queue is queue]
        if not of_queue:
            continue
        outcomes = _outcomes(session, queue, of_queue)
        changes: list[tuple[Result[Claimed], _Change]] = []
        for each in of_queue:
            outcome = outcomes.get((each.delivery.row_id, each.delivery.claim))
            if outcome is None:
                continue
            its_change = _change(each, now=now, retention=retention)
            attempts.append(_attempt(each, verdict=its_change.reason))
            if outcome == Outcome.WAITING:
                changes.append((each, its_change))
        _write(session, queue, changes, now)
        counted += [each for each, _ in changes]
    _add_attempts(session, attempts)
    if counted:
        circuit.record(session, counted, now=now)
    to_recall = [each for each in counted if is_for_recall(each)]
    for each in to_recall:
        _record_check(session, each)
    _record_tests(session, to_recall, now=now)
    return len(counted)


def _add_attempts(session: Session, attempts: Sequence[dict[str, Any]]) -> None:
    for key, statement in (
        ("webhook_id", _ADD_ATTEMPTS),
        ("delivery_id", _ADD_ENDPOINT_ATTEMPTS),
    ):
        some = [each for each in attempts if key in each]
        if some:
            session.connection().execute(statement, some)


def is_for_recall(result: Result[Claimed]) -> TypeGuard[Result[Delivery]]:
    """Whether it was sent to Recall, not to an endpoint of the customer's."""
    return isinstance(result.delivery, Delivery)


def _outcomes(
    session: Session, queue: Table, results: Sequence[Result[Claimed]]
) -> dict[tuple[int, int], str]:
    """Return the outcome of each row by its id and claim, and lock the rows."""
    rows = session.connection().execute(
        select(queue.c.id, queue.c.claim, queue.c.outcome)
        .where(queue.c.id.in_([each.delivery.row_id for each in results]))
        .order_by(queue.c.id)
        .with_for_update()
    )
    return {(row_id, claim): outcome for row_id, claim, outcome in rows}


def _write(
    session: Session,
    queue: Table,
    changes: Sequence[tuple[Result[Claimed], _Change]],
    now: datetime,
) -> None:
    """Write the rows; those that were accepted, nearly all, by one statement each."""
    taken: defaultdict[str, list[int]] = defaultdict(list)
    others: list[dict[str, Any]] = []
    for each, its_change in changes:
        if its_change.outcome is Outcome.DELIVERED:
            taken[its_change.reason].append(each.delivery.row_id)
            continue
        is_over = its_change.outcome is not Outcome.WAITING
        values = {
            "its_id": each.delivery.row_id,
            "new_outcome": its_change.outcome.value,
            "new_reason": its_change.reason,
            "new_attempts": its_change.attempts,
            "new_refused_at": its_change.refused_at,
            "new_due_at": its_change.due_at,
        }
        if queue is not WEBHOOK:
            values["new_ended_at"] = now if is_over else None
        others.append(values)
    connection = session.connection()
    for reason, ids in taken.items():
        values = {"ids": ids, "new_reason": reason, "new_ended_at": now}
        connection.execute(_DELIVER[queue], values)
    if others:
        connection.execute(_CHANGE[queue], others)
    if queue is REDELIVERY:
        _set_delivered_at(session, changes, now)
    if queue is WEBHOOK:
        _record_dead(session, changes, now)
    if queue is DELIVERY:
        _note_endpoints(session, changes, now)


def _set_delivered_at(
    session: Session, changes: Sequence[tuple[Result[Claimed], _Change]], now: datetime
) -> None:
    """Fill in when Recall first accepted a webhook; its own outcome stays."""
    taken = [
        each.delivery.webhook_id
        for each, its_change in changes
        if is_for_recall(each) and its_change.outcome is Outcome.DELIVERED
    ]
    if taken:
        session.connection().execute(
            update(WEBHOOK)
            .where(WEBHOOK.c.id.in_(taken), WEBHOOK.c.delivered_at.is_(None))
            .values(delivered_at=now)
        )


def _record_dead(
    session: Session, changes: Sequence[tuple[Result[Claimed], _Change]], now: datetime
) -> None:
    """Record an event of each webhook that is given up."""
    for each, its_change in changes:
        if is_for_recall(each) and its_change.outcome is Outcome.DEAD:
            said = WebhookDead(
                zoom_app_id=each.delivery.zoom_app_id,
                webhook_id=str(each.delivery.webhook_id),
                event=each.delivery.event,
                reason=its_change.reason,
            )
            outbox.record(session, said, at=now)


def _note_endpoints(
    session: Session, changes: Sequence[tuple[Result[Claimed], _Change]], now: datetime
) -> None:
    """Note since when endpoints fail; one that has for days is paused."""
    newest: dict[UUID, bool] = {}
    for each, its_change in sorted(changes, key=lambda pair: pair[0].ended_at):
        is_delivered = its_change.outcome is Outcome.DELIVERED
        newest |= dict.fromkeys(each.delivery.circuits, is_delivered)
    query = select_rows(Endpoint).where(col(Endpoint.id).in_(sorted(newest)))
    # In order of id, so that two workers cannot wait for each other.
    for row in session.exec(query.order_by(col(Endpoint.id)).with_for_update()):
        if newest[row.id]:
            row.failing_since, row.delivered_at = None, now
        elif row.failing_since is None:
            row.failing_since = now
        elif row.paused_at is None and now - row.failing_since >= PAUSED_AFTER:
            row.paused_at, row.paused_by = now, ""
        session.add(row)
    session.flush()


def _record_check(session: Session, result: Result[Delivery]) -> None:
    """Store what Recall's answer to a validation request says as evidence."""
    if result.challenge is None:
        return
    finding, detail = result.challenge
    evidence.record(
        session,
        zoom_app_id=result.delivery.zoom_app_id,
        source=Source.RECALL_CHALLENGE,
        finding=finding,
        detail=detail,
        took_ms=result.latency_ms,
        webhook_id=result.delivery.webhook_id,
        at=result.started_at,
    )


def _record_tests(
    session: Session, results: Sequence[Result[Delivery]], *, now: datetime
) -> None:
    """Store what test requests showed as evidence, unless it is known already."""
    newest = {
        each.delivery.zoom_app_id: each.tested
        for each in sorted(results, key=lambda result: result.ended_at)
        if each.tested is not None
    }
    for zoom_app_id, tested in newest.items():
        query = select(_CHECK.c.detail, _CHECK.c.at).where(
            _CHECK.c.zoom_app_id == zoom_app_id,
            _CHECK.c.source == Source.RECALL_PROBE,
        )
        last = (
            session.connection()
            .execute(query.order_by(_CHECK.c.id.desc()).limit(1))
            .first()
        )
        is_known = last is not None and last.detail == tested.detail[:300]
        if last is not None and is_known and now - last.at < _SAID_AGAIN_AFTER:
            continue
        evidence.record(
            session,
            zoom_app_id=zoom_app_id,
            source=Source.RECALL_PROBE,
            finding=tested.finding,
            detail=tested.detail,
            took_ms=tested.took_ms,
            at=now,
        )


def _change(result: Result[Claimed], *, now: datetime, retention: timedelta) -> _Change:
    """Return what becomes of the row: delivered, due again or failed.

    Nothing fails while a person or time can still fix it: only what Recall does not
    accept while it passes our signed test, or what is older than the retention period.

    Args:
        result: What came of the attempt.
        now: Aware; the next attempt is counted from here.
        retention: How long after its arrival a webhook is tried that a person can
            fix.
    """
    delivery, classification = result.delivery, result.classification
    reason = f"{classification.sentence}."
    attempts, refused_at = delivery.attempts + 1, delivery.refused_at
    is_passed = result.tested is not None and result.tested.is_passed
    is_own = not is_for_recall(result)  # then the schedule's end is the end
    outcome, next_due, given_up = Outcome.WAITING, now, ""
    match classification.next:
        case Next.DELIVERED:
            outcome = Outcome.DELIVERED
        case Next.DEAD:
            outcome = Outcome.DEAD
        case Next.REFUSED:
            attempts, refused_at = delivery.attempts, refused_at or now
            next_due = refused_at + retries.REFUSED_AGAIN_AFTER
            given_up = "Given up after an hour." if next_due <= now else ""
        case Next.RETRY if due_at := retries.next_due(
            attempts,
            row_id=delivery.row_id,
            now=now,
            retry_after_s=classification.retry_after_s,
        ):
            next_due = due_at
        case Next.RETRY if is_passed or is_own:
            given_up = f"Given up after {retries.in_words()}."
        case _:
            if classification.next is Next.WAIT:
                attempts = delivery.attempts
            next_due = retries.next_due_when_fixable(delivery.claim, now=now)
            if now - delivery.received_at >= retention:
                given_up = _KEPT_TOO_LONG.format(days=retention.days)
    if given_up:
        outcome, next_due = Outcome.DEAD, now
    return _Change(
        outcome=outcome,
        reason=f"{given_up} {reason}".strip()[:500],
        attempts=attempts,
        due_at=next_due,
        refused_at=refused_at,
    )


def _attempt(result: Result[Claimed], *, verdict: str) -> dict[str, Any]:
    """Return the column values of its `Attempt`, or of its `EndpointAttempt`."""
    delivery = result.delivery
    values = {
        "id": new_id(result.started_at),
        "claim": delivery.claim,
        "worker": delivery.worker,
        "started_at": result.started_at,
        "latency_ms": result.latency_ms,
        "status": result.status,
        "answer": result.answer,
        "verdict": verdict,
        "sent_sha256": result.sent_sha256,
        "sent_bytes": result.sent_bytes,
    }
    if is_for_recall(result):
        return values | {
            "webhook_id": result.delivery.webhook_id,
            "redelivery_id": result.delivery.redelivery_id,
            "headers_passed": result.headers_passed,
        }
    return values | {"delivery_id": delivery.row_id}
