from datetime import timedelta
from uuid import UUID

from sqlmodel import select

from dashboard.clients.delivery import Answer, Failure
from dashboard.db import Database
from dashboard.models.check import Check, Finding
from dashboard.models.webhook import Outcome
from dashboard.services.relay.retries import WAITS_S
from tests.fixtures.delivery import (
    BUSY,
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


def test_what_recall_took_is_delivered_with_its_attempt(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [delivery] = take(database)

    kept = record(database, tried(delivery), now=NOON + timedelta(seconds=1))

    webhook = find(database, webhook_id)
    [attempt] = attempts(database, webhook_id)
    assert kept == 1
    assert webhook.outcome is Outcome.DELIVERED
    assert webhook.delivered_at == NOON + timedelta(seconds=1)
    assert webhook.lease_until is None
    assert (attempt.claim, attempt.status, attempt.latency_ms) == (1, 200, 12.5)
    assert attempt.sent_sha256.startswith("44136fa355b3678a")


def test_the_oldest_due_comes_first_and_what_is_not_due_stays(
    database: Database, add: Add
) -> None:
    late = add(due_at=NOON - timedelta(minutes=1))
    early = add(due_at=NOON - timedelta(hours=1))
    add(due_at=NOON + timedelta(seconds=1))
    for outcome in (Outcome.DELIVERED, Outcome.DEAD, Outcome.KEPT):
        add(outcome=outcome)

    taken = take(database)

    assert [each.webhook_id for each in taken] == [early, late]


def test_a_busy_recall_is_asked_again_in_seconds_then_hours(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [delivery] = take(database)

    record(database, tried(delivery, BUSY))

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.WAITING
    assert timedelta(seconds=1) <= webhook.due_at - NOON <= timedelta(seconds=2)
    assert "503" in webhook.outcome_reason
    assert attempts(database, webhook_id)[0].answer == "<h1>503</h1>"


def test_after_a_day_it_is_dead_and_says_what_was_last_seen(
    database: Database, add: Add
) -> None:
    webhook_id = add(attempts=len(WAITS_S))
    [delivery] = take(database)

    record(database, tried(delivery, Answer(failure=Failure.DNS)))

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.DEAD
    assert "23 attempts in 24 hours" in webhook.outcome_reason
    assert "host name could not be resolved" in webhook.outcome_reason


def test_a_final_answer_is_dead_at_once_with_recalls_words(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [delivery] = take(database)

    record(database, tried(delivery, Answer(status=400, body=b'{"detail":"too old"}')))

    assert find(database, webhook_id).outcome is Outcome.DEAD
    assert attempts(database, webhook_id)[0].answer == '{"detail":"too old"}'


def test_a_refused_signature_says_who_mends_it_and_goes_on_trying(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [delivery] = take(database)

    record(database, tried(delivery, Answer(status=401)))

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.WAITING
    assert "An admin saves the secret token again" in webhook.outcome_reason


def test_what_recall_said_of_its_secret_becomes_evidence(
    database: Database, add: Add, app_id: UUID
) -> None:
    webhook_id = add(event="endpoint.url_validation")
    [delivery] = take(database)
    said = (Finding.SECRET_MISMATCH, "Recall holds another secret token.")

    record(database, tried(delivery, challenge=said))

    with database.reading() as session:
        check = session.exec(select(Check)).one()
    assert (check.finding, check.detail) == said
    assert (check.webhook_id, check.zoom_app_id) == (webhook_id, app_id)
