"""The circuit breaker: when delivery is paused, probed, and goes on.

A workspace, a zoom app's queue and an endpoint each have an `OpenCircuit` row while
something is wrong, shared by all workers. The first half of this module is the rule and
is pure; the second half stores it.

| Recall                          | our test | workspace      | zoom app | webhook |
| ------------------------------- | -------- | -------------- | -------- | ------- |
| 2xx                             |          | fine           | fine     | delivered |
| 402, 3xx                        |          | paused         |          | waits   |
| 429                             |          | paused         |          | retried |
| 408, 5xx, a page, no answer     |          | paused after 5 |          | retried |
| 409                             |          | fine           |          | retried |
| 400, 401, 403, 422: too early   |          | fine           |          | waits   |
| 400, 401, 403, 422: unproven    |          | fine           | paused   | waits   |
| any other                       | rejected | fine           | paused   | waits   |
| any other                       | one of the first four | as there | | retried |
| any other                       | passed   | fine           | fine     | refused |
| 401, 403: former                | passed   | fine           | fine     | failed  |
| not sent: it can't be opened    |          |                |          | waits   |

"A page" is HTML under any status, 2xx too: Recall never answers in HTML. "Our test" is
a signed test request, sent when an answer would be final (`sending.SignedTests`).
"Too early" is signed with a secret token that Recall has not been given yet,
"unproven" with the former one while Zoom was not seen using Recall's
(`receiver.keyring.signed_with`), "former" with one that Zoom has left, so nobody can
fix it. "After 5" counts first attempts that failed with no
success between them: each webhook counts once, so one that Recall always answers with
500 does not pause the others.

"Retried" follows the schedule, and fails at its end if Recall passes a test then.
"Refused" is tried once more after an hour, and fails if Recall refuses it again and
passes the test. "Waits" does not count towards giving up; only the retention period
ends it.

While delivery is paused, one webhook at a time is sent as a probe. A probe that fails
puts its own webhook behind, so the next probe is another webhook. The first probe that
succeeds closes the circuit and makes due what waits, oldest first. A zoom app's first
probe follows at once: if Recall rejects only one webhook, the queue is paused only that
long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Row,
    Select,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlmodel import Session, SQLModel, col

from dashboard.db import announce
from dashboard.db.columns import UtcDateTime
from dashboard.db.statements import insert, rows_changed
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.relay.answers import Signal
from dashboard.services.relay.queues import DELIVERY, REDELIVERY, WEBHOOK, is_waiting
from dashboard.services.relay.sending import Claimed, Result
from dashboard.services.validation import schedule

STRIKES = 5
WAITS_S = {
    CircuitKind.WORKSPACE: (1, 2, 5, 10, 20, 30),
    CircuitKind.ZOOM_APP: (0, 5, 15, 30, 60),
    CircuitKind.ENDPOINT: (1, 5, 15, 30, 60, 300),
}
"""Seconds before the first, second, ... probe; the last one repeats."""

LONGEST_ASKED_S = 600.0
"""The longest that a `Retry-After` of Recall delays the next probe."""

_ASKED_TO_STOP = {402, 429, *range(300, 400)}


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitState:
    """The columns of an `OpenCircuit`."""

    id: UUID
    kind: CircuitKind
    failures: int = 0
    is_holding: bool = False
    reason: str = ""
    status: int | None = None
    since: datetime
    probe_at: datetime
    probes: int = 0


def next_state(
    state: CircuitState | None,
    result: Result[Claimed],
    *,
    kind: CircuitKind,
    now: datetime,
) -> CircuitState | None:
    """Return the state of a workspace's or zoom app's circuit; None: closed.

    Args:
        state: Before it.
        result: The attempt.
        kind: Which of the two is asked about.
        now: When it is stored.
    """
    delivery, classification = result.delivery, result.classification
    is_app = kind is CircuitKind.ZOOM_APP
    signal = classification.zoom_app if is_app else classification.workspace
    if signal is Signal.FINE:
        return state if _is_from_before(state, result) else None
    if state is not None and state.is_holding:
        return _after_probe(_with_reason(state, result, signal), result, now)
    if signal is Signal.NONE or (signal is Signal.DOWN and delivery.attempts):
        return state
    if state is None or signal is Signal.STOP:
        its_id = next(key for key, its in delivery.circuits.items() if its is kind)
        state = CircuitState(id=its_id, kind=kind, since=now, probe_at=now)
    known = _with_reason(state, result, signal)
    if signal is Signal.DOWN and known.failures < STRIKES:
        return known
    probe_at = _next_probe_at(known, classification.retry_after_s, now)
    return replace(known, is_holding=True, probe_at=probe_at)


def _with_reason(
    state: CircuitState, result: Result[Claimed], signal: Signal
) -> CircuitState:
    if signal is Signal.NONE:
        return state
    return replace(
        state,
        failures=state.failures + 1,
        reason=f"{result.classification.sentence}."[:500],
        status=result.status,
    )


def _after_probe(
    state: CircuitState, result: Result[Claimed], now: datetime
) -> CircuitState:
    """Return it with its next probe, if this was one; others were sent before."""
    retry_after_s = result.classification.retry_after_s
    if state.id in result.delivery.probes:
        return replace(state, probe_at=_next_probe_at(state, retry_after_s, now))
    if retry_after_s is None:
        return state
    asked_at = now + timedelta(seconds=min(retry_after_s, LONGEST_ASKED_S))
    return replace(state, probe_at=max(state.probe_at, asked_at))


def _next_probe_at(
    state: CircuitState, retry_after_s: float | None, now: datetime
) -> datetime:
    waits = WAITS_S[state.kind]
    wait_s = float(waits[min(state.probes, len(waits) - 1)])
    return now + timedelta(
        seconds=max(wait_s, min(retry_after_s or 0.0, LONGEST_ASKED_S))
    )


def _is_from_before(state: CircuitState | None, result: Result[Claimed]) -> bool:
    """Whether it was sent before Recall asked us to stop, so it proves nothing."""
    return (
        state is not None
        and state.is_holding
        and state.status in _ASKED_TO_STOP
        and result.started_at < state.since
    )


_CIRCUIT = SQLModel.metadata.tables[str(OpenCircuit.__tablename__)]


@dataclass(frozen=True, kw_only=True)
class PausedDelivery:
    """A paused workspace or zoom app.

    Attributes:
        waiting: Webhooks and resends, counted up to the caller's bound.
    """

    state: CircuitState
    waiting: int


def record(
    session: Session, results: Sequence[Result[Claimed]], *, now: datetime
) -> None:
    """Store what attempts say about workspaces and zoom apps; the caller commits.

    Where a circuit closes after a failed probe, what waits is due at once.
    """
    kinds: dict[UUID, CircuitKind] = {}
    for each in results:
        kinds |= each.delivery.circuits
    _begin(session, results, now)
    before = _states(session, kinds)
    after_all = dict(before)
    for each in sorted(results, key=lambda result: result.ended_at):
        for its_id in each.delivery.circuits:
            after = next_state(after_all.get(its_id), each, kind=kinds[its_id], now=now)
            if after is None:
                after_all.pop(its_id, None)
            else:
                after_all[its_id] = after
    for its_id in sorted(before):
        _store(session, before[its_id], after_all.get(its_id), now=now)


def claim_probes(
    session: Session, ids: Iterable[UUID], *, until: datetime, now: datetime
) -> bool:
    """Claim the next probe of each of these circuits; the caller commits.

    Args:
        session: Writing.
        ids: Of open circuits that seemed to be due a probe.
        until: When the lease ends: the probe of a worker that died is free then.
        now: Aware.

    Returns:
        Whether all of them were free; otherwise nothing is changed.
    """
    ids = sorted(ids)
    due = and_(
        _CIRCUIT.c.id.in_(ids), _CIRCUIT.c.is_holding, _CIRCUIT.c.probe_at <= now
    )
    free = (
        session.connection()
        .execute(
            select(_CIRCUIT.c.id)
            .where(due)
            .order_by(_CIRCUIT.c.id)
            .with_for_update(skip_locked=True)
        )
        .all()
    )
    if len(free) < len(ids):
        return False
    session.connection().execute(
        update(_CIRCUIT)
        .where(_CIRCUIT.c.id.in_(ids))
        .values(probe_at=until, probes=_CIRCUIT.c.probes + 1)
    )
    return True


def probe_now(
    session: Session,
    *,
    now: datetime,
    zoom_app_id: UUID | None = None,
    workspace_id: UUID | None = None,
) -> None:
    """Probe at once what a person may have fixed; the caller commits.

    Args:
        session: Writing.
        now: Aware.
        zoom_app_id: The zoom app whose secret token or Recall record changed.
        workspace_id: The workspace that changed.
    """
    its_id = zoom_app_id or workspace_id
    found = session.connection().execute(
        update(_CIRCUIT)
        .where(_CIRCUIT.c.id == its_id, _CIRCUIT.c.is_holding)
        .values(probe_at=now, probes=0)
    )
    if its_id is not None and rows_changed(found):
        make_due(session, its_id, now=now)
        announce(session.connection())


def make_due(session: Session, its_id: UUID, *, now: datetime) -> None:
    """Make due what waits there for a retry, oldest first; the caller commits.

    Rows under a lease stay as they are.

    Args:
        session: Writing.
        its_id: Of the zoom app, the workspace or the endpoint.
        now: Aware.
    """
    apps = _apps(its_id)
    for table, due_at, is_its in (
        (WEBHOOK, WEBHOOK.c.received_at, WEBHOOK.c.zoom_app_id.in_(apps)),
        (
            REDELIVERY,
            literal(now, UtcDateTime),
            REDELIVERY.c.zoom_app_id.in_(apps),
        ),
        (DELIVERY, DELIVERY.c.made_at, DELIVERY.c.endpoint_id == its_id),
    ):
        behind = (
            select(table.c.id)
            .where(
                is_waiting(table),
                is_its,
                table.c.due_at > now,
                table.c.lease_until.is_(None),
            )
            .with_for_update(skip_locked=True)
        )
        session.connection().execute(
            update(table).where(table.c.id.in_(behind)).values(due_at=due_at)
        )


def list_paused(session: Session, *, at_most: int) -> list[PausedDelivery]:
    """Return what waits for Recall and is paused, the longest paused first.

    Args:
        session: Reading.
        at_most: So many are counted of what waits.
    """
    query = (
        select(_CIRCUIT)
        .where(_CIRCUIT.c.is_holding, _CIRCUIT.c.kind != CircuitKind.ENDPOINT)
        .order_by(_CIRCUIT.c.since)
    )
    found = [
        PausedDelivery(state=_state(row), waiting=_waiting(session, row.id, at_most))
        for row in session.connection().execute(query).all()
    ]
    return [paused for paused in found if paused.waiting]


def _begin(session: Session, results: Sequence[Result[Claimed]], now: datetime) -> None:
    """Insert the rows that may be needed, so that two workers count in the same one."""
    rows: dict[UUID, CircuitKind] = {}
    for each in results:
        is_first = each.delivery.attempts == 0
        for its_id, kind in each.delivery.circuits.items():
            is_app = kind is CircuitKind.ZOOM_APP
            said = each.classification
            signal = said.zoom_app if is_app else said.workspace
            if signal is Signal.STOP or (
                signal is Signal.DOWN and is_first and not is_app
            ):
                rows[its_id] = kind
    for its_id, kind in sorted(rows.items()):
        fresh = CircuitState(id=its_id, kind=kind, since=now, probe_at=now)
        session.connection().execute(
            insert(session, _CIRCUIT).values(**asdict(fresh)).on_conflict_do_nothing()
        )


def _states(session: Session, ids: Iterable[UUID]) -> dict[UUID, CircuitState]:
    """Return those of these IDs that exist, locked, in the order of IDs."""
    query = (
        select(_CIRCUIT)
        .where(_CIRCUIT.c.id.in_(ids))
        .order_by(_CIRCUIT.c.id)
        .with_for_update()
    )
    rows = session.connection().execute(query)
    return {row.id: _state(row) for row in rows}


def _store(
    session: Session,
    before: CircuitState,
    after: CircuitState | None,
    *,
    now: datetime,
) -> None:
    this = _CIRCUIT.c.id == before.id
    if after is None:
        session.connection().execute(delete(_CIRCUIT).where(this))
        if before.is_holding and before.probes > 1:
            make_due(session, before.id, now=now)
        if before.is_holding and before.kind is CircuitKind.ZOOM_APP:
            # The evidence that it was rejected stands until it is tested again.
            schedule.make_due(session, before.id, now=now)
    elif after != before:
        values = asdict(after)
        session.connection().execute(update(_CIRCUIT).where(this).values(**values))


def _waiting(session: Session, its_id: UUID, at_most: int) -> int:
    some = union_all(
        *(
            select(queue.c.id.label("id"))
            .where(is_waiting(queue), queue.c.zoom_app_id.in_(_apps(its_id)))
            .limit(at_most)
            .subquery()
            .select()
            for queue in (WEBHOOK, REDELIVERY)
        )
    ).subquery()
    counted = session.connection().execute(select(func.count()).select_from(some))
    return min(counted.scalar_one(), at_most)


def _apps(its_id: UUID) -> Select[Any]:
    """Return the zoom app of this id, or the zoom apps of this workspace."""
    return select(col(ZoomApp.id)).where(
        or_(col(ZoomApp.id) == its_id, col(ZoomApp.workspace_id) == its_id)
    )


def _state(row: Row[Any]) -> CircuitState:
    return CircuitState(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
