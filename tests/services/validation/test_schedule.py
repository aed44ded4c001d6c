"""When looks are due: open pages, changes, claims."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.validation import schedule
from dashboard.services.validation.schedule import ProbeClaim
from dashboard.vault import Vault
from tests.makers import NOON, saved_app

LATER = NOON + timedelta(hours=1)
SOON = NOON + timedelta(seconds=10)


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


def watch(database: Database, app_id: UUID, **values: object) -> None:
    """Make the row of an app of which nothing is due."""
    row = ProbeSchedule(
        zoom_app_id=app_id, poll_due_at=LATER, log_due_at=LATER, probe_due_at=LATER
    )
    for name, value in values.items():
        setattr(row, name, value)
    with database.writing() as session:
        session.add(row)


def row_of(database: Database, app_id: UUID) -> ProbeSchedule:
    with database.reading() as session:
        return session.get_one(ProbeSchedule, app_id)


def take(database: Database, now: datetime = NOON, **over: object) -> list[ProbeClaim]:
    values: dict[str, object] = {"limit": 10, "busy": {}, "a_workspace": 10} | over
    return schedule.claim_due(database, now=now, **values)  # type: ignore[arg-type]  # a test's shorthand


def opened(database: Database, *app_ids: UUID, now: datetime = NOON) -> None:
    with database.writing() as session:
        schedule.record_open_pages(session, app_ids, now=now)


def test_an_opened_page_makes_the_record_and_the_log_due_now(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id)

    opened(database, app_id)

    row = row_of(database, app_id)
    assert row.watched_until == NOON + schedule.OPEN_FOR
    assert (row.poll_due_at, row.log_due_at, row.probe_due_at) == (NOON, NOON, LATER)


def test_a_page_that_stays_open_leaves_the_rhythm_alone(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id, watched_until=SOON, poll_due_at=SOON)

    opened(database, app_id, now=NOON)

    row = row_of(database, app_id)
    assert row.watched_until == NOON + schedule.OPEN_FOR
    assert (row.poll_due_at, row.log_due_at) == (SOON, LATER)


def test_what_was_due_before_stays_due(database: Database, app_id: UUID) -> None:
    watch(database, app_id, poll_due_at=NOON - timedelta(minutes=1))

    opened(database, app_id)

    assert row_of(database, app_id).poll_due_at == NOON - timedelta(minutes=1)


def test_rows_are_made_where_there_are_none_and_for_zoom_apps_only(
    database: Database, vault: Vault, app_id: UUID
) -> None:
    with database.writing() as session:
        retired = saved_app(session, vault, retired_at=NOON)

    opened(database, app_id, uuid4(), retired)
    opened(database)

    with database.reading() as session:
        (row,) = session.exec(select(ProbeSchedule)).all()
    assert (row.zoom_app_id, row.poll_due_at) == (app_id, NOON)


def test_a_change_makes_everything_due_and_gives_up_the_look_under_way(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id, poll_due_at=NOON, failures=3)
    (before,) = take(database)

    with database.writing() as session:
        schedule.make_due(session, app_id, now=SOON)

    row = row_of(database, app_id)
    assert {row.poll_due_at, row.log_due_at, row.probe_due_at} == {SOON}
    assert (row.failures, row.claimed_until) == (0, None)
    with database.writing() as session:
        assert schedule.still_claimed(session, before) is None
    (after,) = take(database, SOON)
    with database.writing() as session:
        assert schedule.still_claimed(session, after) is not None


def test_a_change_of_an_app_that_was_never_looked_at_makes_its_row(
    database: Database, app_id: UUID
) -> None:
    with database.writing() as session:
        schedule.make_due(session, app_id, now=NOON)

    assert row_of(database, app_id).probe_due_at == NOON


def test_an_app_is_taken_once_until_its_lease_ends(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id, poll_due_at=NOON)

    (first,) = take(database)
    meanwhile = take(database, NOON + timedelta(seconds=30))
    (again,) = take(database, NOON + schedule.LEASE)

    assert meanwhile == []
    assert again.claim == first.claim + 1
    with database.writing() as session:
        assert schedule.still_claimed(session, first) is None


def test_of_two_that_see_the_same_due_one_takes_it(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id, poll_due_at=NOON)

    with database.writing() as session:
        both = [schedule._claim(session, app_id, None, now=NOON) for _ in range(2)]

    assert [each is not None for each in both] == [True, False]


def test_one_that_was_just_looked_at_is_not_taken_again(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id)

    with database.writing() as session:
        assert schedule._claim(session, app_id, None, now=NOON) is None


def test_an_app_that_was_retired_is_not_looked_at_any_more(
    database: Database, app_id: UUID
) -> None:
    watch(database, app_id, poll_due_at=NOON)
    with database.writing() as session:
        session.get_one(ZoomApp, app_id).retired_at = NOON

    assert take(database) == []


@pytest.mark.parametrize("kind", ["poll", "log", "probe"])
def test_what_is_due_is_said_and_nothing_else(
    database: Database, app_id: UUID, kind: str
) -> None:
    watch(database, app_id, **{f"{kind}_due_at": NOON})

    early = take(database, NOON - timedelta(seconds=1))
    (taken,) = take(database)

    assert early == []
    due = {
        "poll": taken.is_poll_due,
        "log": taken.is_log_due,
        "probe": taken.is_probe_due,
    }
    assert {name for name, is_due in due.items() if is_due} == {kind}


@pytest.mark.parametrize(
    ("over", "is_taken"),
    [
        ({}, True),
        ({"retired_at": NOON}, False),
        ({"recall_app_id": None}, True),  # our own address can be tried
        ({"recall_app_id": None, "routing": Routing.DIRECT}, False),
        ({"routing": Routing.DIRECT}, True),
    ],
)
def test_apps_that_can_be_looked_at_are_without_being_told(
    database: Database, vault: Vault, over: dict[str, object], *, is_taken: bool
) -> None:
    with database.writing() as session:
        app_id = saved_app(session, vault, **over)

    taken = take(database)

    assert [each.zoom_app_id for each in taken] == [app_id] * is_taken


def test_no_workspace_takes_all_the_room(database: Database, vault: Vault) -> None:
    with database.writing() as session:
        full, free = saved_app(session, vault), saved_app(session, vault)
    workspaces = {each.zoom_app_id: each.workspace_id for each in take(database)}
    later = NOON + schedule.LEASE

    busy = {workspaces[full]: 3}
    taken = take(database, later, busy=busy, a_workspace=3)
    spared = take(database, later + schedule.LEASE, spared=[workspaces[full]])
    none = take(database, later + 2 * schedule.LEASE, limit=0)

    assert [each.zoom_app_id for each in taken] == [free]
    assert [each.zoom_app_id for each in spared] == [free]
    assert none == []


@pytest.mark.parametrize(
    ("is_good", "watched_until", "within"),
    [
        (True, None, (timedelta(hours=23), timedelta(hours=24))),
        (True, SOON, (timedelta(hours=23), timedelta(hours=24))),
        (False, None, (timedelta(minutes=15), timedelta(minutes=15))),
        (False, SOON, (timedelta(minutes=1), timedelta(minutes=1))),
    ],
)
def test_probes_are_daily_and_sooner_in_trouble(
    *, is_good: bool, watched_until: datetime | None, within: tuple[timedelta, ...]
) -> None:
    row = ProbeSchedule(
        zoom_app_id=uuid4(),
        watched_until=watched_until,
        poll_due_at=NOON,
        log_due_at=NOON,
        probe_due_at=NOON,
    )

    schedule.plan_next_probe(row, is_good=is_good, now=NOON)

    assert within[0] <= row.probe_due_at - NOON <= within[1]


def test_the_daily_probes_of_many_apps_do_not_come_together() -> None:
    rows = [
        ProbeSchedule(
            zoom_app_id=uuid4(), poll_due_at=NOON, log_due_at=NOON, probe_due_at=NOON
        )
        for _ in range(20)
    ]

    for row in rows:
        schedule.plan_next_probe(row, is_good=True, now=NOON)

    assert len({row.probe_due_at for row in rows}) > 10
