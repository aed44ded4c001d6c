from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, event

from dashboard.clients.delivery import Answer
from dashboard.db import CHANNEL, Database, announce
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.webhook import Outcome, Webhook, WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.relay import circuit, claims, queues
from dashboard.services.relay.sending import Delivery
from dashboard.vault import Vault
from tests.fixtures.delivery import (
    Add,
    add,
    app_id,
    attempts,
    find,
    record,
    take,
    tried,
)
from tests.makers import NOON, a_zoom_app, saved_app

__all__ = ["add", "app_id"]


def test_a_claimed_webhook_is_not_claimed_again(database: Database, add: Add) -> None:
    add()

    assert len(take(database)) == 1
    assert take(database) == []
    assert take(database, NOON + claims.LEASE - timedelta(seconds=1)) == []


def test_a_dead_worker_gives_its_claim_back(database: Database, add: Add) -> None:
    webhook_id = add()
    [lost] = take(database)

    [again] = take(database, NOON + claims.LEASE)

    assert (again.webhook_id, again.claim) == (webhook_id, lost.claim + 1)


def test_a_worker_that_is_alone_takes_the_dead_ones_claims_at_once(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [lost] = take(database)

    with database.writing() as session:
        claims.release_all(session, now=NOON)
    [again] = take(database)

    assert (again.webhook_id, again.claim) == (webhook_id, lost.claim + 1)


def test_only_what_was_claimed_is_due_when_claims_are_taken_back(
    database: Database, add: Add
) -> None:
    later = add(due_at=NOON + timedelta(hours=1))
    claimed = add()
    take(database)

    with database.writing() as session:
        claims.release_all(session, now=NOON)

    assert find(database, later).due_at == NOON + timedelta(hours=1)
    assert find(database, claimed).due_at == NOON
    assert find(database, claimed).lease_until is None


def test_what_no_longer_waits_is_not_made_due_when_leases_end(
    database: Database, add: Add
) -> None:
    until = NOON + claims.LEASE
    over = add(outcome=Outcome.DEAD, lease_until=until, due_at=until)

    with database.writing() as session:
        claims.release_all(session, now=NOON)

    assert find(database, over).due_at == until


def test_a_late_worker_changes_nothing(database: Database, add: Add) -> None:
    webhook_id = add()
    [late] = take(database)
    [newer] = take(database, NOON + claims.LEASE)
    refused = tried(late, Answer(status=400))

    assert record(database, refused) == 0

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.WAITING
    assert webhook.claim == newer.claim
    assert attempts(database, webhook_id) == []
    assert record(database, tried(newer)) == 1


def test_many_workers_share_the_work_and_no_webhook_has_two(
    database: Database, add: Add
) -> None:
    ids = [add() for _ in range(30)]

    with ThreadPoolExecutor(6) as pool:
        shares = pool.map(lambda _: take(database, limit=5), range(6))

    taken = [each.webhook_id for share in shares for each in share]
    assert sorted(taken) == sorted(ids)


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


def test_a_full_workspace_leaves_room_for_the_others(
    database: Database, vault: Vault, add: Add
) -> None:
    with database.writing() as session:
        other = saved_app(session, vault, client_id="simCother")
    add()
    add(zoom_app_id=other)
    everything = take(database)
    slow = everything[0].workspace_id
    later = NOON + claims.LEASE

    spared = take(database, later, in_flight={slow: claims.A_WORKSPACE})

    assert [each.workspace_id for each in spared] == [everything[1].workspace_id]


def test_a_backlog_of_one_workspace_fills_no_claim_of_another(
    database: Database, vault: Vault, add: Add
) -> None:
    with database.writing() as session:
        other = saved_app(session, vault, client_id="simCother")
    for _ in range(20):
        add(due_at=NOON - timedelta(hours=1))
    theirs = add(zoom_app_id=other)
    slow = take(database, limit=1)[0].workspace_id

    taken = take(database, in_flight={slow: claims.A_WORKSPACE - 5})

    assert theirs in {each.webhook_id for each in taken}
    assert sum(each.workspace_id == slow for each in taken) == 5


def test_two_zoom_apps_of_a_workspace_share_its_room(
    database: Database, vault: Vault, add: Add, app_id: UUID
) -> None:
    with database.writing() as session:
        busy = session.get_one(ZoomApp, app_id)
        quiet = a_zoom_app(
            vault, recall_app_id=UUID(int=7), workspace_id=busy.workspace_id
        )
        session.add(quiet)
    for _ in range(20):
        add(due_at=NOON - timedelta(hours=1))
    theirs = add(zoom_app_id=quiet.id)

    first = take(database, limit=10)
    for _ in range(20):
        add(zoom_app_id=quiet.id, due_at=NOON - timedelta(minutes=1))
    then = take(database, limit=8)

    assert len(first) == 10
    assert theirs in {each.webhook_id for each in first}
    assert Counter(each.zoom_app_id for each in then) == {app_id: 4, quiet.id: 4}


def test_where_one_zoom_app_is_probed_another_probes_the_workspace(
    database: Database,
    vault: Vault,
    add: Add,
    app_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.writing() as session:
        workspace_id = session.get_one(ZoomApp, app_id).workspace_id
        other = a_zoom_app(vault, recall_app_id=UUID(int=7), workspace_id=workspace_id)
        session.add(other)
        assert workspace_id is not None
        for its_id, kind in (
            (app_id, CircuitKind.ZOOM_APP),
            (workspace_id, CircuitKind.WORKSPACE),
        ):
            session.add(
                OpenCircuit(
                    id=its_id, kind=kind, is_holding=True, since=NOON, probe_at=NOON
                )
            )
    add(due_at=NOON - timedelta(hours=1))
    theirs = add(zoom_app_id=other.id)
    with database.reading() as session:
        before = queues.targets_of(session)
    monkeypatch.setattr(claims, "targets_of", lambda _: before)
    with database.writing() as session:  # by another worker, since the queue was read
        circuit.claim_probes(session, [app_id], until=NOON + claims.LEASE, now=NOON)

    assert [each.webhook_id for each in take(database)] == [theirs]


def test_an_odd_room_is_shared_in_whole_webhooks(
    database: Database, vault: Vault, add: Add, app_id: UUID
) -> None:
    with database.writing() as session:
        busy = session.get_one(ZoomApp, app_id)
        quiet = a_zoom_app(
            vault, recall_app_id=UUID(int=7), workspace_id=busy.workspace_id
        )
        session.add(quiet)
    for _ in range(3):
        add(due_at=NOON - timedelta(hours=1))
        add(zoom_app_id=quiet.id)

    taken = take(database, limit=3)

    assert Counter(each.zoom_app_id for each in taken) == {quiet.id: 2, app_id: 1}


def test_the_more_workspaces_there_are_the_less_room_each_has(
    database: Database, vault: Vault, add: Add, app_id: UUID
) -> None:
    with database.writing() as session:
        ours = session.get_one(ZoomApp, app_id).workspace_id
        for number in range(4):
            saved_app(session, vault, client_id=f"simCother{number}")
    for _ in range(3):
        add()

    taken = take(database, in_flight={ours: 1024 // 5 - 1})

    assert len(taken) == 1


def test_a_workspace_has_room_for_so_many_at_once(
    database: Database, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "A_WORKSPACE", 8)
    for _ in range(9):
        add()

    assert len(take(database)) == 8


def test_a_claim_carries_what_is_sent(
    database: Database, add: Add, app_id: UUID
) -> None:
    refused_at = NOON - timedelta(hours=1)
    webhook_id = add(verdict="previous", refused_at=refused_at, attempts=3)

    [claimed] = take(database)

    with database.reading() as session:
        webhook = session.get_one(Webhook, webhook_id)
        stored = session.get_one(WebhookBody, webhook_id)
        app = session.get_one(ZoomApp, app_id)
        region = session.get_one(Workspace, app.workspace_id).region
    assert claimed == Delivery(
        webhook_id=webhook_id,
        claim=1,
        worker="test:1",
        attempts=3,
        event=webhook.event,
        verdict="previous",
        received_at=webhook.received_at,
        zoom_app_id=app_id,
        recall_app_id=UUID(str(app.recall_app_id)),
        workspace_id=UUID(str(app.workspace_id)),
        region=region,
        headers=stored.headers,
        body=stored.body,
        refused_at=refused_at,
    )


@pytest.mark.parametrize("queue", [queues.WEBHOOK, queues.REDELIVERY])
def test_what_is_due_is_read_from_its_own_index(sqlite: Database, queue: Table) -> None:
    values = {"app_id": UUID(int=1), "now": NOON, "at_most": 10}
    plans: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        raw = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(row[3] for row in raw)

    event.listen(sqlite.writer, "before_cursor_execute", explain)
    with sqlite.writing() as session:
        session.connection().execute(queues.DUE[queue], values)
        session.connection().execute(queues.TARGETS)

    index = f"ix_{queue.name}_due_at (zoom_app_id=? AND due_at<?)"
    assert f"{queue.name}.outcome = 'waiting'" in str(queues.DUE[queue])
    assert any(index in step for step in plans)
    assert not any("TEMP B-TREE" in step for step in plans)
    assert sum(f"ix_{queue.name}_due_at (zoom_app_id=?" in step for step in plans) == 2


_LONG_S = 10


def test_a_commit_that_made_something_due_is_noticed(postgresql: Database) -> None:
    notices = postgresql.notices(CHANNEL, timeout_s=0.01)
    before = next(notices)
    with postgresql.writing() as session:
        announce(session.connection())

    came = any(next(notices) for _ in range(_LONG_S * 100))
    notices.close()

    assert (before, came) == (False, True)


def test_what_was_rolled_back_is_not(postgresql: Database) -> None:
    notices = postgresql.notices(CHANNEL, timeout_s=0.01)
    next(notices)

    with postgresql.writing() as session:
        announce(session.connection())
        session.rollback()

    came = any(next(notices) for _ in range(20))
    notices.close()

    assert not came


def test_on_sqlite_there_is_nobody_to_tell(sqlite: Database) -> None:
    with sqlite.writing() as session:
        announce(session.connection())

    assert list(sqlite.notices(CHANNEL, timeout_s=0.01)) == []
