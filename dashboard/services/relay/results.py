"""Stores the results of attempts, each under its own claim only.

The rows are the queue. The lease of a worker that died expires, and every write-back is
conditional on the claim counter, so a late worker changes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Table, bindparam, func, insert, null, select, update
from sqlmodel import Session, SQLModel

from dashboard.db.columns import UtcDateTime
from dashboard.models.check import Check, Source
from dashboard.models.ids import new_id
from dashboard.models.webhook import Attempt, Outcome
from dashboard.services.relay import circuit, retries
from dashboard.services.relay.answers import Next
from dashboard.services.relay.queues import REDELIVERY, WEBHOOK
from dashboard.services.relay.sending import Result
from dashboard.services.validation import evidence


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


_CHECK = _table(Check)
_KEPT_TOO_LONG = "Given up after {days} days, the retention period."
_SAID_AGAIN_AFTER = timedelta(minutes=5)
_ADD_ATTEMPTS = insert(_table(Attempt))
_NEW_ENDED_AT = bindparam("new_ended_at", type_=UtcDateTime)
_ENDED: dict[Table, dict[str, Any]] = {
    WEBHOOK: {"delivered_at": func.coalesce(WEBHOOK.c.delivered_at, _NEW_ENDED_AT)},
    REDELIVERY: {"ended_at": _NEW_ENDED_AT},
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
    for queue in (WEBHOOK, REDELIVERY)
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
        **({"ended_at": _NEW_ENDED_AT} if queue is REDELIVERY else {}),
    )
    for queue in (WEBHOOK, REDELIVERY)
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
    session: Session, results: Sequence[Result], *, now: datetime, retention: timedelta
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
    counted: list[Result] = []
    ordered = sorted(results, key=lambda result: result.delivery.row_id)
    for queue in (WEBHOOK, REDELIVERY):
        of_queue = [each for each in ordered if _queue(each) is queue]
        if not of_queue:
            continue
        outcomes = _outcomes(session, queue, of_queue)
        changes: list[tuple[Result, _Change]] = []
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
    if attempts:
        session.connection().execute(_ADD_ATTEMPTS, attempts)
    if counted:
        circuit.record(session, counted, now=now)
    for each in counted:
        _record_check(session, each)
    _record_tests(session, counted, now=now)
    return len(counted)


def _queue(result: Result) -> Table:
    return WEBHOOK if result.delivery.redelivery_id is None else REDELIVERY


def _outcomes(
    session: Session, queue: Table, results: Sequence[Result]
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
    changes: Sequence[tuple[Result, _Change]],
    now: datetime,
) -> None:
    """Write the rows; those that Recall accepted, nearly all, by one statement each."""
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
        if queue is REDELIVERY:
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


def _set_delivered_at(
    session: Session, changes: Sequence[tuple[Result, _Change]], now: datetime
) -> None:
    """Fill in when Recall first accepted a webhook; its own outcome stays."""
    taken = [
        each.delivery.webhook_id
        for each, its_change in changes
        if its_change.outcome is Outcome.DELIVERED
    ]
    if taken:
        session.connection().execute(
            update(WEBHOOK)
            .where(WEBHOOK.c.id.in_(taken), WEBHOOK.c.delivered_at.is_(None))
            .values(delivered_at=now)
        )


def _record_check(session: Session, result: Result) -> None:
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
    session: Session, results: Sequence[Result], *, now: datetime
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


def _change(result: Result, *, now: datetime, retention: timedelta) -> _Change:
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
            webhook_id=delivery.webhook_id,
            now=now,
            retry_after_s=classification.retry_after_s,
        ):
            next_due = due_at
        case Next.RETRY if is_passed:
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


def _attempt(result: Result, *, verdict: str) -> dict[str, Any]:
    """Return the column values of its `Attempt`."""
    delivery = result.delivery
    return {
        "id": new_id(result.started_at),
        "webhook_id": delivery.webhook_id,
        "redelivery_id": delivery.redelivery_id,
        "claim": delivery.claim,
        "worker": delivery.worker,
        "started_at": result.started_at,
        "latency_ms": result.latency_ms,
        "status": result.status,
        "answer": result.answer,
        "verdict": verdict,
        "sent_sha256": result.sent_sha256,
        "sent_bytes": result.sent_bytes,
        "headers_passed": result.headers_passed,
    }
