"""Resends: deliveries of their own, beside the webhook's first forwarding."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard.clients.delivery import Answer
from dashboard.db import Database
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.ids import new_id
from dashboard.models.resend import (
    Redelivery,
    RedeliveryOutcome,
    Resend,
    ResendState,
)
from dashboard.models.webhook import Outcome, Webhook
from dashboard.services.relay import claims
from dashboard.services.relay.retries import WAITS_S
from dashboard.services.resends import resends
from tests.fixtures.delivery import (
    BUSY,
    PASSED,
    Add,
    add,
    app_id,
    attempts,
    find,
    record,
    take,
    tried,
)
from tests.makers import NOON

__all__ = ["add", "app_id"]

LATER = NOON + timedelta(hours=1)


def enqueue(database: Database, webhook_id: int, app_id: UUID) -> int:
    """Add a resend of one webhook; return its redelivery's id."""
    with database.writing() as session:
        resend = Resend(
            id=new_id(NOON),
            asked_by="admin@example.com",
            asked_at=NOON,
            state=ResendState.SENDING,
        )
        session.add(resend)
        session.flush()
        redelivery = Redelivery(
            id=new_id(NOON),
            resend_id=resend.id,
            webhook_id=webhook_id,
            zoom_app_id=app_id,
            due_at=NOON,
        )
        session.add(redelivery)
        return redelivery.id


def get(database: Database, redelivery_id: int) -> Redelivery:
    with database.reading() as session:
        return session.get_one(Redelivery, redelivery_id)


def facts(webhook: Webhook) -> dict[str, object]:
    return webhook.model_dump(exclude={"delivered_at"})


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.DEAD])
def test_a_resend_is_a_delivery_of_its_own_and_the_original_stays(
    database: Database, add: Add, app_id: UUID, outcome: Outcome
) -> None:
    webhook_id = add(outcome=outcome, attempts=3, claim=7, outcome_reason="Long ago.")
    redelivery_id = enqueue(database, webhook_id, app_id)
    before = find(database, webhook_id)

    [delivery] = take(database)
    kept = record(database, tried(delivery), now=LATER)

    assert kept == 1
    assert (delivery.redelivery_id, delivery.attempts) == (redelivery_id, 0)
    assert facts(find(database, webhook_id)) == facts(before)
    assert find(database, webhook_id).delivered_at == LATER
    redelivery = get(database, redelivery_id)
    assert redelivery.outcome is RedeliveryOutcome.DELIVERED
    assert (redelivery.ended_at, redelivery.attempts) == (LATER, 1)
    [attempt] = attempts(database, webhook_id)
    assert (attempt.redelivery_id, attempt.claim) == (redelivery_id, 1)


def test_when_recall_first_took_a_webhook_stays_as_it_was(
    database: Database, add: Add, app_id: UUID
) -> None:
    webhook_id = add(outcome=Outcome.DELIVERED, delivered_at=NOON)
    enqueue(database, webhook_id, app_id)
    [delivery] = take(database)

    record(database, tried(delivery), now=LATER)

    assert find(database, webhook_id).delivered_at == NOON


def test_webhooks_go_first_and_resends_take_what_room_is_left(
    database: Database, add: Add, app_id: UUID
) -> None:
    resent = add(outcome=Outcome.DELIVERED)
    redelivery_id = enqueue(database, resent, app_id)
    fresh = [add(), add()]

    first = take(database, limit=2)
    then = take(database, limit=2)

    assert [each.webhook_id for each in first] == fresh
    assert [each.redelivery_id for each in then] == [redelivery_id]


def test_where_no_webhook_waits_a_resend_is_the_probe(
    database: Database, add: Add, app_id: UUID
) -> None:
    redelivery_id = enqueue(database, add(outcome=Outcome.DEAD), app_id)
    with database.writing() as session:
        session.add(
            OpenCircuit(
                id=app_id,
                kind=CircuitKind.ZOOM_APP,
                is_holding=True,
                since=NOON,
                probe_at=NOON,
            )
        )

    [probe] = take(database)

    assert (probe.redelivery_id, probe.probes) == (redelivery_id, frozenset({app_id}))


def test_a_busy_recall_is_asked_again_on_the_resends_own_schedule(
    database: Database, add: Add, app_id: UUID
) -> None:
    webhook_id = add(outcome=Outcome.DEAD)
    redelivery_id = enqueue(database, webhook_id, app_id)
    [delivery] = take(database)

    record(database, tried(delivery, BUSY))

    redelivery = get(database, redelivery_id)
    assert redelivery.outcome is RedeliveryOutcome.WAITING
    assert timedelta(seconds=1) <= redelivery.due_at - NOON <= timedelta(seconds=2)
    assert "503" in redelivery.outcome_reason
    assert redelivery.ended_at is None


@pytest.mark.parametrize(
    ("made", "refused_at", "answer"),
    [
        (0, LATER - timedelta(hours=1), Answer(status=400)),
        (len(WAITS_S), None, BUSY),
    ],
    ids=["refused again", "tried for a day"],
)
def test_a_resend_that_fails_for_good_is_dead_alone(  # noqa: PLR0917 - fixtures
    database: Database,
    add: Add,
    app_id: UUID,
    made: int,
    refused_at: datetime | None,
    answer: Answer,
) -> None:
    webhook_id = add(outcome=Outcome.DELIVERED)
    redelivery_id = enqueue(database, webhook_id, app_id)
    with database.writing() as session:
        row = session.get_one(Redelivery, redelivery_id)
        row.attempts, row.refused_at = made, refused_at
    [delivery] = take(database)

    record(database, tried(delivery, answer, tested=PASSED), now=LATER)

    redelivery = get(database, redelivery_id)
    assert redelivery.outcome is RedeliveryOutcome.DEAD
    assert redelivery.ended_at == LATER
    assert find(database, webhook_id).outcome is Outcome.DELIVERED
    assert find(database, webhook_id).delivered_at is None


def test_the_result_of_a_cancelled_resend_only_adds_its_attempt(
    database: Database, add: Add, app_id: UUID
) -> None:
    webhook_id = add(outcome=Outcome.DEAD)
    redelivery_id = enqueue(database, webhook_id, app_id)
    [delivery] = take(database)
    with database.writing() as session:
        row = session.get_one(Redelivery, redelivery_id)
        row.outcome, row.ended_at = RedeliveryOutcome.CANCELLED, NOON
    before = get(database, redelivery_id)

    kept = record(database, tried(delivery), now=LATER)

    assert kept == 0
    assert get(database, redelivery_id) == before
    assert find(database, webhook_id).delivered_at is None
    assert [each.claim for each in attempts(database, webhook_id)] == [1]


def test_a_late_worker_changes_nothing_of_a_resend(
    database: Database, add: Add, app_id: UUID
) -> None:
    webhook_id = add(outcome=Outcome.DEAD)
    redelivery_id = enqueue(database, webhook_id, app_id)
    [late] = take(database)
    [newer] = take(database, NOON + claims.LEASE)

    assert record(database, tried(late, Answer(status=400))) == 0
    assert get(database, redelivery_id).outcome is RedeliveryOutcome.WAITING
    assert attempts(database, webhook_id) == []
    assert record(database, tried(newer)) == 1


def test_sending_one_again_makes_a_resend_of_one(database: Database, add: Add) -> None:
    webhook_id = add(outcome=Outcome.DEAD)

    with database.writing() as session:
        resends.add_one(
            session, webhook_id, resend_id=new_id(NOON), asked_by="ana", now=NOON
        )

    with database.reading() as session:
        [resend] = session.exec(select(Resend)).all()
    assert (resend.state, resend.total) == (ResendState.SENDING, 1)
    assert [each.webhook_id for each in take(database)] == [webhook_id]
