"""The sweep: who comes first, who is left alone, how it ends."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import select, update

from dashboard.clients.recall.operations import Operation
from dashboard.db import Database
from dashboard.models.connection import Connection, TokenState
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall import rate_limit_counts
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import sweep as sweeping
from dashboard.services.sweep.backoff import Backoff
from dashboard.services.sweep.sweep import Sweep, progress
from dashboard.threads import WorkerThreads
from dashboard.vault import Vault, fingerprint
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import API_KEY, NOON, FakeClock, a_connection, a_workspace, a_zoom_app

HOUR = timedelta(hours=1)
SOME_ID = UUID(int=7)
CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox)


def sweep(stage: ConnectStage) -> Sweep:
    return Sweep(stage.runtime, patience_s=30)


def add(stage: ConnectStage, *rows: Connection) -> None:
    with stage.runtime.database.writing() as session:
        session.add_all(rows)


def asked(stage: ConnectStage) -> dict[str, int]:
    found = stage.sandbox.recall_world.rate_limiter.counts()
    return {one["operation"]: one["asked"] for one in found}


def make_due(stage: ConnectStage, clock: FakeClock, **later: float) -> None:
    clock.advance(**later)
    stage.sandbox.clock.set(clock.now())
    with stage.runtime.database.writing() as session:
        session.exec(update(Connection).values(due_at=clock.now()))


def test_what_is_not_healthy_comes_first_then_the_longest_due(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    ages = {"new": 0, "old": 3, "failing": 1, "unknown": 2, "later": -1, "taken": 4}
    states = {"failing": TokenState.MISSING_SCOPES, "unknown": TokenState.UNKNOWN}
    rows = {
        name: a_connection(
            app,
            token_state=states.get(name, TokenState.HEALTHY),
            due_at=NOON - age * HOUR,
            lease_until=NOON + HOUR if name == "taken" else None,
        )
        for name, age in ages.items()
    }
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add_all(rows.values())
    names = {row.id: name for name, row in rows.items()}

    with database.reading() as session:
        found = sweeping.due(session, [app.id], now=NOON, limit=10)
        first = sweeping.due(session, [app.id], now=NOON, limit=1)

    assert [names[one.id] for one in found] == ["unknown", "failing", "old", "new"]
    # "old" is due longer, but is healthy; of the others the longest due comes first,
    # or with many of them some would never have a turn.
    assert names[first[0].id] == "unknown"


def test_a_routine_look_costs_one_call_of_each_budget(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    stage.sandbox.sync_meetings()
    stage.sandbox.sync_meetings()
    make_due(stage, clock, hours=2)
    sweep(stage)()  # it sees the sync's end
    make_due(stage, clock, hours=2)
    before = asked(stage)

    sweep(stage)()

    after = asked(stage)
    spent = {name: after[name] - before.get(name, 0) for name in after}
    assert stage.connection(row.id).token_checked_at == clock.now()
    assert spent["credentials.access_token"] == 1
    assert spent["credentials.retrieve"] == 0
    assert stage.connection(row.id).token_state is TokenState.HEALTHY


def test_who_recall_called_unhealthy_is_not_healthy_for_a_token_that_works(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = stage.connect()
    make_due(stage, clock, minutes=1)
    with stage.runtime.database.writing() as session:
        session.exec(update(Connection).values(recall_status="unhealthy"))
    before = asked(stage)["credentials.retrieve"]

    sweep(stage)()

    assert asked(stage)["credentials.retrieve"] == before + 1
    assert stage.connection(row.id).recall_status == "healthy"


def test_one_app_whose_trial_is_slow_holds_no_other_up(stage: ConnectStage) -> None:
    vault, chore = stage.runtime.vault, Sweep(stage.runtime)
    workspace_id, gate = stage.app.workspace_id, threading.Event()
    troubled = a_zoom_app(
        vault, client_id="other", recall_app_id=SOME_ID, workspace_id=workspace_id
    )
    add(stage, *(a_connection(stage.app, due_at=NOON) for _ in range(3)))
    with stage.runtime.database.writing() as session:
        session.add(troubled)
        session.flush()
        session.add_all(
            a_connection(troubled, token_state=TokenState.UNKNOWN, due_at=NOON - HOUR)
            for _ in range(250)
        )
    chore._backoff.failed(troubled.id, now=NOON - HOUR, wait_s=None)
    chore._threads.begin(troubled.id, gate.wait)

    chosen = chore._choose(7)
    gate.set()

    assert [one.zoom_app_id for one in chosen] == [stage.app.id] * 3


def test_in_an_outage_one_is_asked_now_and_then_and_afterwards_all_as_ever(
    stage: ConnectStage, clock: FakeClock
) -> None:
    stage.connect()
    add(stage, *(a_connection(stage.app, due_at=NOON) for _ in range(30)))
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.UNAVAILABLE)])
    chore = sweep(stage)

    begun = [chore()]
    for _ in range(12):
        clock.advance(seconds=10)
        begun.append(chore())
    stage.sandbox.recall_faults.set([])
    clock.advance(minutes=5)
    over = [chore() for _ in range(3)]
    chore.close()

    assert begun[0] == 8  # what began before the first answer
    assert sum(begun[1:]) == 3  # after 15, 30 and 60 seconds
    assert over == [1, 8, 8]


def test_a_refused_key_touches_few_and_no_user(
    stage: ConnectStage, clock: FakeClock
) -> None:
    add(stage, *(a_connection(stage.app, due_at=NOON) for _ in range(30)))
    stage.sandbox.recall_world.workspaces.clear()
    chore = sweep(stage)

    begun = [chore()]
    for _ in range(3):
        clock.advance(seconds=10)
        begun.append(chore())
    chore.close()

    with stage.runtime.database.reading() as session:
        rows = session.exec(select(Connection)).all()
    states = {row.token_state for row in rows if "API key" in row.token_reason}
    assert begun == [8, 0, 1, 0]
    assert states == {TokenState.UNKNOWN}
    assert sum(row.token_state is TokenState.HEALTHY for row in rows) == 21


def test_patience_grows_and_ends_with_the_first_answer() -> None:
    backoff, app = Backoff(), SOME_ID
    waits = []
    now = NOON
    for _ in range(8):
        backoff.failed(app, now=now, wait_s=None)
        begun = now
        while backoff.is_waiting(app, now=now):
            now += timedelta(seconds=15)
        waits.append((now - begun).total_seconds())
    backoff.failed(app, now=now, wait_s=None, is_answered=True)
    is_short = not backoff.is_waiting(app, now=now + timedelta(seconds=15))
    doubtful = backoff.must_probe(app)
    backoff.worked(app)

    assert is_short
    assert waits == [15, 30, 60, 120, 240, 300, 300, 300]
    assert (doubtful, backoff.must_probe(app)) == (True, False)


def test_hands_do_so_much_at_once_and_no_more_after_the_end() -> None:
    threads, gate = WorkerThreads[str]("test", at_once=2), threading.Event()
    done: list[int] = []

    def work() -> None:
        gate.wait(10)
        done.append(1)

    def fail() -> None:
        raise ValueError("as it happens")

    threads.begin("a", work)
    threads.begin("b", fail)
    threads.begin("a", work)
    busy = (threads.busy("a"), threads.room)
    gate.set()
    threads.wait(10)
    after = (threads.busy("a"), threads.room)
    threads.close()

    assert (busy, after) == ((2, 0), (0, 2))
    assert (len(done), threads.room) == (2, 0)


def test_after_the_end_nothing_is_written(stage: ConnectStage) -> None:
    row = stage.connect()
    with stage.runtime.database.writing() as session:
        session.exec(update(Connection).values(due_at=NOON))
    stage.sandbox.recall_faults.set(
        [Fault(kind=FaultKind.SLOW, path=CREDENTIALS, seconds=0.5)]
    )
    chore = Sweep(stage.runtime, patience_s=0)

    chore()
    chore.close()
    chore._threads.wait(10)

    assert stage.connection(row.id).token_checked_at == NOON
    assert stage.connection(row.id).due_at == NOON


def test_the_page_is_told_how_far_it_is(database: Database, vault: Vault) -> None:
    app, gone = a_zoom_app(vault, recall_app_id=SOME_ID), a_zoom_app(vault)
    with database.writing() as session:
        workspace = a_workspace(vault)
        session.add(workspace)
        session.flush()
        app.workspace_id = workspace.id
        session.add_all([app, gone])
        session.flush()
        session.add_all(
            [
                a_connection(app, token_checked_at=NOON - 3 * HOUR, due_at=NOON),
                a_connection(app, token_checked_at=NOON - 25 * HOUR, due_at=NOON),
                a_connection(app, token_checked_at=None, due_at=NOON + HOUR),
                a_connection(gone, token_checked_at=NOON - 90 * HOUR, due_at=NOON),
            ]
        )
    with database.writing_fast() as connection:
        for _ in range(180):
            rate_limit_counts.take(
                connection,
                f"us-east-1:{fingerprint(API_KEY)}",
                Operation.CREDENTIALS_ACCESS_TOKEN,
                stops_at=300,
                now=NOON,
            )

    with database.reading() as session:
        now = progress(session, now=NOON)
        later = progress(session, now=NOON + timedelta(minutes=2))

    assert (now.total, now.checked, now.unseen) == (3, 1, 1)
    assert now.oldest_at == NOON - 25 * HOUR
    assert (now.waiting, now.waits_until) == (2, NOON + timedelta(seconds=70))
    assert (later.waiting, later.waits_until) == (0, None)
