from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.clients.delivery import Answer, Failure
from dashboard.db import Database
from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.check import Check, Finding
from dashboard.models.webhook import Attempt, Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import forwarding
from dashboard.services.deliveries import Delivery, Result, conclude
from dashboard.services.retry_schedule import WAITS_S
from dashboard.vault import Vault
from tests.makers import NOON, a_body, a_webhook, saved_app

TOOK_IT = Answer(status=200, latency_ms=12.5)
BUSY = Answer(status=503, body=b"<h1>503</h1>")

Add = Callable[..., int]


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


@pytest.fixture
def add(database: Database, vault: Vault, app_id: UUID) -> Add:
    def add(**over: Any) -> int:
        with database.writing() as session:
            app = session.get_one(ZoomApp, over.pop("zoom_app_id", app_id))
            webhook = a_webhook(app, **over)
            session.add(webhook)
            session.flush()
            session.add(a_body(vault, webhook))
            return webhook.id

    return add


def take(database: Database, now: datetime = NOON, **over: Any) -> list[Delivery]:
    with database.writing() as session:
        return forwarding.take(session, now=now, limit=over.pop("limit", 10), **over)


def record(database: Database, *results: Result, now: datetime = NOON) -> int:
    with database.writing() as session:
        return forwarding.record(session, results, now=now)


def tried(delivery: Delivery, answer: Answer = TOOK_IT, **over: Any) -> Result:
    values: dict[str, Any] = {"sent": b"{}", "started_at": NOON, "secrets": []}
    return conclude(delivery, answer, **(values | over))


def find(database: Database, webhook_id: int) -> Webhook:
    with database.reading() as session:
        return session.get_one(Webhook, webhook_id)


def attempts(database: Database, webhook_id: int) -> list[Attempt]:
    query = select(Attempt).where(col(Attempt.webhook_id) == webhook_id)
    with database.reading() as session:
        return list(session.exec(query.order_by(col(Attempt.number))))


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
    assert (attempt.number, attempt.status, attempt.latency_ms) == (1, 200, 12.5)
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


def test_a_claimed_webhook_is_not_claimed_again(database: Database, add: Add) -> None:
    add()

    assert len(take(database)) == 1
    assert take(database) == []
    assert take(database, NOON + forwarding.LEASE - timedelta(seconds=1)) == []


def test_a_dead_worker_gives_its_claim_back(database: Database, add: Add) -> None:
    webhook_id = add()
    [lost] = take(database)

    [again] = take(database, NOON + forwarding.LEASE)

    assert (again.webhook_id, again.claim) == (webhook_id, lost.claim + 1)


def test_a_late_worker_changes_nothing(database: Database, add: Add) -> None:
    webhook_id = add()
    [late] = take(database)
    [newer] = take(database, NOON + forwarding.LEASE)
    refused = tried(late, Answer(status=400))

    assert record(database, refused) == 0

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.WAITING
    assert webhook.claim == newer.claim
    assert attempts(database, webhook_id) == []
    assert record(database, tried(newer)) == 1


def test_a_late_worker_changes_nothing_after_a_resend_either(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [late] = take(database)
    [newer] = take(database, NOON + forwarding.LEASE)
    record(database, tried(newer))
    with database.writing() as session:
        forwarding.resend(session, webhook_id, now=NOON)
    take(database)

    assert record(database, tried(late, Answer(status=400))) == 0
    assert find(database, webhook_id).outcome is Outcome.WAITING


def test_many_workers_share_the_work_and_no_webhook_has_two(
    database: Database, add: Add
) -> None:
    ids = [add() for _ in range(30)]

    with ThreadPoolExecutor(6) as pool:
        shares = pool.map(lambda _: take(database, limit=5), range(6))

    taken = [each.webhook_id for share in shares for each in share]
    assert sorted(taken) == sorted(ids)


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
    assert "23 times within 24 hours" in webhook.outcome_reason
    assert "host could not be looked up" in webhook.outcome_reason


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
    assert "An admin saves this zoom app's secret token again" in webhook.outcome_reason


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.DEAD])
def test_a_resent_webhook_is_due_again_and_its_past_stays(
    database: Database, add: Add, outcome: Outcome
) -> None:
    webhook_id = add()
    [delivery] = take(database)
    answer = TOOK_IT if outcome is Outcome.DELIVERED else Answer(status=400)
    record(database, tried(delivery, answer))
    before = find(database, webhook_id)

    with database.writing() as session:
        forwarding.resend(session, webhook_id, now=NOON)
    [again] = take(database)
    record(database, tried(again))

    after = find(database, webhook_id)
    assert before.outcome is outcome
    assert after.outcome is Outcome.DELIVERED
    assert (after.sent_at_s, after.body_sha256) == (
        before.sent_at_s,
        before.body_sha256,
    )
    assert after.claim > before.claim
    assert [each.number for each in attempts(database, webhook_id)] == [1, 2]


@pytest.mark.parametrize("outcome", [Outcome.WAITING, Outcome.KEPT])
def test_what_waits_or_was_only_kept_is_not_resent(
    database: Database, add: Add, outcome: Outcome
) -> None:
    webhook_id = add(outcome=outcome)

    with pytest.raises(ConflictError), database.writing() as session:
        forwarding.resend(session, webhook_id, now=NOON)


def test_an_unknown_webhook_is_not_resent(database: Database) -> None:
    with pytest.raises(NotFoundError), database.writing() as session:
        forwarding.resend(session, 42, now=NOON)


def test_without_a_recall_app_it_waits_and_is_due_once_there_is_one(
    database: Database, vault: Vault, add: Add
) -> None:
    with database.writing() as session:
        other = saved_app(session, vault, recall_app_id=None)
    webhook_id = add(zoom_app_id=other)
    before = take(database)
    with database.writing() as session:
        app = session.get_one(ZoomApp, other)
        app.recall_app_id = UUID(int=5)
        session.add(app)

    after = take(database)

    assert before == []
    assert [each.webhook_id for each in after] == [webhook_id]
    assert after[0].recall_app_id == UUID(int=5)


def test_a_spared_workspace_leaves_room_for_the_others(
    database: Database, vault: Vault, add: Add
) -> None:
    with database.writing() as session:
        other = saved_app(session, vault, client_id="simCother")
    add()
    add(zoom_app_id=other)
    everything = take(database)
    slow = everything[0].workspace_id
    later = NOON + forwarding.LEASE

    spared = take(database, later, spared=[slow])

    assert [each.workspace_id for each in spared] == [everything[1].workspace_id]


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
