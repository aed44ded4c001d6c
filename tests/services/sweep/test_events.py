"""Webhooks that change connections, or make their checks due."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from structlog.testing import capture_logs

from dashboard.app import chores
from dashboard.db import Database
from dashboard.models.connection import AccountMember, Connection, TokenState
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import events, sweep
from dashboard.services.sweep.bulk import MAPPINGS_EVERY
from dashboard.services.sweep.events import mark_due
from dashboard.vault import Vault
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.sweep_events import (
    USER,
    add,
    deauthorized,
    stage,
    tell,
    unread,
    updated,
)
from tests.makers import (
    NOON,
    FakeClock,
    a_body,
    a_connection,
    a_webhook,
    a_workspace,
    a_zoom_app,
)

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


LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault)
    with database.writing() as session:
        session.add(added)
    return added


def store(database: Database, *rows: Connection | Webhook) -> None:
    with database.writing() as session:
        session.add_all(rows)


def delivered(zoom_app: ZoomApp, **over: object) -> Webhook:
    at = LATER - timedelta(seconds=2)
    values = {
        "event": "user.updated",
        "outcome": Outcome.DELIVERED,
        "delivered_at": at,
        **over,
    }
    return a_webhook(zoom_app, received_at=at, **values)


def due_in_s(database: Database, row: Connection) -> float:
    with database.reading() as session:
        due_at = session.get_one(Connection, row.id).due_at
    return (due_at - LATER).total_seconds()


def test_its_user_is_due_once(database: Database, zoom_app: ZoomApp) -> None:
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    other = a_connection(zoom_app, zoom_user_id="zUsErB")
    hook = delivered(zoom_app, zoom_user_id="zUsErA")
    store(database, row, other, hook, delivered(zoom_app, zoom_user_id="zUsErA"))

    counts = [
        mark_due(database, now=LATER),
        mark_due(database, now=LATER + timedelta(seconds=1)),
    ]

    assert counts == [1, 0]
    assert due_in_s(database, row) == 0
    assert due_in_s(database, other) > 3600


def test_a_whole_account_is_due_for_any_of_its_users(
    database: Database, zoom_app: ZoomApp
) -> None:
    account = a_connection(zoom_app, zoom_user_id=None, zoom_account_id="aCcOuNt")
    store(database, account, delivered(zoom_app, zoom_account_id="aCcOuNt"))

    assert mark_due(database, now=LATER) == 1


@pytest.mark.parametrize(
    ("checked_s_ago", "expected_s"),
    [(14, 1), (15, 0), (59, 0)],
    ids=["a look has just been", "long enough ago", "long ago"],
)
def test_looks_at_one_connection_keep_a_distance(
    database: Database, zoom_app: ZoomApp, checked_s_ago: int, expected_s: int
) -> None:
    row = a_connection(
        zoom_app,
        zoom_user_id="zUsErA",
        token_checked_at=LATER - timedelta(seconds=checked_s_ago),
    )
    late = LATER - timedelta(seconds=3)
    hook = delivered(zoom_app, zoom_user_id="zUsErA", delivered_at=late)
    store(database, row, hook)

    mark_due(database, now=LATER)

    assert due_in_s(database, row) == expected_s


@pytest.mark.parametrize(
    "over",
    [
        {"outcome": Outcome.WAITING, "delivered_at": None},
        {"delivered_at": LATER - timedelta(seconds=1)},
        {"zoom_user_id": "zUsErB"},
        {"zoom_user_id": None},
        {"delivered_at": NOON - timedelta(seconds=3)},
    ],
    ids=[
        "Recall has not got it yet",
        "Recall needs a moment",
        "about another user",
        "about nobody",
        "looked at since",
    ],
)
def test_nobody_else_is_disturbed(
    database: Database, zoom_app: ZoomApp, over: dict[str, object]
) -> None:
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    store(database, row, delivered(zoom_app, **{"zoom_user_id": "zUsErA", **over}))

    assert mark_due(database, now=LATER) == 0


def test_the_same_user_of_another_zoom_app_is_another_connection(
    database: Database, zoom_app: ZoomApp, vault: Vault
) -> None:
    other = a_zoom_app(vault)
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    with database.writing() as session:
        session.add(other)
    store(database, row, delivered(other, zoom_user_id="zUsErA"))

    assert mark_due(database, now=LATER) == 0


def test_a_meetings_webhook_has_the_workspaces_mappings_read_and_nobody_looked_at(
    database: Database, zoom_app: ZoomApp, vault: Vault
) -> None:
    workspace = a_workspace(vault, mappings_due_at=LATER + timedelta(minutes=4))
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    with database.writing() as session:
        session.add(workspace)
        session.flush()
        session.get_one(ZoomApp, zoom_app.id).workspace_id = workspace.id
    hook = delivered(zoom_app, zoom_user_id="zUsErA", event="meeting.created")
    store(database, row, hook)

    counts = [mark_due(database, now=LATER), mark_due(database, now=LATER)]

    with database.reading() as session:
        due_at = session.get_one(Workspace, workspace.id).mappings_due_at
    assert due_at == LATER
    assert counts == [0, 0]
    assert due_in_s(database, row) > 3600


@pytest.mark.parametrize(
    ("read_s_ago", "expected_s"),
    [(1, 299), (5, 10), (60, 0)],
    ids=["read since", "a moment ago: not at once", "long enough ago"],
)
def test_mappings_are_not_read_again_at_once(
    database: Database,
    zoom_app: ZoomApp,
    vault: Vault,
    read_s_ago: int,
    expected_s: int,
) -> None:
    read_at = LATER - timedelta(seconds=read_s_ago)
    workspace = a_workspace(vault, mappings_due_at=read_at + MAPPINGS_EVERY)
    with database.writing() as session:
        session.add(workspace)
        session.flush()
        session.get_one(ZoomApp, zoom_app.id).workspace_id = workspace.id
    at = LATER - timedelta(seconds=4)
    store(database, delivered(zoom_app, event="meeting.created", delivered_at=at))

    mark_due(database, now=LATER)

    with database.reading() as session:
        due_at = session.get_one(Workspace, workspace.id).mappings_due_at
    assert due_at is not None
    assert (due_at - LATER).total_seconds() == expected_s


def test_a_removal_is_borne_out_by_a_real_look(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    removed_at = clock.now()
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    tell(
        stage,
        "app_deauthorized",
        removed_at,
        {"client_id": stage.app.client_id},
        zoom_user_id=stage.ana.id,
    )

    events.read_some(stage.runtime)
    said = stage.connection(row.id)
    sweep.check_due(stage.runtime)
    seen = stage.connection(row.id)

    assert said.token_state is TokenState.UNKNOWN
    assert seen.token_state is TokenState.RECONNECT_NEEDED
    assert seen.token_reason.startswith(
        "The user removed the app in Zoom at 2026-11-23 12:11:00 UTC; Zoom rejected"
    )


def test_a_removal_that_is_not_so_changes_no_state_and_is_watched(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    facts = {"client_id": stage.app.client_id}
    at = clock.now()
    tell(stage, "app_deauthorized", at, facts, zoom_user_id=stage.ana.id)
    for _ in range(2):  # a sync under way is watched anyway
        stage.sandbox.sync_meetings()

    events.read_some(stage.runtime)
    sweep.check_due(stage.runtime)

    seen = stage.connection(row.id)
    assert seen.token_state is TokenState.HEALTHY
    assert "removed the app at 2026-11-23 12:11:00 UTC" in seen.token_reason
    assert seen.due_at - at <= timedelta(minutes=5)


def test_a_user_who_reconnects_is_not_marked_any_more(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    clock.advance(minutes=1)
    facts = {"client_id": stage.app.client_id}
    tell(stage, "app_deauthorized", clock.now(), facts, zoom_user_id=stage.ana.id)
    events.read_some(stage.runtime)
    clock.advance(minutes=1)

    stage.connect()

    seen = stage.connection(row.id)
    assert (seen.deauthorized_at, seen.token_state) == (None, TokenState.HEALTHY)


def test_a_removal_of_another_app_changes_nothing_and_is_logged(
    stage: ConnectStage,
) -> None:
    row = add(stage)
    number = deauthorized(stage, NOON + timedelta(minutes=1), client_id="simCother")

    with capture_logs() as logs:
        events.read_some(stage.runtime)

    assert stage.connection(row.id).deauthorized_at is None
    assert unread(stage) == []
    assert [(one["webhook"], one["why"]) for one in logs] == [
        (number, "It names another app's client ID.")
    ]


@pytest.mark.parametrize("payload", [{}, {"client_id": None}, {"client_id": ""}])
def test_a_removal_that_names_no_app_is_of_the_app_whose_secret_signed_it(
    stage: ConnectStage, payload: dict[str, object]
) -> None:
    row = add(stage)
    removed_at = NOON + timedelta(minutes=1)
    tell(stage, "app_deauthorized", removed_at, {"user_id": USER, **payload})

    events.read_some(stage.runtime)

    assert stage.connection(row.id).deauthorized_at == removed_at


@pytest.mark.parametrize(
    "missing",
    [{"zoom_account_id": None}, {"zoom_user_id": None}],
    ids=["no account", "no user"],
)
def test_a_removal_of_a_whole_account_may_name_a_member_or_the_account_alone(
    runtime: Runtime, sandbox: RunningSandbox, missing: dict[str, None]
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    row = add(stage, zoom_user_id=None)
    member = AccountMember(connection_id=row.id, zoom_user_id=USER, seen_at=NOON)
    with runtime.database.writing() as session:
        session.add(member)
    removed_at = NOON + timedelta(minutes=1)
    tell(stage, "app_deauthorized", removed_at, {}, **missing)

    events.read_some(runtime)

    assert stage.connection(row.id).deauthorized_at == removed_at


def test_an_update_without_an_account_is_of_the_account_that_lists_the_user(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    row = add(stage, zoom_user_id=None)
    before = NOON - timedelta(hours=1)
    member = AccountMember(
        connection_id=row.id, zoom_user_id=USER, pmi=OLD, seen_at=before
    )
    with runtime.database.writing() as session:
        session.add(member)
    tell(stage, "user.updated", NOON, {"object": {"pmi": NEW}}, zoom_account_id=None)

    events.read_some(runtime)

    with runtime.database.reading() as session:
        found = session.get_one(AccountMember, (row.id, USER))
    assert (found.pmi, found.previous_pmi) == (NEW, OLD)
