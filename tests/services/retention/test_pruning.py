"""What is done and old goes, in small steps that hold nobody up."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import inspect
from sqlmodel import SQLModel, func, select

from dashboard.app import chores
from dashboard.db import Database
from dashboard.errors import InvalidInputError
from dashboard.models.ids import new_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend
from dashboard.models.webhook import Arrival, Attempt, Outcome, Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.services.retention.pruning import (
    Pruned,
    Pruner,
    count_due,
    days_kept,
    prune,
)
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault
from tests.fixtures.receiver import limits, received, writer, zoom_app
from tests.makers import NOON, FakeClock, a_body, a_webhook, a_zoom_app

__all__ = ["limits", "writer", "zoom_app"]

OLD = NOON - timedelta(days=31)
CHILDREN: list[type[SQLModel]] = [WebhookBody, Arrival, Attempt, Redelivery]


@pytest.fixture
def owner(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault)
    with database.writing() as session:
        session.add(added)
    return added


def add(database: Database, vault: Vault, app_id: UUID, **over: Any) -> Webhook:
    """Add a webhook with all that can belong to one."""
    at = over.get("received_at", OLD)
    values = {"received_at": OLD, "outcome": Outcome.DELIVERED, **over}
    resent = values.pop("resent", RedeliveryOutcome.DELIVERED)
    hook = a_webhook(a_zoom_app(vault), zoom_app_id=app_id, **values)
    of_it: dict[str, Any] = {"webhook_id": hook.id}
    resend = Resend(id=new_id(at), asked_by="ana@example.com", asked_at=at, ended_at=at)
    with database.writing() as session:
        session.add_all([hook, resend])
        session.flush()
        session.add(a_body(vault, hook))
        session.add(Arrival(id=new_id(at), sent_at_s=1, received_at=at, **of_it))
        session.add(
            Attempt(id=new_id(at), started_at=at, latency_ms=1, sent_sha256="", **of_it)
        )
        session.add(
            Redelivery(
                id=new_id(at),
                resend_id=resend.id,
                zoom_app_id=app_id,
                outcome=resent,
                due_at=at,
                **of_it,
            )
        )
    return hook


def left(database: Database) -> dict[int, Webhook]:
    with database.reading() as session:
        return {row.id: row for row in session.exec(select(Webhook))}


def rows(database: Database, *models: type[SQLModel]) -> list[int]:
    with database.reading() as session:
        return [
            session.exec(select(func.count()).select_from(model)).one()
            for model in models
        ]


def run(database: Database, **over: Any) -> Pruned:
    total = Pruned()
    for step in prune(database, **{"now": NOON, "days": 30, **over}):
        total += step
    return total


def test_what_is_done_and_old_goes_with_all_that_belongs_to_it(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    for outcome in (Outcome.DELIVERED, Outcome.KEPT, Outcome.DEAD):
        add(database, vault, owner.id, outcome=outcome)
    young = add(database, vault, owner.id, received_at=NOON - timedelta(days=30))

    done = run(database)

    assert done.webhooks == 3
    assert list(left(database)) == [young.id]
    assert rows(database, *CHILDREN) == [1, 1, 1, 1]


def test_one_that_waited_in_vain_is_dead_first_and_seen_for_days(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    reason = "Recall answered 401."
    late = add(
        database, vault, owner.id, outcome=Outcome.WAITING, outcome_reason=reason
    )

    first = run(database)
    then = left(database)[late.id]
    still = run(database, now=NOON + timedelta(days=6, hours=23))
    last = run(database, now=NOON + timedelta(days=7))

    assert (first.webhooks, first.given_up) == (0, 1)
    assert then.outcome is Outcome.DEAD
    assert then.outcome_reason == "Not delivered within 30 days; Recall answered 401."
    assert (still.total, last.webhooks) == (0, 1)


def test_one_that_is_being_sent_is_left_alone(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    lease = NOON + timedelta(seconds=1)
    sent = add(
        database, vault, owner.id, outcome=Outcome.WAITING, lease_until=lease, claim=1
    )

    run(database)

    assert left(database)[sent.id].outcome is Outcome.WAITING


def test_one_that_a_resend_still_owes_is_kept(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    owed = add(database, vault, owner.id, resent=RedeliveryOutcome.WAITING)

    assert run(database).webhooks == 0
    assert list(left(database)) == [owed.id]


def test_the_oldest_go_first_a_batch_at_a_time(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    ids = [
        add(database, vault, owner.id, received_at=OLD - timedelta(minutes=number)).id
        for number in range(5)
    ]
    steps = prune(database, now=NOON, days=30, batch=2)

    assert next(steps).webhooks == 2
    assert set(left(database)) == set(sorted(ids)[2:])


def test_one_that_stays_does_not_keep_others(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    for _ in range(4):
        add(database, vault, owner.id, resent=RedeliveryOutcome.WAITING)
    add(database, vault, owner.id, received_at=OLD + timedelta(hours=1))

    assert run(database, batch=2).webhooks == 1


def test_stopped_half_way_it_leaves_nothing_orphaned(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    for _ in range(5):
        add(database, vault, owner.id)
    steps = prune(database, now=NOON, days=30, batch=2)
    next(steps)

    del steps

    assert rows(database, Webhook, *CHILDREN) == [3, 3, 3, 3, 3]
    assert run(database).webhooks == 3


def test_the_receiver_stores_between_two_batches(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    for _ in range(4):
        add(database, vault, zoom_app.id)
    steps = prune(database, now=NOON, days=30, batch=2)

    first = next(steps)
    accepted = writer.accept(received(zoom_app))  # it would wait for a held turn
    second = next(steps)

    assert (first.webhooks, second.webhooks) == (2, 2)
    assert list(left(database)) == [accepted.webhook_id]


def test_two_workers_do_not_wait_for_each_other(
    postgresql: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    with postgresql.writing() as session:
        session.add(app)
    held = add(postgresql, vault, app.id)
    add(postgresql, vault, app.id)
    query = select(Webhook).where(Webhook.id == held.id).with_for_update()

    with postgresql.writing() as session:
        session.exec(query).one()
        done = run(postgresql)

    assert done.webhooks == 1
    assert list(left(postgresql)) == [held.id]


@pytest.mark.parametrize("table", ["webhook", "resend"])
def test_each_child_is_found_by_an_index(database: Database, table: str) -> None:
    found = inspect(database.writer)
    children = {
        (name, key["constrained_columns"][0])
        for name in found.get_table_names()
        for key in found.get_foreign_keys(name)
        if key["referred_table"] == table
    }

    for name, column in children:
        indexes: list[Any] = [
            *(index["column_names"] for index in found.get_indexes(name)),
            *(one["column_names"] for one in found.get_unique_constraints(name)),
            found.get_pk_constraint(name)["constrained_columns"],
        ]
        assert column in [columns[0] for columns in indexes if columns], name
    assert children


def test_a_count_beforehand_is_right_and_changes_nothing(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    add(database, vault, owner.id)
    add(database, vault, owner.id, outcome=Outcome.WAITING)
    add(database, vault, owner.id, resent=RedeliveryOutcome.WAITING)
    add(database, vault, owner.id, outcome=Outcome.DEAD, due_at=NOON)
    lease = NOON + timedelta(seconds=1)
    add(database, vault, owner.id, outcome=Outcome.WAITING, lease_until=lease)

    due = count_due(database, now=NOON, days=30)

    assert (due.webhooks, due.given_up) == (1, 1)
    assert len(left(database)) == 5
    done = run(database)
    assert (done.webhooks, done.given_up) == (1, 1)


def test_the_chore_does_a_bounded_part_and_then_rests(
    runtime: Runtime, vault: Vault, clock: FakeClock
) -> None:
    app = a_zoom_app(vault)
    with runtime.database.writing() as session:
        session.add(app)
    for _ in range(3):
        add(runtime.database, vault, app.id)
    pruner = Pruner(runtime, batch=1, at_once=2)

    counts = [pruner() for _ in range(12)]
    add(runtime.database, vault, app.id)
    resting = pruner()
    clock.advance(minutes=10)
    later = pruner()

    assert counts[0] == 2
    # Three webhooks, then their three resends; one a step, two steps a call.
    assert sum(counts) == 6
    assert (counts[-1], resting, later) == (0, 0, 2)


def test_it_is_among_the_workers_chores(runtime: Runtime) -> None:
    vault = runtime.vault
    app = a_zoom_app(vault)
    with runtime.database.writing() as session:
        session.add(app)
    add(runtime.database, vault, app.id)

    for chore in chores(runtime):
        chore()

    assert left(runtime.database) == {}


def test_no_webhook_goes_while_a_repeat_of_it_is_taken(runtime: Runtime) -> None:
    short = runtime.settings.model_copy(
        update={"event_age_limit_s": 3 * 86_400 + 1, "webhook_retention_days": 1}
    )

    assert days_kept(short) == 4
    assert days_kept(short, asked=4) == 4
    with pytest.raises(InvalidInputError, match="at least 4 d"):
        days_kept(short, asked=3)


def test_one_signed_after_it_arrived_stays_while_a_repeat_of_it_is_taken(
    database: Database, vault: Vault, owner: ZoomApp
) -> None:
    ahead = int((NOON - timedelta(days=29)).timestamp())
    hook = add(database, vault, owner.id, sent_at_s=ahead)

    first = run(database)
    later = run(database, now=NOON + timedelta(days=2))

    assert (first.webhooks, later.webhooks) == (0, 1)
    assert left(database).get(hook.id) is None
