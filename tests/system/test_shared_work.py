"""Two web and two worker processes on one PostgreSQL; one worker is killed at work."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlmodel import col

from dashboard.models.webhook import Outcome, Webhook
from tests.system.chaos import ledger
from tests.system.chaos.balance import balance
from tests.system.chaos.load import Load
from tests.system.chaos.postgresql_stage import PostgresqlStage
from tests.system.chaos.processes import until

EVENTS = 300
PATIENCE_S = 120.0
BOTH = {"worker 1", "worker 2"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PostgresqlStage]:
    with closing(PostgresqlStage(tmp_path)) as made:
        made.open()
        # Slow enough that claims are under way at any instant.
        made.recall.strike("slow", made.recall_apps, seconds=1.5)
        yield made


def workers_with_attempts(stage: PostgresqlStage) -> set[str]:
    return {each.owner for each in ledger.tries(stage.database)}


def is_connected(stage: PostgresqlStage, name: str) -> bool:
    query = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
    with stage.database.reading() as session:
        return bool(session.connection().execute(query, {"name": name}).scalar_one())


def end_leases(stage: PostgresqlStage, webhook_ids: set[int]) -> None:
    """Have leases end now that would end in half a minute."""
    now = datetime.now(UTC)  # noqa: TID251 - of processes in real time
    ended = update(Webhook).where(
        col(Webhook.id).in_(webhook_ids), col(Webhook.outcome) == Outcome.WAITING
    )
    with stage.database.writing() as session:
        session.exec(ended.values(lease_until=now, due_at=now))


def test_workers_share_the_work_and_a_killed_ones_claims_are_taken_over(
    stage: PostgresqlStage,
) -> None:
    load = Load(stage.targets, rate=60, run="shared", seed=1)
    posting = threading.Thread(
        target=lambda: asyncio.run(load.run(lambda: len(load.sent) >= EVENTS))
    )
    posting.start()
    until(
        lambda: (
            workers_with_attempts(stage) == BOTH
            and bool(ledger.under_way(stage.database, "worker 1"))
        ),
        within_s=PATIENCE_S,
        every_s=0.05,
    )

    stage.workers[0].kill()
    # What it had sent to the database before it died is done or undone by then.
    until(lambda: not is_connected(stage, "worker 1"), within_s=PATIENCE_S)
    shared_by = workers_with_attempts(stage)
    orphans = ledger.under_way(stage.database, "worker 1")
    end_leases(stage, {webhook_id for webhook_id, _ in orphans})
    posting.join()
    until(lambda: ledger.waiting(stage.database) == 0, within_s=PATIENCE_S)

    rows = ledger.rows(stage.database, stage.vault)
    received = stage.recall.digests()
    tries, claims = ledger.tries(stage.database), ledger.claims(stage.database)
    books = balance(load.sent, rows=rows, received=received, claims=claims, tries=tries)
    sent_twice = {
        row.id for row in rows if sum(received.get(row.digest, {}).values()) > 1
    }
    owners = {(each.webhook_id, each.new): each.owner for each in claims}
    assert ledger.stored_by(stage.database).keys() == {"web 1", "web 2"}
    assert shared_by == BOTH
    assert orphans
    assert books.wrong == {}
    assert {row.outcome for row in rows} == {Outcome.DELIVERED}
    assert books.delivered == books.answered_200 == len(load.sent)
    # Each attempt is its claimer's alone; the dead one's claims have none.
    assert [owners[each.webhook_id, each.claim] for each in tries] == [
        each.owner for each in tries
    ]
    assert len({each.webhook_id for each in tries}) == len(tries) == len(rows)
    assert sent_twice <= {webhook_id for webhook_id, _ in orphans}
    # A claim that nobody gave back was taken over by the other worker, under a new one.
    assert {owners[webhook_id, claim + 1] for webhook_id, claim in orphans} == {
        "worker 2"
    }
