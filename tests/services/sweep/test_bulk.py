"""Mappings and unhealthy credentials, read for many connections at once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from dashboard.db import Database
from dashboard.models.connection import Connection, MeetingMapping, TokenState
from dashboard.models.watch import ProbeSchedule
from dashboard.models.workspace import Workspace
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import Grant, Health, Sync
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import bulk
from dashboard.services.sweep.bulk import MAPPINGS_EVERY, MappingsReader
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import NOON, FakeClock, a_connection

MAPPINGS = "/api/v2/zoom-meetings-to-credentials/"


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox)


@pytest.fixture
def shared(
    runtime: Runtime, sandbox: RunningSandbox, database: Database
) -> ConnectStage:
    return a_connect_stage(runtime, sandbox, database=database)


def connected(stage: ConnectStage, **over: object) -> Connection:
    """Add a connection here and its credential there, without a connect attempt."""
    user_id = f"zUsEr{len(stage.credentials()):04d}"
    grant = Grant(
        access_token="simulated-access",
        refresh_token=None,
        expires_at=NOON,
        user_id=user_id,
        account_id="aCcOuNt",
    )
    there = stage.sandbox.recall_world.add_credential(stage.recall_app, grant, None)
    there.meeting_sync_status = Sync.COMPLETED
    values = {"recall_credential_id": UUID(there.id), "zoom_user_id": user_id, **over}
    row = a_connection(stage.app, **values)
    with stage.runtime.database.writing() as session:
        session.add(row)
    return row


def map_meetings(stage: ConnectStage, row: Connection, *ages_s: int) -> None:
    world = stage.sandbox.recall_world
    credential = world.credentials[str(row.recall_credential_id)]
    for age_s in ages_s:
        meeting_id = 90_000_000_000 + age_s
        world.map_meeting(meeting_id, credential)
        mapping = world.mappings[meeting_id, credential.id]
        mapping.synced_at = NOON - timedelta(seconds=age_s)


def read(stage: ConnectStage, reader: MappingsReader | None = None) -> bool:
    reader = reader or MappingsReader()
    claimed = reader.claim(stage.runtime)
    if claimed is not None:
        reader.read(stage.runtime, claimed)
    return claimed is not None


def kept(stage: ConnectStage, row: Connection) -> set[int]:
    with stage.runtime.database.reading() as session:
        query = select(MeetingMapping.meeting_id).where(
            col(MeetingMapping.connection_id) == row.id
        )
        return set(session.exec(query).all())


def workspace_of(stage: ConnectStage) -> Workspace:
    with stage.runtime.database.reading() as session:
        return session.exec(select(Workspace)).one()


def asked(stage: ConnectStage, operation: str) -> int:
    tallies = stage.sandbox.recall_world.rate_limiter.counts()
    return sum(one["asked"] for one in tallies if one["operation"] == operation)


def test_one_call_brings_everybodys_new_mappings(shared: ConnectStage) -> None:
    ana, ben = connected(shared), connected(shared)
    map_meetings(shared, ana, 10, 20)
    map_meetings(shared, ben, 30)

    read(shared)

    assert (len(kept(shared, ana)), len(kept(shared, ben))) == (2, 1)
    assert asked(shared, "credentials.mappings") == 1
    after = workspace_of(shared)
    assert after.mappings_seen_at == NOON - timedelta(seconds=10)
    assert after.mappings_due_at == NOON + MAPPINGS_EVERY


def test_what_was_read_is_asked_for_no_more(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = connected(stage)
    map_meetings(stage, row, 3600, 10)
    reader = MappingsReader()
    read(stage, reader)
    assert not read(stage, reader)  # not due
    clock.advance(minutes=5)
    world = stage.sandbox.recall_world
    world.set_switches({"page_size": 1})
    before = asked(stage, "credentials.mappings")

    read(stage, reader)

    assert asked(stage, "credentials.mappings") - before == 1
    assert len(kept(stage, row)) == 2


def test_more_than_ten_pages_are_read_bit_by_bit_and_none_is_lost(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = connected(stage)
    map_meetings(stage, row, *range(1, 86_000, 2000))
    stage.sandbox.recall_world.set_switches({"page_size": 2})
    reader = MappingsReader()
    rounds = 0

    while read(stage, reader):
        clock.advance(minutes=1)  # so that the budget has room again
        stage.sandbox.clock.set(clock.now())
        rounds += 1
        assert rounds < 30

    assert len(kept(stage, row)) == 43
    seen_at = workspace_of(stage).mappings_seen_at
    assert seen_at is not None
    assert seen_at >= NOON - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("kind", "wait_s"), [(FaultKind.RATE_LIMITED, 120), (FaultKind.UNAVAILABLE, 60)]
)
def test_a_list_that_cannot_be_had_is_asked_for_later(
    stage: ConnectStage, kind: FaultKind, wait_s: int
) -> None:
    connected(stage)
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=MAPPINGS, seconds=120)])

    read(stage)

    after = workspace_of(stage)
    assert after.mappings_due_at == NOON + timedelta(seconds=wait_s)
    assert after.mappings_seen_at is None


def test_it_is_due_again_after_its_time_though_a_moment_passed_since_the_claim(
    stage: ConnectStage, clock: FakeClock
) -> None:
    connected(stage)
    reader = MappingsReader()
    claimed = reader.claim(stage.runtime)
    assert claimed is not None
    clock.advance(seconds=1)

    reader.read(stage.runtime, claimed)

    assert workspace_of(stage).mappings_due_at == clock.now() + MAPPINGS_EVERY


class Late:
    """A database whose next writer comes after somebody else did something."""

    def __init__(self, database: Database, meanwhile: Callable[[], object]) -> None:
        self.reading = database.reading
        self._database, self._meanwhile = database, meanwhile

    def writing(self) -> AbstractContextManager[Session]:
        self._meanwhile()
        return self._database.writing()


def test_of_two_workers_at_once_one_reads(watched: ConnectStage) -> None:
    connected(watched)
    runtime, reader = watched.runtime, MappingsReader()
    faster: list[object] = []

    def late(claim: Callable[[Runtime], object]) -> Runtime:
        between: Any = Late(runtime.database, lambda: faster.append(claim(runtime)))
        return replace(runtime, database=between)

    slower = [
        reader.claim(late(reader.claim)),
        bulk.claim_unhealthy(late(bulk.claim_unhealthy)),
    ]

    assert slower == [None, None]
    assert None not in faster


def test_who_wants_it_sooner_meanwhile_is_not_forgotten(stage: ConnectStage) -> None:
    connected(stage)
    reader = MappingsReader()
    claimed = reader.claim(stage.runtime)
    assert claimed is not None
    with stage.runtime.database.writing() as session:
        bulk.make_mappings_due(session, claimed.workspace.id, at=NOON)

    reader.read(stage.runtime, claimed)

    assert workspace_of(stage).mappings_due_at == NOON


def unhealthy(stage: ConnectStage) -> bool:
    app = bulk.claim_unhealthy(stage.runtime)
    if app is not None:
        bulk.read_unhealthy(stage.runtime, app)
    return app is not None


@pytest.fixture
def watched(shared: ConnectStage) -> ConnectStage:
    with shared.runtime.database.writing() as session:
        session.add(
            ProbeSchedule(
                zoom_app_id=shared.app.id,
                poll_due_at=NOON,
                log_due_at=NOON,
                probe_due_at=NOON,
            )
        )
    return shared


def test_who_became_unhealthy_is_looked_at_soon_and_nobody_else(
    watched: ConnectStage, clock: FakeClock
) -> None:
    bad, good = connected(watched), connected(watched)
    world = watched.sandbox.recall_world
    world.credentials[str(bad.recall_credential_id)].status = Health.UNHEALTHY

    reads = [unhealthy(watched), unhealthy(watched)]
    clock.advance(minutes=5)
    again = unhealthy(watched)

    after = watched.connection(bad.id)
    assert (after.recall_status, after.due_at) == ("unhealthy", NOON)
    assert after.token_state is TokenState.HEALTHY  # a look says otherwise, or not
    assert watched.connection(good.id).due_at == good.due_at
    assert (reads, again) == ([True, False], True)


def test_who_is_unhealthy_no_more_is_looked_at_soon(watched: ConnectStage) -> None:
    state, status = TokenState.UNHEALTHY_IN_RECALL, "unhealthy"
    row = connected(watched, token_state=state, recall_status=status)

    unhealthy(watched)

    assert watched.connection(row.id).due_at == NOON


def test_of_a_list_that_is_not_whole_nobody_is_taken_for_healthy(
    watched: ConnectStage,
) -> None:
    state = TokenState.UNHEALTHY_IN_RECALL
    row = connected(watched, token_state=state, recall_status="unhealthy")
    for _ in range(21):
        other = connected(watched, recall_status="unhealthy")
        world = watched.sandbox.recall_world
        world.credentials[str(other.recall_credential_id)].status = Health.UNHEALTHY
    world.set_switches({"page_size": 1})

    unhealthy(watched)

    assert watched.connection(row.id).due_at == row.due_at
