"""Events that change connections: applied once, in the order of Zoom's time."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from structlog.testing import capture_logs

from dashboard.app import chores
from dashboard.db import Database
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import events
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.sweep_events import (
    add,
    deauthorized,
    stage,
    tell,
    unread,
    updated,
)
from tests.makers import NOON, a_body, a_webhook

__all__ = ["stage"]

OLD, NEW, NEWER = 5551234567, 5559876543, 5550000001


def test_a_new_pmi_is_kept_with_the_one_before_when_and_by_what(
    stage: ConnectStage,
) -> None:
    row = add(stage, pmi=OLD)
    updated(stage, pmi=str(NEW), display_name="Ana Nowak-Lis", email="lis@example.com")

    counts = [events.read_some(stage.runtime), events.read_some(stage.runtime)]

    now_ = stage.connection(row.id)
    assert counts == [1, 0]
    assert (now_.pmi, now_.previous_pmi) == (NEW, OLD)
    assert (now_.pmi_changed_at, now_.pmi_changed_by) == (NOON, events.USER_UPDATED)
    assert (now_.display_name, now_.email) == ("Ana Nowak-Lis", "lis@example.com")
    assert now_.due_at == stage.runtime.clock.now()
    assert unread(stage) == []


def test_what_is_older_than_what_is_known_changes_nothing(stage: ConnectStage) -> None:
    row = add(stage, pmi=None)
    updated(stage, NOON + timedelta(minutes=5), pmi=NEW, email="new@example.com")
    events.read_some(stage.runtime)
    updated(stage, NOON + timedelta(minutes=4), pmi=OLD, email="old@example.com")
    events.read_some(stage.runtime)

    now_ = stage.connection(row.id)
    assert (now_.pmi, now_.previous_pmi, now_.email) == (NEW, None, "new@example.com")


def test_a_look_knows_better_than_an_event_of_before_it(stage: ConnectStage) -> None:
    row = stage.connect()
    tell(
        stage, "user.updated", NOON, {"object": {"pmi": NEW}}, zoom_user_id=stage.ana.id
    )

    events.read_some(stage.runtime)

    assert stage.connection(row.id).pmi == OLD


def test_of_events_that_came_together_the_newest_by_zooms_time_counts(
    stage: ConnectStage,
) -> None:
    row = add(stage, pmi=OLD)
    updated(stage, NOON + timedelta(seconds=2), pmi=NEWER)
    updated(stage, NOON + timedelta(seconds=1), pmi=NEW)

    events.read_some(stage.runtime)

    assert stage.connection(row.id).pmi == NEWER


def test_an_update_without_news_leaves_a_look_under_way_alone(
    stage: ConnectStage,
) -> None:
    row = add(stage, pmi=OLD)
    updated(stage, pmi=OLD, dept="Sales")

    events.read_some(stage.runtime)

    now_ = stage.connection(row.id)
    assert (now_.claim, now_.pmi_changed_at) == (0, None)
    assert now_.due_at == row.due_at


def test_news_outdoes_a_look_that_may_have_seen_the_former(
    stage: ConnectStage,
) -> None:
    row = add(stage, pmi=OLD, claim=3, lease_until=NOON + timedelta(hours=1))
    updated(stage, pmi=NEW)

    events.read_some(stage.runtime)

    now_ = stage.connection(row.id)
    assert (now_.claim, now_.lease_until) == (4, None)


def test_what_cannot_be_used_is_read_once_and_stops_nobody(
    stage: ConnectStage,
) -> None:
    row = add(stage, pmi=OLD)
    without_body, altered = (
        a_webhook(stage.app, event="user.updated", is_unread=True) for _ in range(2)
    )
    sealed = a_body(stage.runtime.vault, altered)
    sealed.body = sealed.body[:-1] + b"\0"
    with stage.runtime.database.writing() as session:
        session.add_all([without_body, altered])
        session.flush()
        session.add(sealed)
    tell(stage, "user.updated", NOON, {"object": ["no object"]})
    updated(stage, NOON + timedelta(seconds=1), pmi=NEW)

    with capture_logs() as logs:
        read = events.read_some(stage.runtime)

    assert read == 4
    assert unread(stage) == []
    assert len([one for one in logs if one["event"] == "reading.left_out"]) == 3
    assert stage.connection(row.id).pmi == NEW


def test_an_unknown_user_is_passed_over(stage: ConnectStage) -> None:
    updated(stage, pmi=NEW)

    assert events.read_some(stage.runtime) == 1
    assert unread(stage) == []


def test_of_a_whole_account_no_user_is_the_connection_but_it_can_be_removed(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    row = add(stage, pmi=None)
    updated(stage, pmi=NEW)
    removed_at = NOON + timedelta(minutes=1)
    deauthorized(stage, removed_at)

    events.read_some(stage.runtime)

    now_ = stage.connection(row.id)
    assert (now_.pmi, now_.deauthorized_at) == (None, removed_at)


def test_many_are_read_in_batches(stage: ConnectStage) -> None:
    row = add(stage, pmi=OLD)
    for number in range(120):
        updated(stage, NOON + timedelta(seconds=number), pmi=NEW + number)

    assert events.read_some(stage.runtime) == 120
    assert stage.connection(row.id).pmi == NEW + 119


def test_a_crash_before_the_commit_leaves_it_unread(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox)
    row = add(stage, pmi=OLD)
    updated(stage, pmi=NEW)
    stops = (
        "CREATE TRIGGER crash BEFORE UPDATE OF is_unread ON webhook"
        " BEGIN SELECT RAISE(ABORT, 'crash'); END"
    )
    with runtime.database.writing() as session:
        session.connection().execute(text(stops))

    with pytest.raises(IntegrityError, match="crash"):
        events.read_some(runtime)
    untouched = stage.connection(row.id).pmi
    with runtime.database.writing() as session:
        session.connection().execute(text("DROP TRIGGER crash"))
    events.read_some(runtime)

    assert (untouched, stage.connection(row.id).pmi) == (OLD, NEW)


def test_two_workers_never_read_one_twice(
    runtime: Runtime, sandbox: RunningSandbox, postgresql: Database
) -> None:
    stage = a_connect_stage(runtime, sandbox, database=postgresql)
    for number in range(200):
        updated(stage, NOON + timedelta(seconds=number), pmi=NEW + number)
    barrier, counts = threading.Barrier(2), []

    def work() -> None:
        barrier.wait()
        counts.append(events.read_some(stage.runtime))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.append(events.read_some(stage.runtime))

    assert sum(counts) == 200
    assert unread(stage) == []


def test_what_another_worker_holds_is_left_to_it(
    runtime: Runtime, sandbox: RunningSandbox, postgresql: Database
) -> None:
    stage = a_connect_stage(runtime, sandbox, database=postgresql)
    row = add(stage, pmi=OLD)
    held = updated(stage, pmi=NEW)
    query = select(Webhook.id).where(col(Webhook.id) == held).with_for_update()

    with postgresql.writing() as session:
        session.exec(query).one()
        count = events.read_some(stage.runtime)

    assert count == 0
    assert unread(stage) == [held]
    assert stage.connection(row.id).pmi == OLD


def test_looking_for_unread_ones_reads_an_index(sqlite: Database) -> None:
    query = events.oldest_unread(1).compile(
        sqlite.writer, compile_kwargs={"literal_binds": True}
    )
    with sqlite.reading() as session:
        plan = session.connection().execute(text(f"EXPLAIN QUERY PLAN {query}"))
        steps = [row[-1] for row in plan]

    assert any("ix_webhook_unread" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps)


def test_it_is_among_the_workers_chores(stage: ConnectStage) -> None:
    row = add(stage, pmi=OLD, due_at=NOON + timedelta(days=1))
    updated(stage, pmi=NEW)

    for chore in chores(stage.runtime):
        chore()

    assert stage.connection(row.id).pmi == NEW
