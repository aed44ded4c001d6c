from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard.clients.delivery import Answer, Failure
from dashboard.db import Database
from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import Outcome
from dashboard.services.relay import circuit
from dashboard.services.relay.answers import SignedTest
from dashboard.services.relay.retries import WAITS_S
from tests.fixtures.delivery import (
    BUSY,
    FAILED,
    PASSED,
    RETENTION,
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


def test_after_a_day_it_is_dead_if_recall_passes_a_test(
    database: Database, add: Add
) -> None:
    webhook_id = add(attempts=len(WAITS_S))
    [delivery] = take(database)

    record(database, tried(delivery, Answer(failure=Failure.DNS), tested=PASSED))

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.DEAD
    assert "23 attempts in 24 hours" in webhook.outcome_reason
    assert "host name could not be resolved" in webhook.outcome_reason


@pytest.mark.parametrize("tested", [None, FAILED], ids=["untested", "failed"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(failure=Failure.DNS),
        Answer(failure=Failure.TLS),
        Answer(failure=Failure.ADDRESS),
        Answer(status=503),
        Answer(status=429),
        Answer(status=200, body=b"<html>Log in"),
        Answer(status=403, body=b"<html>Blocked"),
    ],
    ids=str,
)
def test_while_recall_passes_no_test_nothing_is_given_up_before_the_retention(
    database: Database, add: Add, answer: Answer, tested: SignedTest | None
) -> None:
    webhook_id = add(attempts=len(WAITS_S))
    [delivery] = take(database)

    record(database, tried(delivery, answer, tested=tested))
    waits = find(database, webhook_id)
    [again] = take(database, NOON + RETENTION)
    record(database, tried(again, answer, tested=tested), now=NOON + RETENTION)

    assert waits.outcome is Outcome.WAITING
    assert waits.due_at > NOON
    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.DEAD
    assert webhook.outcome_reason.startswith("Given up after 30 days")


REFUSED = Answer(status=400, body=b'{"detail":"too old"}')
HOUR = timedelta(hours=1)


def test_what_recall_refuses_alone_fails_only_when_it_does_so_again_after_an_hour(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [delivery] = take(database)
    record(database, tried(delivery, REFUSED, tested=PASSED))
    first = find(database, webhook_id)
    too_early = take(database, NOON + HOUR - timedelta(seconds=1))
    [again] = take(database, NOON + HOUR)

    record(database, tried(again, REFUSED, tested=PASSED), now=NOON + HOUR)

    assert (first.outcome, first.due_at) == (Outcome.WAITING, NOON + HOUR)
    assert too_early == []
    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.DEAD
    assert webhook.outcome_reason == (
        "Given up after an hour. Recall rejected this webhook (400), but passed our "
        "signed test."
    )
    assert attempts(database, webhook_id)[0].answer == '{"detail":"too old"}'


def test_a_second_refusal_before_the_hour_is_over_is_not_final(
    database: Database, add: Add, app_id: UUID
) -> None:
    webhook_id = add()
    [delivery] = take(database)
    record(database, tried(delivery, REFUSED, tested=PASSED))
    with database.writing() as session:
        circuit.make_due(session, app_id, now=NOON)
    soon = NOON + timedelta(minutes=59)
    [again] = take(database, soon)

    record(database, tried(again, REFUSED, tested=PASSED), now=soon)

    webhook = find(database, webhook_id)
    assert (webhook.outcome, webhook.due_at) == (Outcome.WAITING, NOON + HOUR)


@pytest.mark.parametrize("meanwhile", [Answer(status=503), Answer(status=200)], ids=str)
def test_what_is_refused_once_and_then_taken_is_delivered(
    database: Database, add: Add, meanwhile: Answer
) -> None:
    webhook_id = add()
    [delivery] = take(database)
    record(database, tried(delivery, REFUSED, tested=PASSED))
    later = NOON + 2 * HOUR
    for answer in (meanwhile, Answer(status=200)):
        for each in take(database, later):
            record(database, tried(each, answer), now=later)
        later += HOUR

    assert find(database, webhook_id).outcome is Outcome.DELIVERED


def test_what_a_test_shows_becomes_evidence_once(
    database: Database, add: Add, app_id: UUID
) -> None:
    for _ in range(3):
        add()
    results = [tried(each, REFUSED, tested=FAILED) for each in take(database)]

    record(database, *results[:2])
    record(database, results[2], now=NOON + timedelta(seconds=1))

    with database.reading() as session:
        [check] = session.exec(select(Check)).all()
    assert (check.zoom_app_id, check.source) == (app_id, Source.RECALL_PROBE)
    assert check.finding is Finding.SECRET_MISMATCH


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
